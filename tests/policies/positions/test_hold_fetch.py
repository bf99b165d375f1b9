"""Fetch of members waits until their group has looked at its offsets; everybody else's goes on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import AskAgain, Reply, RequestVerdict
from appliance.exchange.message import Answer, Peer, Question
from appliance.policies.positions.hold_fetch import HoldFetch, Holding
from appliance.policies.positions.members import FORGOTTEN_AFTER, Instance, Members, News
from appliance.policies.positions.membership import Membership
from appliance.wire.codec import decode, encode
from tests.policies.positions.messages import message, question
from tests.wire.messages import Kind, generated, kinds_of

LIMIT = 10.0
HOST = "10.0.0.9"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """A virtual cluster's memory, before and after a switch from primary to standby."""

    clock: Clock = field(default_factory=Clock)
    members: Members = field(default_factory=Members)
    then: Any = "error"

    def __post_init__(self) -> None:
        self.holding = Holding(self.members)
        self.serving, self.switches = "primary", 0
        self._make()

    def _make(self) -> None:
        switched = self.switches > 0
        self.membership = Membership(self.members, self.serving, self.clock, switched=switched)
        self.hold = HoldFetch(self.holding, self.serving, self.clock, limit=LIMIT, then=self.then)

    def switch(self, to: str = "standby") -> None:
        self.switches += 1
        self.serving = to
        self.members.switched(self.switches, self.clock.now)
        self._make()

    def says(
        self, api: str, version: int, *, port: int = 1, error: ErrorCode = ErrorCode.none, client: str = "app",
        cluster: str | None = None, host: str = HOST, **values: Any,
    ) -> None:  # fmt: skip
        """Let a client say something to its coordinator and hear the answer."""
        kind = Kind(api, version, "request")
        entity = replace(generated(kind.type, Random(1), full=True), **values)
        its = question(kind, encode(entity), cluster=cluster or self.serving, peer=Peer(host, port), client_id=client)
        assert self.membership.on_request(its) is None
        if self.membership.wants_response(kind.key, version):
            answer = with_error(kind._replace(direction="response"), error)
            assert self.membership.on_response(Answer(its, answer)) is None

    def beats(self, member: str = "m1", *, group: str = "g", **options: Any) -> None:
        self.says("Heartbeat", 4, group_id=group, member_id=member, **options)

    def looks(self, *, group: str = "g", version: int = 8, **options: Any) -> None:
        kind = Kind("OffsetFetch", version, "request")
        if version < 8:
            self.says("OffsetFetch", version, group_id=group, **options)
            return
        element = generated(kind.type, Random(1), full=True).groups[0]
        self.says("OffsetFetch", version, groups=(replace(element, group_id=group),), **options)

    def fetch(
        self, *, version: int = 12, client: str = "app", cluster: str | None = None, host: str = HOST, **values: Any
    ) -> Question:
        kind = Kind("Fetch", version, "request")
        plain = {"session_id": 0, "session_epoch": -1} if version >= 7 else {}
        entity = replace(message(kind, 1), **{**plain, **values})
        body = bytearray(encode(entity))
        its = question(kind, bytes(body), cluster=cluster or self.serving, client_id=client, peer=Peer(host, 77))
        wait = 4 if version <= 14 else 0
        its.body = bytes(body[:wait]) + (500).to_bytes(4, "big") + bytes(body[wait + 4 :])
        return its

    def is_held(self, **options: Any) -> bool:
        return isinstance(self.hold.on_request(self.fetch(**options)), AskAgain)


def with_error(kind: Kind, error: ErrorCode) -> bytes:
    def fitting(entity: Any) -> Any:
        changes: dict[str, Any] = {}
        for name in entity.__dataclass_fields__:
            value = getattr(entity, name)
            if name == "error_code":
                changes[name] = error
            elif isinstance(value, tuple) and value and hasattr(value[0], "__dataclass_fields__"):
                changes[name] = tuple(fitting(each) for each in value)
        return replace(entity, **changes)

    return encode(fitting(generated(kind.type, Random(2), full=True)))


def member() -> World:
    """Return a world in which `app` was a member of `g`, and that was switched."""
    world = World()
    world.beats()
    world.switch()
    return world


# -- who is held


def test_before_a_switch_nobody_is():
    world = World()
    world.beats()
    assert not world.is_held()


def test_a_member_is_until_its_group_has_been_given_offsets_by_the_new_side():
    world = member()
    assert world.is_held()
    world.looks()
    assert not world.is_held()


@pytest.mark.parametrize("version", range(1, 11))
def test_any_version_of_offset_fetch_will_do(version: int):
    world = member()
    world.looks(version=version)
    assert not world.is_held()


def test_a_client_without_a_group_is_not():
    world = member()
    assert not world.is_held(client="reader")
    assert not world.is_held(host="10.0.0.10"), "the same client id on another host is another client"


def test_a_client_that_joins_after_the_switch_is_not():
    world = member()
    world.beats(client="new")
    assert not world.is_held(client="new")


def test_a_connection_to_the_old_side_reads_on_there():
    world = member()
    assert not world.is_held(cluster="primary")


def test_a_look_at_another_groups_offsets_does_not_count():
    world = member()
    world.looks(group="another")
    assert world.is_held()


def test_nor_does_one_at_the_old_side_or_one_that_met_an_error():
    world = member()
    world.looks(cluster="primary")
    world.looks(error=ErrorCode.coordinator_load_in_progress)
    assert world.is_held()


def test_members_that_share_client_id_and_host_each_owe_a_look():
    world = World()
    world.beats("m1")
    world.beats("m2")
    world.switch()
    world.looks(port=1)
    world.looks(port=1)
    assert world.is_held(), "two looks over one connection are one member's"
    world.looks(port=2)
    assert not world.is_held()


def test_a_member_that_is_given_no_partitions_does_not_look_but_beats():
    world = member()
    world.beats("m1", error=ErrorCode.unknown_member_id)
    assert world.is_held()
    world.beats("m1-anew")
    assert not world.is_held()


def test_who_left_before_the_switch_is_not_held():
    world = World()
    world.beats("m1")
    element = generated(Kind("LeaveGroup", 4, "request").type, Random(1), full=True).members[0]
    world.says("LeaveGroup", 4, group_id="g", members=(replace(element, member_id="m1"),))
    world.beats("m2", client="other")
    world.says("LeaveGroup", 2, group_id="g", member_id="m2", client="other")
    world.switch()
    assert not world.is_held()
    assert not world.is_held(client="other")


new_protocols = pytest.mark.parametrize(
    ("api", "version"), [("ConsumerGroupHeartbeat", 1), ("StreamsGroupHeartbeat", 0)]
)


@new_protocols
@pytest.mark.parametrize("epoch", [-1, -2])
def test_nor_is_a_member_of_a_new_protocol_that_left(api: str, version: int, epoch: int):
    world = World()
    beat: dict[str, Any] = {"group_id": "g", "member_id": "m1"}
    world.says(api, version, member_epoch=3, **beat)
    world.says(api, version, member_epoch=epoch, **beat)
    world.switch()
    assert not world.is_held()


@new_protocols
def test_a_member_of_a_new_protocol_is_ready_when_it_beats_as_one_that_has_joined(api: str, version: int):
    world = World()
    beat: dict[str, Any] = {"group_id": "g", "member_id": "m1"}
    world.says(api, version, member_epoch=3, **beat)
    world.switch()
    world.says(api, version, member_epoch=0, **beat)
    assert world.is_held(), "it has not been given anything yet"
    world.says(api, version, member_epoch=1, **beat)
    assert not world.is_held()


def test_who_has_not_been_heard_of_for_longer_than_any_session_is_no_member():
    world = World()
    world.beats()
    world.clock.now += FORGOTTEN_AFTER + 1
    world.switch()
    assert not world.is_held()


def test_the_way_back_is_a_switch_like_any_other():
    world = member()
    world.beats("m1", error=ErrorCode.unknown_member_id)
    world.looks()
    world.beats("m2")
    world.switch("primary")
    assert world.is_held()
    world.looks()
    assert not world.is_held(), "the member that was refused on the standby is not waited for"


def test_who_was_not_ready_when_the_next_switch_came_is_still_held():
    world = member()
    world.switch("primary")
    assert world.is_held()


# -- how it is held


def ask_until_answered(world: World, its: Question) -> tuple[float, RequestVerdict]:
    started = world.clock.now
    while isinstance(verdict := world.hold.on_request(its), AskAgain):
        assert 0 < verdict.seconds <= 0.5
        world.clock.now += verdict.seconds
    return world.clock.now - started, verdict


@pytest.mark.parametrize("version", [kind.version for kind in kinds_of("Fetch") if kind.direction == "request"])
def test_it_finds_nothing_new_as_long_as_the_client_lets_a_broker_wait(version: int):
    world = member()
    its = world.fetch(version=version)
    request = decode(Kind("Fetch", version, "request").type, bytes(its.body))
    waited, verdict = ask_until_answered(world, its)
    assert waited == pytest.approx(0.5)
    assert isinstance(verdict, Reply)
    assert verdict.body is not None
    answer = decode(Kind("Fetch", version, "response").type, verdict.body)
    parts = [part for topic in answer.responses for part in topic.partitions]
    assert [part.partition_index for part in parts] == [p.partition for t in request.topics for p in t.partitions]
    assert {(part.error_code, part.high_watermark, bytes(part.records)) for part in parts} == {
        (ErrorCode.none, -1, b"")
    }


def test_within_a_session_the_answer_names_no_partition_and_keeps_the_session():
    world = member()
    _, verdict = ask_until_answered(world, world.fetch(session_id=55, session_epoch=3))
    assert isinstance(verdict, Reply)
    assert verdict.body is not None
    answer = decode(Kind("Fetch", 12, "response").type, verdict.body)
    assert (answer.session_id, answer.error_code, answer.responses) == (55, ErrorCode.none, ())


def test_it_goes_on_at_once_when_the_group_is_ready():
    world = member()
    its = world.fetch()
    assert isinstance(world.hold.on_request(its), AskAgain)
    world.looks()
    assert world.hold.on_request(its) is None


def test_status_says_who_is_held_for_which_groups_since_when():
    world = member()
    assert world.holding.held(world.clock.now) == []
    world.is_held()
    world.clock.now += 3
    world.is_held()
    (held,) = world.holding.held(world.clock.now)
    assert (held.client_id, held.host, held.groups, held.seconds) == ("app", HOST, {"g": 1}, 3)
    world.looks()
    assert world.holding.held(world.clock.now) == []


# -- how long


def test_after_the_limit_a_client_that_is_at_work_in_a_group_is_refused_and_held_again():
    world = member()
    world.is_held()
    world.beats("m1", error=ErrorCode.unknown_member_id)
    world.clock.now += LIMIT
    verdict = world.hold.on_request(world.fetch())
    assert isinstance(verdict, Reply)
    assert verdict.body is not None
    answer = decode(Kind("Fetch", 12, "response").type, verdict.body)
    assert {p.error_code for t in answer.responses for p in t.partitions} == {ErrorCode.not_leader_or_follower}
    assert world.is_held()


def test_within_a_session_the_refusal_ends_the_session():
    world = member()
    world.is_held()
    world.beats("m1", error=ErrorCode.unknown_member_id)
    world.clock.now += LIMIT
    verdict = world.hold.on_request(world.fetch(session_id=55, session_epoch=3))
    assert isinstance(verdict, Reply)
    assert verdict.body is not None
    answer = decode(Kind("Fetch", 12, "response").type, verdict.body)
    assert answer.error_code is ErrorCode.fetch_session_id_not_found


def test_one_of_which_no_member_was_heard_is_none_any_more_and_goes_on():
    world = member()
    world.is_held()
    world.clock.now += LIMIT
    assert world.hold.on_request(world.fetch()) is None
    assert world.holding.held(world.clock.now) == []


def test_where_it_is_declared_to_pass_it_goes_on_at_its_old_positions():
    world = World(then="pass")
    world.beats()
    world.switch()
    world.is_held()
    world.beats("m1", error=ErrorCode.unknown_member_id)
    world.clock.now += LIMIT
    assert world.hold.on_request(world.fetch()) is None


# -- what is listened to


def test_before_a_switch_only_members_own_requests_are_looked_into_and_no_answer():
    world = World()
    assert [key for key in range(100) if world.membership.wants_request(key, 0)] == [12, 13, 14, 68, 88]
    assert not any(world.membership.wants_response(key, 1) for key in range(100))


def test_client_ids_without_number_do_not_fill_the_memory():
    members = Members()
    for number in range(100_100):
        members.heard(Instance(f"client-{number}", HOST), "g", "m", 0.0)
    assert len(members._instances) == 100_000


# -- several processes


def neighbours() -> tuple[World, World, list[News]]:
    """Return two processes; what the first hears is told to the second, and kept."""
    told: list[News] = []
    here, there = World(), World()

    def tell(news: News) -> None:
        told.append(news)
        there.members.take(news, there.clock.now)

    here.members._tell = tell
    return here, there, told


def test_a_member_that_speaks_to_one_process_is_held_in_another_until_it_has_looked():
    here, there, told = neighbours()
    here.beats()
    for world in (here, there):
        world.switch()
    assert there.is_held()
    here.looks()
    assert not there.is_held()
    assert [each.what for each in told] == ["heard", "looked"]


def test_who_is_heard_by_one_process_is_not_silent_in_another():
    here, there, _ = neighbours()
    here.beats()
    for world in (here, there):
        world.switch()
    there.is_held()
    here.beats("m1", error=ErrorCode.unknown_member_id)
    there.clock.now += LIMIT
    assert isinstance(there.hold.on_request(there.fetch()), Reply)


def test_a_member_that_goes_on_speaking_is_news_now_and_then_and_so_is_its_leaving():
    here, _, told = neighbours()
    for _ in range(10):
        here.beats()
        here.clock.now += 3
    assert [each.what for each in told] == ["heard", "heard"]
    element = generated(Kind("LeaveGroup", 4, "request").type, Random(1), full=True).members[0]
    here.says("LeaveGroup", 4, group_id="g", members=(replace(element, member_id="m1"),))
    assert told[-1] == News("left", "app", HOST, "g", "m1")


def test_what_was_told_is_not_told_on():
    here, there, told = neighbours()
    there.members._tell = told.append
    here.beats()
    assert len(told) == 1
