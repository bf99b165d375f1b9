"""What a client is asked to do, and what it tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tests.matrix.access import Access

GroupProtocol = Literal["classic", "consumer"]
Isolation = Literal["read_uncommitted", "read_committed"]


class Verb(StrEnum):
    """The commands that every program in `programs/` has, as far as its library can."""

    PRODUCE = "produce"
    """Write `count` records `PREFIX-0`, `PREFIX-1`, ... with keys that spread them; end when all are acknowledged."""
    CONSUME = "consume"
    """Join `group`, deliver `count` records, commit the places after exactly these, leave."""
    SHARE = "share"
    """Join the share group, deliver and accept `count` records, leave."""
    TRANSACT = "transact"
    """Abort a transaction of `count` records `PREFIX-aborted-N`, then commit one of `PREFIX-committed-N`."""
    CREATE = "create"
    """Create the topic with `partitions` on three brokers, and describe it once it is there."""
    DELETE = "delete"
    """Delete the topic."""
    PRODUCE_FOREVER = "produce-forever"
    """As `produce`, one record every `pace` milliseconds, until SIGTERM. With a transactional id: ten a transaction."""
    CONSUME_FOREVER = "consume-forever"
    """Deliver until SIGTERM, from the earliest record, committing each second; `assign`: no group membership."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One thing for a client to do; `flags` is how our own programs are told."""

    verb: Verb
    access: Access
    topic: str
    count: int = 0
    prefix: str = "v"
    group: str = ""
    protocol: GroupProtocol = "classic"
    isolation: Isolation = "read_uncommitted"
    partitions: int = 0
    transactional_id: str = ""
    idempotent: bool = True
    in_flight: int = 0
    """Requests that a producer may have in flight; 0: as many as its library has by default."""
    pace: int = 0
    """Milliseconds between records."""
    assign: bool = False

    def flags(self) -> list[str]:
        """Return command and arguments; what has its default is not said."""
        flags = [self.verb.value, *self.access.flags(), "--topic", self.topic, "--prefix", self.prefix]
        flags += ["--protocol", self.protocol, "--isolation", self.isolation]
        for name in ("count", "partitions", "pace", "group", "transactional_id", "in_flight"):
            if value := getattr(self, name):
                flags += [f"--{name.replace('_', '-')}", str(value)]
        for name in ("idempotent", "assign"):
            flags += [f"--{name}", str(getattr(self, name)).lower()]
        return flags


class Event(BaseModel):
    """One line of a program."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: Literal["acked", "failed", "delivered", "committed", "aborted", "created", "deleted", "error", "assigned"]
    """`acked`: a record is acknowledged; in a transaction: that is committed. `failed`: the application was told that
    it is not. `delivered`: a record came. `committed`, `aborted`: places, or a transaction. `error`: the application
    saw an error. `assigned`: partitions of a group."""
    value: str = ""
    partition: int = -1
    offset: int = -1
    """-1 where the library does not say."""
    at: float = 0.0
    """Seconds since 1970."""
    partitions: int = -1
    """Of a created topic, as described; of an assignment, how many."""
    text: str = ""
    """Of an error: what the library calls it."""
