"""What the tests of the gateway share."""

import logging

import pytest


class Log:
    """What the gateway told its operator: warnings and worse."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def lines(self) -> list[str]:
        return [
            record.getMessage()
            for record in self._caplog.records
            if record.name.startswith("tidegate") and record.levelno >= logging.WARNING
        ]

    @property
    def only_line(self) -> str:
        (line,) = self.lines
        return line


class Trail:
    """Who came in, did not, or was sent away, as an auditor reads it."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def lines(self) -> list[str]:
        return [each.getMessage() for each in self._caplog.records if each.name == "tidegate.audit"]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    """The gateway's warnings and errors, as an operator reads them."""
    return Log(caplog)


@pytest.fixture
def trail(caplog: pytest.LogCaptureFixture) -> Trail:
    """The audit trail."""
    caplog.set_level(logging.INFO, "tidegate.audit")
    return Trail(caplog)
