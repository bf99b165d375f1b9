"""The append-only file: one event a line, each line bound to the one before it by SHA-256.

A line is `{"seq": n, "prev": hex, "event": {...}, "hash": hex}`; `hash` covers `seq`, `prev` and the event in canonical
JSON (sorted keys, no spaces), `prev` of the first line is 64 zeros. The hash of the last line is the head: who knows it
can tell whether any line was altered, dropped, added or moved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from appliance.journal.events import EVENT, Event

GENESIS = "0" * 64


class BrokenJournal(Exception):
    """A journal whose lines do not hang together; the message names the file, the line and what is wrong with it."""


def _link(seq: int, prev: str, event: object) -> str:
    canonical = json.dumps({"seq": seq, "prev": prev, "event": event}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class Journal:
    """Append events to a file; each line is on its way to the disk before `append` returns.

    The caller owns the path; `close` when done. Not safe for use from several threads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = GENESIS
        self._seq = 0
        self._file: IO[str] = path.open("x", encoding="utf-8")

    def append(self, event: Event) -> None:
        """Write one event. Raises OSError where the disk does (full, gone)."""
        body = event.model_dump(mode="json")
        digest = _link(self._seq, self.head, body)
        self._file.write(json.dumps({"seq": self._seq, "prev": self.head, "event": body, "hash": digest}) + "\n")
        self._file.flush()
        self.head = digest
        self._seq += 1

    def close(self) -> None:
        """Close the file; the journal can be read, not appended to, from now on."""
        self._file.close()


def read_journal(path: Path) -> Iterator[Event]:
    """Yield the events of a journal in order.

    Raises BrokenJournal at the first line that is not JSON, not an event, or not bound to its predecessor.
    """
    prev = GENESIS
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line.decode())
                seq, found, event, digest = entry["seq"], entry["prev"], entry["event"], entry["hash"]
            except (ValueError, KeyError, TypeError) as error:
                raise BrokenJournal(
                    f"{path}:{number}: expected an event line, found something else ({error})"
                ) from error
            if (seq, found) != (number - 1, prev) or _link(seq, found, event) != digest:
                raise BrokenJournal(
                    f"{path}:{number}: the line is not bound to the one before it: the journal was altered"
                )
            prev = digest
            try:
                yield EVENT.validate_python(event)
            except ValidationError as error:
                raise BrokenJournal(f"{path}:{number}: expected an event, found something else ({error})") from error


def head_of(path: Path) -> str:
    """Return the hash of the last line; 64 zeros for an empty journal. Does not verify the chain."""
    head = GENESIS
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            head = json.loads(line)["hash"]
    return head
