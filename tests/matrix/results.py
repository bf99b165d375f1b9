"""What came of the checks, as values that can be kept."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel

from tests.matrix.driver import Check

Listening = Literal["plain", "tls-scram"]


class Outcome(StrEnum):
    """Of one check."""

    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    """The library has nothing for it."""


class CheckResult(BaseModel):
    """One cell."""

    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0


class ClientResult(BaseModel):
    """One row."""

    name: str
    language: str
    version: str
    not_run: str | None = None
    """Why it was not run at all, such as `no go toolchain`."""
    missing_toolchain: bool = False
    """Why it was not run is no fault of anybody's."""
    checks: dict[Check, CheckResult] = {}
    strayed: list[int] | None = None
    """Ports of brokers that its sockets led to; None where nobody looked."""
    doors: int = 0
    """How many of the gateway's ports its sockets were seen at."""
    remark: str = ""

    @property
    def passed(self) -> bool:
        """Whether it was run, did all that its library can, and never strayed."""
        failed = [each for each in self.checks.values() if each.outcome is Outcome.FAILED]
        return self.not_run is None and bool(self.checks) and not failed and not self.strayed


class Matrix(BaseModel):
    """One run before one listener."""

    listener: Listening
    direct: bool = False
    """Around the gateway: tells a client's own failures from the gateway's."""
    started: datetime
    minutes: float = 0.0
    versions: dict[str, str]
    revision: str
    clients: list[ClientResult] = []
    not_run: str | None = None
    """Why there was no such listener."""
    complaints: list[str] = []
    """Errors of its own that the gateway logged meanwhile."""

    @property
    def passed(self) -> bool:
        """Whether every client passed whose toolchain is there, and the gateway had no error of its own."""
        ran = all(client.passed or client.missing_toolchain for client in self.clients)
        return self.not_run is None and ran and not self.complaints
