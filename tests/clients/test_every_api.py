"""Every API that a broker offers, in its oldest and newest version, asked directly and through the gateway: the same
answer, but for addresses."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import pytest
from aiokafka.protocol import produce as aiokafka_produce
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from kio.schema.errors import ErrorCode

from appliance.exchange.retired import RETIRED
from appliance.harness import BlockingCluster
from appliance.wire.apis import KEYS, NAMES, Api, known_versions
from appliance.wire.codec import decode, encode, request_type, response_type
from appliance.wire.errors import Malformed
from tests.clients.asking import Place, ask
from tests.clients.conftest import RunningGateway

pytestmark = pytest.mark.kafka
NODE = 1
"""The node that is asked, at its own address and at its door."""

VOLATILE = frozenset(
    {"throttle_time", "member_id", "producer_id", "base_offset", "log_append_time", "session_id", "controller_id"}
    | {"client_instance_id", "subscription_id"}  # KIP-714 makes them up
)
"""Fields that differ from one question to the next, whoever is asked."""
SIZES = frozenset({"usable_bytes", "total_bytes", "size", "end_offset", "log_end_offset", "high_watermark"})
CLOCKS = frozenset({"last_fetch_timestamp", "last_caught_up_timestamp", "last_timestamp", "finalized_features_epoch"})
"""The last one is an offset in the log of the controllers, who write to it twice a second also when nothing happens."""

REFUSED_HERE: Mapping[int, int] = {Api.SASL_HANDSHAKE: 1}
"""API -> the oldest version that passes, where the gateway answers older ones itself (see test_bare_sasl)."""

CHANGING = frozenset(
    {
        *(
            "CreateTopics",
            "DeleteTopics",
            "DeleteRecords",
            "CreatePartitions",
            "AlterConfigs",
            "IncrementalAlterConfigs",
        ),
        *("AlterReplicaLogDirs", "AlterPartitionReassignments", "ElectLeaders", "OffsetDelete", "DeleteGroups"),
        *("AlterClientQuotas", "AlterUserScramCredentials", "UpdateFeatures", "UnregisterBroker", "CreateAcls"),
        *("DeleteAcls", "WriteTxnMarkers", "AddRaftVoter", "RemoveRaftVoter", "InitializeShareGroupState"),
        *("WriteShareGroupState", "DeleteShareGroupState", "AlterShareGroupOffsets", "DeleteShareGroupOffsets"),
        *("JoinGroup", "SyncGroup", "LeaveGroup", "AddPartitionsToTxn", "AddOffsetsToTxn", "EndTxn", "TxnOffsetCommit"),
        *("ShareFetch", "ShareAcknowledge", "OffsetCommit"),
    }
)
"""APIs that are only asked about what does not exist: about a real topic the second answer would differ from the
first."""


class Offer(NamedTuple):
    """What the broker offers, of an API that kio knows."""

    api_key: int
    oldest: int
    newest: int


def simplest(kind: Any, names: Mapping[str, Any]) -> Any:
    """Return a message with one element in each array, the given values by field name, and otherwise nothing."""
    values = {}
    for each in fields(kind):
        if each.name in names and "tag" not in each.metadata and _fits(each, names[each.name]):
            values[each.name] = _fitting(each, names[each.name])
        elif each.default is not MISSING and "tag" in each.metadata:
            values[each.name] = each.default
        else:
            values[each.name] = _simplest(each, each.type, names)
    return kind(**values)


def _fits(source: Any, value: Any) -> bool:
    # A name of a topic is none of a struct that happens to be called like the field that carries it.
    return value is None or value == () or is_dataclass(value) or not _holds_structs(source.type)


def _fitting(source: Any, value: Any) -> Any:
    # The same name stands for an array in one API and for one value in another.
    _, declared = _unwrapped(source.type)
    one = value is not None and not isinstance(value, tuple)
    return (value,) if one and get_origin(declared) is tuple else value


def _unwrapped(declared: Any) -> tuple[bool, Any]:
    """Return whether a field may be null, and what it is otherwise."""
    if get_origin(declared) in (UnionType, Union):
        (inner,) = (each for each in get_args(declared) if each is not NoneType)
        return True, inner
    return False, declared


def _holds_structs(declared: Any) -> bool:
    _, inner = _unwrapped(declared)
    return is_dataclass(get_args(inner)[0] if get_origin(inner) is tuple else inner)


def _simplest(source: Any, declared: Any, names: Mapping[str, Any]) -> Any:
    nullable, declared = _unwrapped(declared)
    if nullable and get_origin(declared) is not tuple:
        return None
    if get_origin(declared) is tuple:
        return (_simplest(source, get_args(declared)[0], names),)
    if is_dataclass(declared):
        return simplest(declared, names)
    return _VALUES[source.metadata["kafka_type"]]()


_VALUES: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint16", "uint32"), int),
    "string": lambda: "no-such-thing",
    "bytes": bytes,
    "records": bytes,
    "bool": bool,
    "float64": float,
    "uuid": lambda: None,
    "error_code": lambda: ErrorCode.none,
    "timedelta_i32": lambda: datetime.timedelta(seconds=5),
    "timedelta_i64": lambda: datetime.timedelta(seconds=5),
    "datetime_i64": lambda: datetime.datetime.fromtimestamp(1, datetime.UTC),
}


def comparable(value: Any, name: str = "") -> Any:
    """Return an answer without what differs from one question to the next; addresses and the order of arrays are
    left out, not whether they are there."""
    if name in VOLATILE | SIZES | CLOCKS:
        return name
    if is_dataclass(value):
        return {
            each.name: _address(each.name, value) or comparable(getattr(value, each.name), each.name)
            for each in fields(value)
        }
    if isinstance(value, tuple):
        return sorted((comparable(each, name) for each in value), key=repr)
    return value


def _address(name: str, struct: Any) -> str | None:
    return name if name in ("host", "port") and hasattr(struct, "host") and hasattr(struct, "port") else None


def addresses(value: Any) -> Iterator[Place]:
    """Yield all addresses in an answer."""
    if is_dataclass(value):
        if hasattr(value, "host") and hasattr(value, "port") and value.host:
            yield Place(value.host, value.port)
        for each in fields(value):
            yield from addresses(getattr(value, each.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from addresses(each)


@pytest.fixture(scope="module")
def direct(three_brokers: BlockingCluster) -> Place:
    """The node's own address."""
    host, _, port = three_brokers.brokers[NODE].address.rpartition(":")
    return Place(host, int(port))


@pytest.fixture(scope="module")
def door(gateway: RunningGateway) -> Place:
    """The node's door."""
    host, _, port = gateway.bootstrap.rpartition(":")
    return Place(host, int(port) + 1 + NODE)


@pytest.fixture(scope="module")
def offers(direct: Place) -> Mapping[int, Offer]:
    """What the broker offers and kio knows."""
    body = ask(direct, Api.API_VERSIONS, 0, b"")
    assert body is not None
    found = {}
    for each in decode(response_type(Api.API_VERSIONS, 0), body).api_keys:
        known = known_versions(each.api_key)
        assert known is not None, f"the broker offers API {each.api_key}, which kio does not know"
        oldest = max(each.min_version, known[0], REFUSED_HERE.get(each.api_key, 0))
        found[each.api_key] = Offer(each.api_key, oldest, min(each.max_version, known[1]))
    return found


@pytest.fixture(scope="module")
def real_names(three_brokers: BlockingCluster, direct: Place) -> Mapping[str, Any]:
    """Names of a topic that is there, and of a partition that the node leads, as values of the fields that carry
    them."""
    three_brokers.create_topic("every-api", 6)
    question = simplest(request_type(Api.METADATA, 12), {"topic_id": None, "name": "every-api"})
    body = ask(direct, Api.METADATA, 12, encode(question))
    assert body is not None
    (topic,) = decode(response_type(Api.METADATA, 12), body).topics
    led = next(each.partition_index for each in topic.partitions if each.leader_id == NODE)
    return {
        **dict.fromkeys(("name", "topic", "topic_name", "topic_names", "resource_name"), "every-api"),
        **dict.fromkeys(("partition", "partitions", "index", "partition_index", "partition_indexes"), led),
        "topic_id": topic.topic_id,
        "group_id": "group-of-every-api",
        "resource_type": 2,
        "partition_max_bytes": 1000,
        "max_bytes": 1000,
        "replica_id": -1,
        "current_leader_epoch": -1,
        "timestamp": -1,
        "acks": -1,
        "transactional_id": None,
        "configuration_keys": None,
        "records": one_record(),
    }


def one_record() -> bytes:
    batch = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1000)
    batch.append(0, 1, b"key", b"value", [])
    return bytes(batch.build())


def same_answers(
    direct: Place, door: Place, api_key: int, version: int, question: Any, gateway: RunningGateway
) -> None:
    body = encode(question)
    told, heard = ask(direct, api_key, version, body), ask(door, api_key, version, body)
    kind = response_type(api_key, version)
    if told is None or heard is None:
        assert (told, heard) == (None, None), "one was answered, the other's connection was closed"
        return
    try:
        first, second = decode(kind, told), decode(kind, heard)
        if getattr(first, "error_code", None) is ErrorCode.coordinator_load_in_progress:
            # The cluster is only now making the topic that it keeps transactions in: both are asked again.
            same_answers(direct, door, api_key, version, question, gateway)
            return
    except Malformed:  # kio does not read what some brokers say: -1 where there is no time
        assert heard == told
        return
    assert comparable(second) == comparable(first)
    assert {port for _, port in addresses(second)} <= gateway.ports | {0, -1}


KNOWN = {key: Offer(key, *(known_versions(key) or (0, 0))) for key in NAMES}
"""Versions for what the broker does not offer: it ends the connection, or answers all the same."""
NOTHING: Mapping[str, Any] = {"replica_id": -1}


@pytest.mark.parametrize("api", [NAMES[key] for key in sorted(NAMES)])
@pytest.mark.parametrize("age", ["oldest", "newest"])
def test_a_question_about_what_does_not_exist_gets_the_same_answer(
    api: str, age: str, direct: Place, door: Place, offers: Mapping[int, Offer], gateway: RunningGateway
):
    key = KEYS[api]
    version = getattr(offers.get(key, KNOWN[key]), age)
    same_answers(direct, door, key, version, simplest(request_type(key, version), NOTHING), gateway)


@pytest.mark.parametrize("api", [NAMES[key] for key in sorted(NAMES) if NAMES[key] not in CHANGING])
@pytest.mark.parametrize("age", ["oldest", "newest"])
def test_a_question_about_a_real_topic_gets_the_same_answer(
    api: str,
    age: str,
    direct: Place,
    door: Place,
    offers: Mapping[int, Offer],
    gateway: RunningGateway,
    real_names: Mapping[str, Any],
):
    key = KEYS[api]
    version = getattr(offers.get(key, KNOWN[key]), age)
    same_answers(direct, door, key, version, simplest(request_type(key, version), real_names), gateway)


@pytest.mark.parametrize("version", RETIRED)
def test_who_writes_as_before_kafka_0_11_is_told_why_it_does_not_work(version: int, direct: Place, door: Place):
    question = getattr(aiokafka_produce, f"ProduceRequest_v{version}")
    body = question(required_acks=-1, timeout=1000, topics=[("orders", [(0, b"")])]).encode()
    assert ask(direct, Api.PRODUCE, version, body) is None, "the broker just closes the connection"
    answer = ask(door, Api.PRODUCE, version, body)
    assert answer is not None
    ((topic, ((partition, error, *_),)),) = (
        getattr(aiokafka_produce, f"ProduceResponse_v{version}").decode(answer).topics
    )
    assert (topic, partition, error) == ("orders", 0, ErrorCode.unsupported_version.value)
