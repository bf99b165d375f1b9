"""What a running lab says of itself in a file, for another process to read: `lab up --detach`, `status`, `down`.

A lab that keeps a record holds a lock on `lab.lock` beside it. The kernel gives the lock back when its process
ends, so that a record whose lock is free is of the past, and no other process that got the same pid is ever taken
for the lab.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio
from pydantic import BaseModel, ConfigDict, ValidationError

from appliance.lab.errors import LabError
from appliance.lab.lab import Kind, Lab
from appliance.lab.runners import State

_RECORD = "lab.json"
_LOCK = "lab.lock"
_LOOK = 0.5
"""Seconds between looks at what changed."""


class BrokerRecord(BaseModel):
    """One broker, from a `Broker`."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    node_id: int
    address: str
    state: State


class LabRecord(BaseModel):
    """One lab; `replicating` is None where it was planned without replication."""

    model_config = ConfigDict(frozen=True)

    pid: int
    kind: Kind
    note: str
    versions: dict[str, str]
    clusters: dict[str, list[BrokerRecord]]
    replicating: bool | None

    @classmethod
    def of(cls, lab: Lab) -> LabRecord:
        """Describe a lab of this process as it is now."""
        return cls(
            pid=os.getpid(),
            kind=lab.kind,
            note=lab.note,
            versions=dict(lab.versions),
            clusters={
                name: [BrokerRecord.model_validate(broker) for broker in cluster.brokers.values()]
                for name, cluster in lab.clusters.items()
            },
            replicating=lab.replicating if lab.replication is not None else None,
        )


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Be the one lab of a folder. Raises LabError where another is running there."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(
                f"expected no lab in {directory}, found one running; end it (tidegate lab down) or name another folder"
            ) from None
        (directory / _RECORD).unlink(missing_ok=True)  # of one that was killed
        try:
            yield
        finally:
            (directory / _RECORD).unlink(missing_ok=True)


def is_held(directory: Path) -> bool:
    """Whether a lab runs, starts or ends in a folder."""
    try:
        with (directory / _LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def keep_record(lab: Lab, directory: Path) -> None:
    """Write the lab's record, and again whenever something changed, until cancelled."""
    written = None
    while True:
        record = LabRecord.of(lab)
        if record != written:
            part = directory / f"{_RECORD}.part"
            part.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
            part.replace(directory / _RECORD)
            written = record
        await trio.sleep(_LOOK)


def read_record(directory: Path) -> LabRecord | None:
    """Return the record of the lab that runs in a folder; None where none does, or it is not ready yet.

    Raises LabError for a record that is not one.
    """
    path = directory / _RECORD
    if not is_held(directory):
        return None
    try:
        return LabRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise LabError(
            f"{path}: expected a lab's record, found something else ({error.error_count()} errors)"
        ) from error
