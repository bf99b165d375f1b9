"""What is on the route of a virtual cluster for its consumers: nothing, as long as there is nothing to do."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.policies.positions.beginnings import Beginnings
from appliance.policies.positions.continuous import Continuous
from appliance.policies.positions.heartbeats import Heartbeats
from appliance.policies.positions.hold_fetch import HoldFetch
from appliance.policies.positions.leader_epochs import LeaderEpochs
from appliance.policies.positions.members import News
from appliance.policies.positions.membership import Membership
from appliance.policies.positions.offset_map import IDENTITY, shifted
from appliance.policies.positions.offset_maps import NO_MAPS, PositionMaps, TopicId
from appliance.policies.positions.positions import Positions
from appliance.policies.positions.rebootstrap import Rebootstrap
from appliance.policies.positions.rejoin import Rejoin
from appliance.policies.positions.sequences import Sequences
from appliance.policies.positions.topic_ids import TopicIds
from appliance.policies.positions.transactions import Transactions
from appliance.resources.virtual_cluster import VirtualClusterSpec

NEVER, ONCE = 0, 1
DIFFERENT = PositionMaps().with_cluster("standby", {("orders", 0): shifted(300)})
SAME = PositionMaps().with_cluster("standby", {("orders", 0): IDENTITY})


def spec(**values: Any) -> VirtualClusterSpec:
    its = {"cluster": "primary", "standbys": ["standby"], "replication": "mirrormaker"}
    return VirtualClusterSpec.model_validate({**its, **values})


def kinds(its: VirtualClusterSpec, switches: int = ONCE, maps: PositionMaps = NO_MAPS) -> list[type]:
    return [type(each) for each in Positions(lambda: 0.0).interceptors(its, "standby", switches, maps)]


def test_what_cannot_be_switched_has_nothing():
    assert kinds(spec(standbys=[]), NEVER) == []


def test_before_the_first_switch_members_are_only_listened_to_and_asked_to_speak_often():
    assert kinds(spec(), NEVER) == [Membership, Heartbeats, Transactions]
    off = {"heartbeats": "off", "hold_fetch": "off"}
    assert kinds(spec(remedies=off), NEVER) == [Membership, Transactions]
    assert kinds(spec(remedies={**off, "rejoin": "off"}), NEVER) == [Transactions]
    assert kinds(spec(remedies={**off, "rejoin": "off", "transactions": "off"}), NEVER) == []


def test_before_the_first_switch_no_message_of_the_data_path_is_looked_into():
    interceptors = Positions(lambda: 0.0).interceptors(spec(), "primary")
    for api in (0, 1, 2, 3, 8, 9, 24, 26):
        assert not any(
            its.wants_request(api, v) or its.wants_response(api, v) for its in interceptors for v in range(20)
        )


def test_after_it_all_remedies_are_there_and_each_can_be_turned_off():
    everything = [Membership, Heartbeats, Transactions, HoldFetch, Rejoin, LeaderEpochs]
    assert kinds(spec()) == everything
    switched_off = {
        "heartbeats": Heartbeats,
        "transactions": Transactions,
        "hold_fetch": HoldFetch,
        "rejoin": Rejoin,
        "leader_epochs": LeaderEpochs,
    }
    for remedy, kind in switched_off.items():
        assert kinds(spec(remedies={remedy: "off"})) == [each for each in everything if each is not kind]


def test_clients_are_told_to_start_over_only_where_some_are_named_and_only_behind_a_switch():
    named = spec(rebootstrap=[{"software": "apache-kafka-java", "since": "4.0"}])
    assert Rebootstrap in kinds(named)
    assert Rebootstrap not in kinds(named, NEVER) + kinds(spec())


def test_writes_are_looked_into_only_where_producers_were_left_behind():
    positions = Positions(lambda: 0.0)
    positions.interceptors(spec(), "primary", NEVER)

    def looks() -> bool:
        made = positions.interceptors(spec(), "standby", ONCE)
        return any(its.wants_request(0, 12) for its in made if isinstance(its, Transactions))

    assert not looks()
    positions = Positions(lambda: 0.0)
    positions.interceptors(spec(), "primary", NEVER)
    positions.take(News("born", "", "", "shop-1", "60000"))
    assert looks()


def test_continuous_offsets_are_there_only_where_some_partition_differs():
    assert Continuous not in kinds(spec(offsets="continuous"), ONCE, SAME)
    assert Continuous in kinds(spec(offsets="continuous"), ONCE, DIFFERENT)
    assert Continuous not in kinds(spec(), ONCE, DIFFERENT)


def test_topic_ids_are_changed_only_where_some_differ_and_closest_to_the_cluster():
    own, known = bytes(15) + b"b", bytes(15) + b"a"
    same = NO_MAPS.with_topic_ids("standby", {"orders": TopicId(known, known)})
    other = NO_MAPS.with_topic_ids("standby", {"orders": TopicId(own, known)})

    def closest(its: VirtualClusterSpec, maps: PositionMaps) -> list[type]:
        return [type(each) for each in Positions(lambda: 0.0).closest_to_the_cluster(its, maps)]

    assert closest(spec(), NO_MAPS) == closest(spec(), same) == []
    assert closest(spec(), other) == [TopicIds]
    assert closest(spec(remedies={"topic_ids": "off"}), other) == []
    assert TopicIds not in kinds(spec(), ONCE, other)


@pytest.mark.parametrize("positions", ["earliest", "latest", "refuse", "timestamp:2026-01-31T12:00:00Z"])
def test_beginnings_see_an_answer_before_offsets_are_translated(positions: str):
    assert kinds(spec(offsets="continuous", positions=positions), ONCE, DIFFERENT)[-2:] == [Continuous, Beginnings]


def test_the_same_question_gets_the_same_interceptors():
    positions = Positions(lambda: 0.0)
    first = positions.interceptors(spec(), "standby", ONCE, DIFFERENT)
    assert positions.interceptors(spec(), "standby", ONCE, DIFFERENT) is first
    assert positions.interceptors(spec(), "primary", 2, DIFFERENT) is not first


@pytest.mark.parametrize(
    "wrong",
    [
        {"positions": "sometime"},
        {"positions": "timestamp:yesterday"},
        {"positions": "timestamp:2026-01-31T12:00:00"},
        {"remedies": {"rejoin": "maybe"}},
        {"hold_fetch": {"up_to": 10}},
        {"hold_fetch": {"then": "drop"}},
        {"offsets": "continous"},
        {"offsets": "continuous", "replication": "none"},
        {"offsets": "continuous", "replication": "byte-preserving"},
        {"unproven": "guess"},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match="validation error"):
        spec(**wrong)


def test_yamls_on_and_off_are_understood():
    its = spec(remedies={"rejoin": False, "hold_fetch": True, "leader_epochs": "off"})
    assert (its.remedies.rejoin, its.remedies.hold_fetch, its.remedies.leader_epochs) == ("off", "on", "off")


@pytest.mark.parametrize(
    ("switches", "values", "expected"),
    [
        (1, {}, False),
        (2, {}, True),
        (2, {"producer_ids": "plain"}, False),
        (2, {"replication": "byte-preserving"}, False),
        (2, {"replication_by_standby": {"standby": "byte-preserving"}}, False),
    ],
)
def test_sequence_numbers_begin_anew_where_a_producer_can_have_come_back(
    switches: int, values: dict[str, Any], expected: bool
):
    """Where batches come over as they are, so do their producers, and a retry is known for what it is."""
    assert (Sequences in kinds(spec(**values), switches)) == expected
