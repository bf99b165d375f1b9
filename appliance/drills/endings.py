"""How a run ended, from what ended it."""

from __future__ import annotations

import traceback
from pathlib import Path

import trio

from appliance.drills.gateway_process import GatewayFailedError
from appliance.drills.stage import DrillAbortedError, InconclusiveError
from appliance.journal.events import RunEnded
from appliance.lab import LabError
from appliance.remote.errors import RefusedError, RemoteError

_EXPECTED = (LabError, RemoteError, GatewayFailedError)


def ending_by(error: BaseException, at: float, log: Path) -> RunEnded:
    """Return the run's last event. What is a bug of ours leaves its traceback in `log`."""
    cause = root_cause(error)
    if isinstance(cause, DrillAbortedError | InconclusiveError | RefusedError):
        return RunEnded(at=at, outcome="aborted", detail=str(cause))
    if isinstance(cause, _EXPECTED):
        return RunEnded(at=at, outcome="tool-error", detail=str(cause))
    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return RunEnded(at=at, outcome="tool-error", detail=f"{type(cause).__name__}: {cause} (see {log.name})")


def root_cause(error: BaseException) -> BaseException:
    """Return the first exception in a group of groups that is not merely a cancellation."""
    while isinstance(error, BaseExceptionGroup):
        error = next((each for each in error.exceptions if not isinstance(each, trio.Cancelled)), error.exceptions[0])
    return error
