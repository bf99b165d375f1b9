"""What every record's fate was, as the drill's own clients saw it: the rows of `ledger.jsonl`.

Three kinds of rows: a `Write` per record that a canary producer handed to its library, a `Delivery` per record that a
consumer got, a `Stored` per record that the final read found in a cluster's log. A record's `id` is
`<producer>/<partition>/<seq>` and is unique in a run; `seq` counts from 0 per producer and partition. Times are seconds
since the start of the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Outcome = Literal["acknowledged", "failed", "indeterminate"]
"""acknowledged: the broker's answer reached the client. failed: certainly not written. indeterminate: anything else."""


@dataclass(frozen=True, slots=True)
class Write:
    client: str
    topic: str
    partition: int
    seq: int
    id: str
    digest: str
    """First 16 hex digits of the SHA-256 of the value."""
    sent: float
    done: float | None
    """When the delivery report came; None if none came before the end of the run."""
    outcome: Outcome
    offset: int | None
    error: str
    """Kafka's name of the error, empty if acknowledged."""


@dataclass(frozen=True, slots=True)
class Delivery:
    client: str
    topic: str
    partition: int
    offset: int
    id: str
    at: float


@dataclass(frozen=True, slots=True)
class Stored:
    cluster: str
    topic: str
    partition: int
    offset: int
    id: str
    digest: str


@dataclass(frozen=True)
class RecordLedger:
    """All rows of a run, in the order in which they were recorded."""

    writes: list[Write] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)

    def rows(self) -> Iterator[Write | Delivery | Stored]:
        """Yield all rows: writes, then deliveries, then stored ones."""
        yield from self.writes
        yield from self.deliveries
        yield from self.stored


_ROWS: dict[str, type[Write] | type[Delivery] | type[Stored]] = {"write": Write, "delivery": Delivery, "stored": Stored}
_NAMES = {row: name for name, row in _ROWS.items()}


def write_ledger(path: Path, rows: Iterable[Write | Delivery | Stored]) -> None:
    """Write rows to a new file, a line each. Raises OSError where the disk does."""
    with path.open("x", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps({"row": _NAMES[type(row)], **asdict(row)}, separators=(",", ":")) + "\n")


def read_ledger(path: Path) -> RecordLedger:
    """Read a ledger back. Raises ValueError naming the line that is not a row."""
    ledger = RecordLedger()
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                values = json.loads(line)
                row = _ROWS[values.pop("row")](**values)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{path}:{number}: expected a ledger row, found something else ({error!r})") from error
            if isinstance(row, Write):
                ledger.writes.append(row)
            elif isinstance(row, Delivery):
                ledger.deliveries.append(row)
            else:
                ledger.stored.append(row)
    return ledger
