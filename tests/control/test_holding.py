"""Writes are held no longer than those wait who wrote them."""

from __future__ import annotations

import pytest

from appliance.control.holding import hold_for, patience_of
from appliance.gateway.clientele import Clientele


def clients(*timeouts: float | None) -> list[Clientele]:
    return [Clientele(1, each) for each in timeouts]


@pytest.mark.parametrize(
    ("timeouts", "seconds"),
    [
        ((), 20.0),
        ((None,), 20.0),
        ((30.0, 40.0), 20.0),
        ((60.0,), 20.0),
        ((30.0, None, 9.0), 6.0),
        ((0.001,), 1.0),
        ((-1.0,), 1.0),
    ],
)
def test_the_least_patient_decides_within_bounds(timeouts: tuple[float | None, ...], seconds: float):
    assert hold_for(clients(*timeouts)) == pytest.approx(seconds)


def test_who_has_not_written_is_taken_to_wait_as_long_as_the_common_clients():
    assert (patience_of(clients(None)), patience_of(clients(None, 12.0))) == (30.0, 12.0)
