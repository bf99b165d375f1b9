"""No client ever sees a real address: every answer that names nodes, in every version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.exchange.addresses import CARRIERS, Rewritten, carries_addresses, rewrite
from appliance.exchange.topology import Knowledge, Node
from appliance.wire.apis import NAMES, Api, known_versions, understood
from appliance.wire.codec import decode, encode, response_type
from appliance.wire.editing import spliced, varint
from appliance.wire.errors import Malformed
from appliance.wire.walk import tag_head, walk_of
from tests.exchange.shell import advertise
from tests.wire.messages import APIS, UNKNOWN_TAGS, Written, generated, kinds_of, leaf_paths

CARRIED = [
    (api_key, version)
    for api_key in CARRIERS
    for version in range((known_versions(api_key) or (0, 0))[0], (known_versions(api_key) or (0, 0))[1] + 1)
    if carries_addresses(api_key, version)
]


def _each(kinds: list[tuple[int, int]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("api_key", "version"), kinds, ids=[f"{NAMES[key]}-{v}" for key, v in kinds])


carriers = _each(CARRIED)
teachers = _each([kind for kind in CARRIED if kind[0] != Api.DESCRIBE_QUORUM])
"""DescribeQuorum teaches nothing: its listeners may be controllers'."""

Change = Callable[[Any, int], Any]
"""From a struct that has a host, and its node's id, to another."""


def with_nodes(message: Any, change: Change, node_id: int = -1) -> Any:
    """Return the message with every struct that names a host changed."""
    values = {each.name: getattr(message, each.name) for each in fields(message)}
    node_id = next((values[name] for name in ("node_id", "broker_id") if name in values), node_id)
    for name, value in values.items():
        if isinstance(value, tuple):
            values[name] = tuple(with_nodes(each, change, node_id) if is_dataclass(each) else each for each in value)
        elif is_dataclass(value) and not isinstance(value, type):
            values[name] = with_nodes(value, change, node_id)
    same = replace(message, **values)
    return change(same, node_id) if "host" in values and "port" in values else same


def real(struct: Any, _: int) -> Any:
    """Give a node an id and an address that can be recognised."""
    place = {"host": f"real-{abs(struct.port) % 50}.internal", "port": 9092 + abs(struct.port) % 50}
    ids = {name: abs(struct.port) % 50 for name in ("node_id", "broker_id") if hasattr(struct, name)}
    return replace(struct, **place, **ids)


def through_the_gateway(struct: Any, node_id: int) -> Any:
    host, port = advertise(node_id)
    return replace(struct, host=host, port=port)


def example(api_key: int, version: int, seed: int, *, full: bool = False) -> Any:
    message = generated(response_type(api_key, version), Random(seed), full=full)
    if hasattr(message, "endpoint_type"):
        message = replace(message, endpoint_type=1)
    return with_nodes(message, real)


def rewritten(api_key: int, version: int, body: bytes, knowledge: Knowledge) -> tuple[bytes, Rewritten]:
    result = rewrite(api_key, version, b"head" + body + b"tail", 4, 4 + len(body), knowledge, advertise)
    return spliced(b"head" + body + b"tail", 4, 4 + len(body), result.edits), result


@carriers
def test_only_the_addresses_change_and_none_is_left(api_key: int, version: int):
    for seed in range(4):
        message = example(api_key, version, seed, full=seed == 0)
        knowledge = Knowledge("primary")
        if api_key == Api.DESCRIBE_QUORUM:
            # A controller's address is of no use to a client; a broker's is its door.
            knowledge.learn_nodes(Node(each.node_id, "real", 1) for each in message.nodes)
        expected = with_nodes(message, through_the_gateway)
        out, _ = rewritten(api_key, version, encode(message), knowledge)
        assert decode(type(message), out) == expected
        assert b".internal" not in out
        tags = UNKNOWN_TAGS if message.__flexible__ else ()
        out, _ = rewritten(api_key, version, Written(message, tags).bytes, knowledge)
        assert out == Written(expected, tags).bytes


@teachers
def test_nodes_are_learned_and_news_only_once(api_key: int, version: int):
    message = example(api_key, version, 0, full=True)
    knowledge, expected = Knowledge("primary"), {}

    def note(struct: Any, node_id: int) -> Any:
        expected[node_id] = (struct.host, struct.port)
        return struct

    with_nodes(message, note)
    assert rewritten(api_key, version, encode(message), knowledge)[1].news is True
    assert knowledge.nodes == expected
    assert rewritten(api_key, version, encode(message), knowledge)[1].news is False


@teachers
def test_a_node_that_moved_is_news(api_key: int, version: int):
    message = example(api_key, version, 0, full=True)
    knowledge = Knowledge("primary")
    rewritten(api_key, version, encode(message), knowledge)
    moved = with_nodes(message, lambda struct, _: replace(struct, port=struct.port + 1))
    assert rewritten(api_key, version, encode(moved), knowledge)[1].news is True


@carriers
def test_an_answer_that_breaks_off_or_is_broken_is_malformed_at_worst(api_key: int, version: int):
    random = Random(version)
    body = encode(example(api_key, version, 0))
    for end in range(len(body)):
        assert_only_malformed(api_key, version, body[:end])
    for _ in range(30):
        broken = bytearray(body)
        for _ in range(3):
            broken[random.randrange(len(broken))] = random.choice((0, 0x7F, 0x80, 0xFF, random.randrange(256)))
        assert_only_malformed(api_key, version, bytes(broken))


@_each([kind for kind in CARRIED if kind[0] in (Api.PRODUCE, Api.FETCH)])
def test_a_tagged_field_that_ends_before_what_it_holds_is_malformed(api_key: int, version: int):
    body = encode(example(api_key, version, 0, full=True))
    wanted = ("node_endpoints", "node_endpoints.port")
    (_, first, behind), *ports = walk_of(api_key, version, "response", wanted).places(body, 0, len(body))
    tag, _, _ = tag_head(body, first, behind)
    for size in range(ports[-1].end - behind):
        broken = body[:first] + varint(tag) + varint(size) + body[behind:]
        with pytest.raises(Malformed, match=f"within the {size} bytes"):
            rewritten(api_key, version, broken, Knowledge("primary"))


def assert_only_malformed(api_key: int, version: int, body: bytes) -> None:
    try:
        out, _ = rewritten(api_key, version, body, Knowledge("primary"))
    except Malformed:
        return
    assert out is not None


def test_there_is_no_other_answer_of_kafka_with_addresses_of_brokers():
    naming = {
        kind.api
        for api in APIS
        for kind in kinds_of(api)
        if kind.direction == "response"
        and (paths := set(leaf_paths(kind.type)))
        and any(path.endswith("host") and path[: -len("host")] + "port" in paths for path in paths)
        and not carries_addresses(kind.key, kind.version)
    }
    controllers = {"BeginQuorumEpoch", "EndQuorumEpoch", "FetchSnapshot", "UpdateRaftVoter", "Vote"}
    the_applications_own = {"StreamsGroupDescribe", "StreamsGroupHeartbeat"}
    assert naming == controllers | the_applications_own


@pytest.mark.parametrize("version", range(7))
def test_an_answer_without_a_coordinator_is_left_alone(version: int):
    message = generated(response_type(Api.FIND_COORDINATOR, version), Random(1), full=True)
    nowhere = with_nodes(message, lambda struct, _: replace(struct, node_id=-1, host="", port=-1))
    knowledge = Knowledge("primary")
    body = encode(nowhere)
    assert rewritten(Api.FIND_COORDINATOR, version, body, knowledge) == (body, Rewritten([], news=False))
    assert knowledge.nodes == {}


@pytest.mark.parametrize("version", [1, 2])
def test_controllers_in_describe_cluster_are_left_alone(version: int):
    message = replace(example(Api.DESCRIBE_CLUSTER, version, 0, full=True), endpoint_type=2)
    knowledge = Knowledge("primary")
    body = encode(message)
    assert rewritten(Api.DESCRIBE_CLUSTER, version, body, knowledge) == (body, Rewritten([], news=False))
    assert knowledge.nodes == {}


def test_controllers_in_describe_quorum_are_shown_at_the_bootstrap_address():
    message = example(Api.DESCRIBE_QUORUM, 2, 0, full=True)
    broker, controller = (replace(node, node_id=number) for number, node in enumerate(message.nodes))
    message = replace(message, nodes=(broker, controller))
    knowledge = Knowledge("primary")
    knowledge.learn_nodes([Node(0, "real", 9092)])
    out, result = rewritten(Api.DESCRIBE_QUORUM, 2, encode(message), knowledge)
    shown = decode(type(message), out)
    assert {(each.host, each.port) for each in shown.nodes[0].listeners} == {("gateway.example", 20_000)}
    assert {(each.host, each.port) for each in shown.nodes[1].listeners} == {("gateway.example", 9092)}
    assert (result.news, dict(knowledge.nodes)) == (False, {0: ("real", 9092)})


@pytest.mark.parametrize("version", range(2, 14))
def test_metadata_teaches_the_clusters_id(version: int):
    knowledge = Knowledge("primary")
    message = replace(example(Api.METADATA, version, 0), cluster_id="cluster-a")
    rewritten(Api.METADATA, version, encode(message), knowledge)
    assert knowledge.cluster_id == "cluster-a"
    rewritten(Api.METADATA, version, encode(replace(message, cluster_id=None)), knowledge)
    assert knowledge.cluster_id == "cluster-a"


@pytest.mark.parametrize("version", range(10, 14))
def test_metadata_teaches_topic_ids(version: int):
    knowledge = Knowledge("primary")
    message = example(Api.METADATA, version, 0, full=True)
    orders, payments = message.topics
    ids = UUID(int=1), UUID(int=2)
    topics = replace(orders, name="orders", topic_id=ids[0]), replace(payments, name="payments", topic_id=ids[1])
    rewritten(Api.METADATA, version, encode(replace(message, topics=topics)), knowledge)
    assert [knowledge.topic_name(each.bytes) for each in ids] == ["orders", "payments"]
    assert knowledge.topic_name(UUID(int=3).bytes) is None


@pytest.mark.parametrize("version", range(10, 14))
def test_a_topic_that_does_not_exist_teaches_nothing(version: int):
    knowledge = Knowledge("primary")
    message = example(Api.METADATA, version, 0, full=True)
    known, gone, unknown = UUID(int=1), UUID(int=2), None
    knowledge.learn_topic(known.bytes, "orders")
    # Asked for by an id that is gone there is no name; asked for by a name that is unknown there is no id.
    nameless = None if version >= 12 else ""
    topics = tuple(
        replace(message.topics[0], name=name, topic_id=topic_id)
        for name, topic_id in ((nameless, known), (nameless, gone), ("typo", unknown))
    )
    rewritten(Api.METADATA, version, encode(replace(message, topics=topics)), knowledge)
    assert knowledge.topic_name(known.bytes) == "orders"
    assert knowledge.topic_name(gone.bytes) is None
    assert knowledge.topic_name(bytes(16)) is None


def test_what_has_no_layout_is_malformed_not_passed():
    assert carries_addresses(Api.METADATA, 99)
    assert not understood(Api.METADATA, 99)
    with pytest.raises(Malformed, match="no layout for the nodes"):
        rewrite(Api.METADATA, 99, b"", 0, 0, Knowledge("primary"), advertise)


@settings(deadline=None, max_examples=40)
@given(
    host=st.text(min_size=1, max_size=200),
    node_id=st.integers(0, 2**31 - 1),
    port=st.integers(0, 65535),
    advertised=st.tuples(st.text(min_size=1, max_size=200), st.integers(1, 65535)),
)
def test_names_of_any_length_take_each_others_place(host: str, node_id: int, port: int, advertised: tuple[str, int]):
    for version in (2, 3, 6):
        message = example(Api.FIND_COORDINATOR, version, 0, full=True)
        moved = with_nodes(message, lambda struct, _: replace(struct, node_id=node_id, host=host, port=port))
        body = encode(moved)
        result = rewrite(Api.FIND_COORDINATOR, version, body, 0, len(body), Knowledge("a"), lambda _: advertised)
        shown = decode(type(message), spliced(body, 0, len(body), result.edits))
        assert shown == with_nodes(moved, lambda struct, _: replace(struct, host=advertised[0], port=advertised[1]))


def hosts(message: Any) -> Iterator[str]:
    found: list[str] = []

    def note(struct: Any, _: int) -> Any:
        found.append(struct.host)
        return struct

    with_nodes(message, note)
    yield from found


def test_the_examples_name_nodes_at_all():
    for api_key, version in CARRIED:
        assert all(host.endswith(".internal") for host in hosts(example(api_key, version, 0, full=True)))
        assert list(hosts(example(api_key, version, 0, full=True)))
