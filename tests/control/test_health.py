"""Healthy or not: n of m with hysteresis."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from appliance.control.health import Health, Standing, Try
from appliance.resources.failover_policy import FailoverPolicySpec, OutOf

UNHEALTHY, HEALTHY = OutOf(tries=3, of=5), OutOf(tries=4, of=5)


def after(tries: str, health: Health | None = None) -> Health:
    """Fold tries: `.` succeeded, `x` failed, one a second."""
    health = health or Health()
    for at, each in enumerate(tries, len(health.tries)):
        health = health.with_try(Try(at, "down" if each == "x" else ""), unhealthy=UNHEALTHY, healthy=HEALTHY)
    return health


@pytest.mark.parametrize(
    ("tries", "standing"),
    [
        ("", "unknown"),
        ("...", "unknown"),
        ("....", "healthy"),
        ("xx", "unknown"),
        ("xxx", "unhealthy"),
        (".....xx", "healthy"),
        (".....xx.", "healthy"),  # two of five are too few
        (".....xx.x", "unhealthy"),  # three of five
        (".....x.x.x", "unhealthy"),  # one that fails on and off
        (".....xxx", "unhealthy"),
        (".....xxx...", "unhealthy"),  # not yet again
        (".....xxx....", "healthy"),
    ],
)
def test_standing(tries: str, standing: Standing):
    assert after(tries).standing == standing


def test_since_when():
    health = after(".....xxx")
    assert (health.since, health.failing_since, health.failure) == (7, 5, "down")
    assert after(".....xxx.").failing_since is None
    assert after("....." + "x" * 50).failing_since == 5
    assert after(".....xxx..").since == 7


@given(st.text(alphabet=".x", max_size=200))
def test_it_never_changes_twice_without_enough_evidence_between(tries: str):
    health, changes = Health(), list[int]()
    for number, each in enumerate(tries):
        before = health.standing
        health = after(each, health) if number < 5 else health.with_try(
            Try(number, "down" if each == "x" else ""), unhealthy=UNHEALTHY, healthy=HEALTHY
        )  # fmt: skip
        if health.standing != before:
            changes.append(number)
    between = [later - earlier for earlier, later in pairwise(changes)]
    # From healthy (at most one failure of five) to unhealthy (three): two more failures at least; and back three.
    assert all(each >= 2 for each in between)
    assert len(health.tries) <= 5


def test_bounds_that_could_both_hold_are_refused():
    with pytest.raises(ValidationError, match="to exclude each other"):
        FailoverPolicySpec.model_validate(
            {
                "cluster": "a",
                "to": ["b"],
                "canary": {"topic": "t"},
                "unhealthy": {"tries": 2, "of": 5},
                "healthy": {"tries": 3, "of": 5},
            }
        )
    with pytest.raises(ValidationError, match="expected at most 2 tries of 2"):
        OutOf(tries=3, of=2)
