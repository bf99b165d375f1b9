"""In what the target falls short of the source, and how badly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.control.drift import CONFIGS, Inventory, drift
from appliance.gateway.client import AclEntry
from appliance.wire.apis import Api

SOURCE = Inventory(
    "primary",
    {"orders": (0, 1), "audit": (0,)},
    configs={"orders": {"retention.ms": "1", "cleanup.policy": "delete"}, "audit": {"retention.ms": "5"}},
    acls=frozenset({AclEntry("topic orders", "User:shop", "*", "WRITE", "ALLOW")}),
    secured=True,
    versions={Api.PRODUCE: (3, 12), Api.FETCH: (4, 17)},
    committed={"billing": 2},
)
ALIKE = replace(SOURCE, name="standby")


def test_alike_is_no_finding():
    assert drift(SOURCE, ALIKE) == []


@pytest.mark.parametrize(
    ("target", "severity", "words"),
    [
        (replace(ALIKE, topics={"orders": (0, 1)}), "blocks", "topic audit: expected it on standby, as on primary"),
        (replace(ALIKE, topics={"orders": (0,), "audit": (0,)}), "blocks", "expected 2 partitions on standby"),
        (replace(ALIKE, topics={"orders": (0, 1, 2), "audit": (0,)}), "warns", "keys will come to lie in other"),
        (
            replace(ALIKE, configs={"orders": {"retention.ms": "2", "cleanup.policy": "delete"}, "audit": {}}),
            "warns",
            "topic orders: expected retention.ms=1 on standby, as on primary, found retention.ms=2",
        ),
        (replace(ALIKE, acls=frozenset()), "warns", "ACL ALLOW User:shop WRITE on topic orders: expected it on"),
        (replace(ALIKE, acls=None, secured=False), "warns", "expected an authorizer, as on primary, found no auth"),
        (replace(ALIKE, versions={Api.PRODUCE: (3, 11)}), "warns", "Produce 11 (here 12), Fetch absent (here 17)"),
        (replace(ALIKE, committed={"billing": 1}), "warns", "group billing: expected committed offsets on standby"),
        (replace(ALIKE, unasked={"ACLs": "CLUSTER_AUTHORIZATION_FAILED"}), "warns", "expected an answer about ACLs"),
    ],
)
def test_what_differs(target: Inventory, severity: str, words: str):
    (finding,) = drift(SOURCE, target)
    assert finding.severity == severity
    assert words in str(finding)
    assert finding.remedy


def test_what_more_the_target_has_is_its_own_business():
    more = replace(
        ALIKE,
        topics={**ALIKE.topics, "own": (0,)},
        acls=(ALIKE.acls or frozenset()) | {AclEntry("topic own", "User:x", "*", "READ", "ALLOW")},
        versions={Api.PRODUCE: (3, 13), Api.FETCH: (4, 18)},
        committed={"billing": 2, "other": 1},
    )
    assert drift(SOURCE, more) == []


def test_what_was_not_asked_is_not_compared():
    unknown = replace(ALIKE, configs=None, acls=None, secured=None, versions=None, committed=None)
    assert drift(SOURCE, unknown) == []
    assert drift(unknown, ALIKE) == []


def test_many_of_one_kind_are_told_in_short():
    topics = {f"t{number}": (0,) for number in range(50)}
    here = Inventory("primary", topics, configs={name: {"retention.ms": "1"} for name in topics})
    there = Inventory("standby", topics, configs={name: {"retention.ms": "2"} for name in topics})
    found = drift(here, there)
    assert len(found) == 21
    assert "30 more that differ" in str(found[-1])


def test_what_blocks_comes_first():
    worse = replace(ALIKE, acls=frozenset(), topics={"orders": (0, 1)})
    assert [each.severity for each in drift(SOURCE, worse)] == ["blocks", "warns"]


def test_every_setting_says_what_clients_would_notice():
    assert all(CONFIGS.values())
