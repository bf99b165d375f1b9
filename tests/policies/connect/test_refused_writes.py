"""Writes are refused in a way that every library takes for: send it again, in order."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import AskAgain, Close, Reply, RequestVerdict
from appliance.exchange.message import Question
from appliance.exchange.topology import Knowledge
from appliance.policies.connect.fence import OPEN, Fence, fence_interceptors
from appliance.policies.connect.refused_writes import ENDING_SECONDS, RefusedWrites
from appliance.wire.apis import Api, known_versions, name_of
from appliance.wire.codec import decode, encode, request_type, response_type
from tests.wire.messages import generated

WRITES = (Api.PRODUCE, Api.ADD_PARTITIONS_TO_TXN, Api.ADD_OFFSETS_TO_TXN, Api.END_TXN, Api.TXN_OFFSET_COMMIT)


def kinds() -> list[tuple[Api, int]]:
    found = []
    for api in WRITES:
        known = known_versions(api)
        assert known is not None
        found += [(api, version) for version in range(known[0], known[1] + 1)]
    return found


every_kind = pytest.mark.parametrize(
    ("api", "version"), kinds(), ids=[f"{name_of(api)}-{version}" for api, version in kinds()]
)


def request(api: Api, version: int, transactional_id: str | None = "shop-1", acks: int = -1) -> Any:
    message = generated(request_type(api, version), Random(version), full=True)
    names = message.__dataclass_fields__.keys()
    values: dict[str, Any] = {"acks": acks} if "acks" in names else {}
    for name in ("transactional_id", "v3_and_below_transactional_id"):
        if name in names:
            values[name] = transactional_id
    if "transactions" in names:
        values["transactions"] = tuple(
            replace(each, transactional_id=transactional_id) for each in message.transactions
        )
    return replace(message, **values)


def ask(refusing: RefusedWrites, api: Api, version: int, message: Any) -> RequestVerdict:
    assert refusing.wants_request(api, version)
    question = Question(api, version, 1, "writer", encode(message), Knowledge("primary"))
    while isinstance(verdict := refusing.on_request(question), AskAgain):
        pass
    return verdict


def codes(api: Api, version: int, verdict: RequestVerdict) -> set[ErrorCode]:
    """All error codes of an answer."""
    assert isinstance(verdict, Reply)
    assert verdict.body is not None
    found: set[ErrorCode] = set()

    def collect(value: Any) -> None:
        if isinstance(value, ErrorCode):
            found.add(value)
        elif isinstance(value, tuple):
            for each in value:
                collect(each)
        elif hasattr(value, "__dataclass_fields__"):
            for name in value.__dataclass_fields__:
                if not name.startswith("__"):
                    collect(getattr(value, name))

    collect(decode(response_type(api, version), verdict.body))
    return found


@every_kind
def test_every_write_gets_a_retriable_error_in_its_own_shape(api: Api, version: int):
    expected = ErrorCode.not_leader_or_follower if api is Api.PRODUCE else ErrorCode.coordinator_load_in_progress
    message = request(api, version, None if api is Api.PRODUCE else "shop-1")
    assert codes(api, version, ask(RefusedWrites(), api, version, message)) == {expected}


@pytest.mark.parametrize(
    ("version", "expected"), [(11, ErrorCode.not_leader_or_follower), (12, ErrorCode.request_timed_out)]
)
def test_a_produce_that_would_begin_a_transaction_is_to_come_again_without_asking_for_leaders(
    version: int, expected: ErrorCode
):
    message = request(Api.PRODUCE, version)
    assert codes(Api.PRODUCE, version, ask(RefusedWrites(), Api.PRODUCE, version, message)) == {expected}


def test_each_partition_of_a_produce_is_answered():
    message = request(Api.PRODUCE, 9)
    verdict = ask(RefusedWrites(), Api.PRODUCE, 9, message)
    assert isinstance(verdict, Reply)
    assert verdict.body is not None
    answer: Any = decode(response_type(Api.PRODUCE, 9), verdict.body)
    assert [(topic.name, [each.index for each in topic.partition_responses]) for topic in answer.responses] == [
        (topic.name, [each.index for each in topic.partition_data]) for topic in message.topic_data
    ]


def test_a_write_that_awaits_no_answer_loses_its_connection():
    verdict = ask(RefusedWrites(), Api.PRODUCE, 9, request(Api.PRODUCE, 9, acks=0))
    assert isinstance(verdict, Close)


def test_reads_are_none_of_its_business():
    refusing = RefusedWrites()
    assert not refusing.wants_request(Api.FETCH, 12)
    assert not refusing.wants_request(Api.INIT_PRODUCER_ID, 4)
    assert not refusing.wants_response(Api.PRODUCE, 9)


@every_kind
def test_a_transaction_that_is_open_may_go_on(api: Api, version: int):
    refusing = RefusedWrites(open_transactions=frozenset({"shop-1"}))
    assert ask(refusing, api, version, request(api, version)) is None
    if api is not Api.END_TXN:
        assert isinstance(ask(refusing, api, version, request(api, version, "shop-2")), Reply)


def test_a_request_of_several_transactions_is_no_client_s_and_may_not_pass():
    refusing = RefusedWrites(open_transactions=frozenset({"shop-1", "shop-2"}))
    both = [request(Api.ADD_PARTITIONS_TO_TXN, 5, name).transactions[0] for name in ("shop-1", "shop-2")]
    message = replace(request(Api.ADD_PARTITIONS_TO_TXN, 5), transactions=tuple(both))
    assert isinstance(ask(refusing, Api.ADD_PARTITIONS_TO_TXN, 5, message), Reply)


def test_what_ended_does_not_begin_again():
    refusing = RefusedWrites(open_transactions=frozenset({"shop-1"}))
    assert ask(refusing, Api.PRODUCE, 12, request(Api.PRODUCE, 12)) is None
    assert ask(refusing, Api.END_TXN, 5, request(Api.END_TXN, 5)) is None
    assert ask(refusing, Api.END_TXN, 5, request(Api.END_TXN, 5)) is None, "it may have to be asked twice"
    assert isinstance(ask(refusing, Api.PRODUCE, 12, request(Api.PRODUCE, 12)), Reply)
    assert isinstance(ask(refusing, Api.ADD_PARTITIONS_TO_TXN, 3, request(Api.ADD_PARTITIONS_TO_TXN, 3)), Reply)


def test_what_may_not_begin_waits_before_it_is_refused():
    refusing = RefusedWrites(open_transactions=frozenset())
    question = Question(Api.PRODUCE, 12, 1, "writer", encode(request(Api.PRODUCE, 12)), Knowledge("primary"))
    waited = 0.0
    while isinstance(verdict := refusing.on_request(question), AskAgain):
        waited += verdict.seconds
    assert waited == pytest.approx(ENDING_SECONDS)
    assert isinstance(verdict, Reply)
    assert isinstance(RefusedWrites().on_request(replace(question, memo={})), Reply), "where all are refused, at once"


def test_what_waits_goes_on_once_it_is_known_to_have_been_under_way():
    fence = Fence("ending", frozenset({"shop-2"}))
    its = fence_interceptors(fence)
    (refusing,) = its
    question = Question(Api.PRODUCE, 9, 1, "writer", encode(request(Api.PRODUCE, 9)), Knowledge("primary"))
    assert isinstance(refusing.on_request(question), AskAgain)
    assert fence_interceptors(Fence("ending", frozenset({"shop-1", "shop-2"})), (fence, its)) == its
    assert refusing.on_request(question) is None
    assert fence_interceptors(Fence("ending"), (fence, its)) != its, "which lets nothing go on"


def test_other_writes_flow_while_transactions_end():
    refusing = RefusedWrites(open_transactions=frozenset())
    assert ask(refusing, Api.PRODUCE, 9, request(Api.PRODUCE, 9, None)) is None
    assert ask(refusing, Api.PRODUCE, 9, request(Api.PRODUCE, 9, None, acks=0)) is None


def test_a_version_from_the_future_is_not_let_through():
    question = Question(Api.PRODUCE, 99, 1, "writer", b"", Knowledge("primary"))
    assert isinstance(RefusedWrites().on_request(question), Close)


def test_a_fence_that_is_open_or_holds_puts_nothing_into_the_chain():
    assert fence_interceptors(OPEN) == fence_interceptors(Fence("held")) == ()
    assert len(fence_interceptors(Fence("ending"))) == len(fence_interceptors(Fence("refused"))) == 1
