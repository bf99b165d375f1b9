"""What a canary writes into a record, so that the record can be told from all others wherever it turns up.

The value is `run|client|partition|seq|padding`, plain text: people can read it with any console consumer.
The id of a record is `client/partition/seq`, unique in a run; the run's name keeps apart what earlier runs
left in a shared cluster.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Mark:
    """Who wrote a record, where and as which one."""

    run: str
    client: str
    partition: int
    seq: int

    @property
    def id(self) -> str:
        """Return the id by which the ledger knows the record."""
        return f"{self.client}/{self.partition}/{self.seq}"

    def value(self, size: int) -> bytes:
        """Return the record's value, padded to `size` bytes (longer only if the mark itself is)."""
        text = _SEPARATOR.join((self.run, self.client, str(self.partition), str(self.seq), "")).encode()
        return text.ljust(size, b".")


def read_mark(value: bytes | None) -> Mark | None:
    """Return the mark in a record's value, None if no canary wrote it."""
    try:
        run, client, partition, seq, _ = (value or b"").decode().split(_SEPARATOR)
        return Mark(run, client, int(partition), int(seq))
    except ValueError:
        return None


def digest_of(value: bytes) -> str:
    """Return the first 16 hex digits of the value's SHA-256, as the ledger keeps them."""
    return hashlib.sha256(value).hexdigest()[:16]
