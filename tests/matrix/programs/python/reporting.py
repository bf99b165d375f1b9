"""What the Python programs share: their arguments, their events, and how they are told to end."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path


class Stop:
    """Becomes true with SIGTERM."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def __bool__(self) -> bool:
        return self.asked


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    for name in ("bootstrap", "topic", "prefix", "protocol", "isolation", "idempotent", "assign"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("group", "transactional-id", "ca", "mechanism", "user", "password-file"):
        parser.add_argument(f"--{name}")
    for name in ("count", "partitions", "pace"):
        parser.add_argument(f"--{name}", type=int, default=0)
    found = parser.parse_args(arguments)
    found.idempotent, found.assign = found.idempotent == "true", found.assign == "true"
    found.password = Path(found.password_file).read_text(encoding="utf-8") if found.password_file else None
    return found


def tell(event: str, **fields: object) -> None:
    """Write one event."""
    sys.stdout.write(json.dumps({"event": event, "at": time.time_ns() / 1e9, **fields}) + "\n")
    sys.stdout.flush()


def key_of(number: int) -> str:
    """Return the key of a record: 100 of them, which any partitioner spreads."""
    return f"k{number % 100}"
