import pytest

from appliance.drills.endings import ending_by, root_cause
from appliance.drills.gateway_process import GatewayFailedError
from appliance.drills.stage import DrillAbortedError, InconclusiveError
from appliance.lab import LabError
from appliance.remote.errors import RefusedError, UnreachableError


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (DrillAbortedError("rolled back"), "aborted"),
        (InconclusiveError("no steady state"), "aborted"),
        (RefusedError(409, "a switchover runs already", ()), "aborted"),
        (LabError("no jars"), "tool-error"),
        (UnreachableError("nobody there"), "tool-error"),
        (GatewayFailedError("ended"), "tool-error"),
    ],
)
def test_what_ends_a_run_says_how_it_ended(error, outcome, tmp_path):
    for each in (error, ExceptionGroup("nursery", [ExceptionGroup("nursery", [error])])):
        ending = ending_by(each, 1.5, tmp_path / "runner.log")
        assert (ending.at, ending.outcome, ending.detail) == (1.5, outcome, str(error))
    assert not (tmp_path / "runner.log").exists()


def test_a_bug_leaves_its_traceback(tmp_path):
    ending = ending_by(KeyError("seq"), 1.5, tmp_path / "runner.log")
    assert ending.outcome == "tool-error"
    assert "KeyError" in ending.detail
    assert "KeyError: 'seq'" in (tmp_path / "runner.log").read_text()


def test_the_cause_of_a_single_error_is_itself():
    error = ValueError("x")
    assert root_cause(error) is error
