"""What the matrix must know of a client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from tests.matrix.access import Mechanism
from tests.matrix.tasks import Event, Task

if TYPE_CHECKING:
    from tests.matrix.checks import Scene
    from tests.matrix.standing import Mode

PROGRAMS = Path(__file__).with_name("programs")
Progress = Callable[[str], None]
CheckFunction = Callable[["Scene"], Awaitable[None]]
"""Raises CheckFailedError."""


class Check(StrEnum):
    """The columns of the table."""

    PRODUCE = "produce"
    GROUP = "group"
    COMMIT = "commit, resume"
    REBALANCE = "rebalance"
    TRANSACTIONS = "transactions"
    ADMIN = "admin"
    NEW_GROUP = "KIP-848"
    SHARE = "share group"


class CannotPrepareError(Exception):
    """A client could not be installed or built; the message is fit for the table."""


@dataclass(frozen=True)
class Command:
    """A process to start. `environment` is added to ours; `stdin` is a file that it reads."""

    argv: tuple[str, ...]
    stdin: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Driver(ABC):
    """One client: how it is had, started and understood.

    `cannot` names the checks that the library has nothing for, each with the reason. `remark` is for the table.
    """

    name: str
    language: str
    version: str
    cannot: Mapping[Check, str] = {}
    checks: Mapping[Check, CheckFunction] = {}
    """Checks of its own, in place of the general ones."""
    remark: str = ""
    mechanism: Mechanism | None = None
    """How it must log in where that is not by the listener's first mechanism."""
    runs_forever = True
    """Whether it can produce and consume without end, told event by event (`standing`)."""
    idempotent = True
    """Whether its producer can be idempotent."""
    reverses = False
    """Whether its producer, where it is not idempotent and has several requests in flight, sends them again in reverse
    when their connection breaks, whoever broke it. It then stands with one in flight."""
    assigns = True
    """Whether it can read without a group."""
    falls_as: Mapping[Mode, str] = {}
    """What it cannot go on doing when a broker dies, with or without a gateway, each with the reason."""
    stands_as: Sequence[Mode] = ()
    """What else it can be doing without end; it then reads the topic of `reads_of`, a client that writes."""
    reads_of: str = ""
    leaves: Sequence[str] = ()
    """Topics that it writes as it reads, and does not make: its group's name and a suffix."""
    rebootstraps_as: str = ""
    """The software that it says it is (KIP-511), where it starts over when it is told to (KIP-1102)."""
    why_not_standing: str = "it has no program here that runs without end"
    tells_acknowledgements = True
    """Whether it says where each acknowledged record lies; otherwise its exit status must do."""

    def needs(self) -> str | None:
        """Return which toolchain is missing on this machine, in words such as `no go toolchain`; None where none is."""
        return None

    def prepare(self, progress: Progress) -> None:  # noqa: B027 - some clients need nothing
        """Install and build what is locked into the user's cache; nothing happens where that is done. Blocks.

        Raises CannotPrepareError.
        """

    @abstractmethod
    def command(self, task: Task, folder: Path) -> Command:
        """Return the process that does this; `folder` is its own, for settings and input."""

    def parse(self, line: str) -> Event | None:
        """Return what a line of its output tells; None for lines that tell nothing."""
        return Event.model_validate_json(line) if line.startswith("{") else None
