"""Attempts to authenticate and refusals are counted by names of ours, never by what a client made up."""

from __future__ import annotations

import pytest

from appliance.exchange.step import NotAuthenticated, NotSecured, OverLimit, Refused
from appliance.gateway.errors import ClusterUnreachable, NotLoggedIn, TlsUnusable
from appliance.gateway.snapshot import Door
from appliance.gateway.tallies import REASONS, Tallies
from appliance.resources.listener import ListenerSpec
from appliance.wire.errors import Malformed

DOOR = Door("internal", ListenerSpec(bind="127.0.0.1:20000", virtual_cluster="orders"))
WHO: dict[str, object] = {"listener": "internal", "peer": "10.0.0.1:4711"}

WHY = [
    (OverLimit("more than 5"), "limit"),
    (NotSecured("no certificate"), "tls"),
    (NotAuthenticated("no proof"), "authentication"),
    (Refused("a policy says so"), "policy"),
    (Malformed("not Kafka"), "malformed"),
    (ClusterUnreachable("nobody there"), "upstream"),
    (NotLoggedIn("the cluster does not want us"), "upstream"),
    (TlsUnusable("no key"), "tls"),
    (KeyError("a bug"), "internal"),
]


@pytest.mark.parametrize(("error", "reason"), WHY)
def test_each_error_has_its_reason(error: Exception, reason: str):
    tallies = Tallies()
    tallies.refused(DOOR, error)
    assert tallies.readings().refused == ((("internal", "orders", reason), 1),)
    assert reason in REASONS


def test_attempts_by_listener_mechanism_and_result():
    tallies = Tallies()
    for mechanism, result in [("PLAIN", "accepted"), ("PLAIN", "refused"), ("TLS", "accepted"), ("PLAIN", "refused")]:
        tallies.authenticated(WHO, mechanism, "accepted" if result == "accepted" else "refused")
    assert dict(tallies.readings().authentications) == {
        ("internal", "PLAIN", "accepted"): 1,
        ("internal", "PLAIN", "refused"): 2,
        ("internal", "TLS", "accepted"): 1,
    }


@pytest.mark.parametrize("mechanism", [None, "", "GSSAPI", 'PLAIN"} 1\ntidegate_lies 1'])
def test_a_mechanism_that_there_is_not_makes_no_label_of_its_own(mechanism: str | None):
    tallies = Tallies()
    tallies.authenticated(WHO, mechanism, "refused")
    assert tallies.readings().authentications == ((("internal", "other", "refused"), 1),)
