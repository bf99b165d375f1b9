"""Who is over a limit is refused, and whoever leaves makes room."""

import pytest

from appliance.exchange.step import Refused
from appliance.gateway.admission import Admission
from appliance.resources.limits import LimitsSpec

HERE, THERE = "192.0.2.1", "192.0.2.2"


def test_connections_at_once_are_limited():
    admission, limits = Admission(), LimitsSpec(connections=2)
    admission.enter(limits, HERE)
    admission.enter(limits, THERE)
    with pytest.raises(Refused, match="more than 2 connections to this listener"):
        admission.enter(limits, HERE)
    admission.leave(THERE)
    admission.enter(limits, HERE)


def test_one_address_cannot_take_everybody_elses_place():
    admission, limits = Admission(), LimitsSpec(connections_per_address=1)
    admission.enter(limits, HERE)
    with pytest.raises(Refused, match=r"more than 1 connections from 192\.0\.2\.1"):
        admission.enter(limits, HERE)
    admission.enter(limits, THERE)
    admission.leave(HERE)
    admission.enter(limits, HERE)


def test_one_principal_cannot_either():
    admission, limits = Admission(), LimitsSpec(connections_per_principal=1)
    admission.identify(limits, "User:alice")
    with pytest.raises(Refused, match="more than 1 connections of User:alice"):
        admission.identify(limits, "User:alice")
    admission.identify(limits, "User:bob")
    admission.forget("User:alice")
    admission.identify(limits, "User:alice")


def test_a_lower_limit_holds_for_the_next_to_come():
    admission = Admission()
    for _ in range(3):
        admission.enter(LimitsSpec(connections=3), HERE)
    with pytest.raises(Refused):
        admission.enter(LimitsSpec(connections=1), HERE)


def test_without_a_rate_nobody_waits():
    assert Admission().pause(LimitsSpec(), now=5.0) == 0.0


def test_a_seconds_worth_may_come_at_once_and_then_one_after_the_other():
    admission, limits = Admission(), LimitsSpec.model_validate({"connection_rate": "10/s"})
    pauses = [admission.pause(limits, now=100.0) for _ in range(13)]
    assert pauses[:10] == [0.0] * 10
    assert pauses[10:] == pytest.approx([0.1, 0.2, 0.3])
    assert admission.pause(limits, now=200.0) == 0.0
