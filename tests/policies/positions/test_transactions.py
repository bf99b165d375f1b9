"""A transactional producer of the old side begins again, and nothing of its transaction reaches the new side."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Close, Instead, Replace, Reply, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.policies.connect.answered_writes import answer_to
from appliance.policies.positions.transactional_ids import TransactionalIds
from appliance.policies.positions.transactions import Transactions
from appliance.wire.apis import Api
from appliance.wire.codec import decode, encode, request_type, response_type
from tests.policies.positions.messages import question
from tests.wire.messages import Kind, generated, kinds_of

WRITES = ("Produce", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn")
LEFT, NEW = "shop-1", "shop-2"


def asking_kinds(api: str) -> tuple[Kind, ...]:
    return kinds_of(api)[::2]


every_write = pytest.mark.parametrize("kind", [kind for api in WRITES for kind in asking_kinds(api)], ids=str)
older_ends = pytest.mark.parametrize("kind", [kind for kind in asking_kinds("EndTxn") if kind.version < 5], ids=str)
every_init = pytest.mark.parametrize("kind", asking_kinds("InitProducerId"), ids=str)


def after_a_switch() -> tuple[TransactionalIds, Transactions]:
    ids = TransactionalIds()
    ids.born(LEFT, 45_000)
    ids.switched(1)
    return ids, Transactions(ids, "standby", after_switch=True)


def request(kind: Kind, transactional_id: str | None = LEFT, **values: Any) -> Any:
    message = generated(kind.type, Random(1), full=True)
    names = message.__dataclass_fields__.keys()
    values["v3_and_below_transactional_id" if "v3_and_below_transactional_id" in names else "transactional_id"] = (
        transactional_id
    )
    if "acks" in names:
        values.setdefault("acks", -1)
    if "transactions" in names:
        values = {
            "transactions": tuple(replace(each, transactional_id=transactional_id) for each in message.transactions[:1])
        }
    return replace(message, **values)


def asked(
    its: Transactions, kind: Kind, message: Any, cluster: str = "standby", client_id: str = "shop"
) -> tuple[Question, RequestVerdict]:
    assert its.wants_request(kind.key, kind.version)
    asking = question(kind, encode(message), cluster=cluster, client_id=client_id)
    return asking, its.on_request(asking)


@every_write
def test_what_a_producer_that_was_left_behind_writes_is_answered_with_what_makes_it_abort(kind: Kind):
    _, its = after_a_switch()
    values: dict[str, Any] = {"committed": True} if kind.key == Api.END_TXN else {}
    asking, verdict = asked(its, kind, request(kind, **values))
    newer = kind.version >= {Api.PRODUCE: 12, Api.ADD_OFFSETS_TO_TXN: 99}.get(Api(kind.key), 5)
    code = ErrorCode.transaction_abortable if newer else ErrorCode.invalid_producer_id_mapping
    assert verdict == Reply(answer_to(asking, code))


@every_write
@pytest.mark.parametrize("commits", [True, False])
@pytest.mark.parametrize("client_id", ["app-5f-StreamThread-1-producer", "app-5f-StreamThread-12-0_3-producer"])
def test_a_producer_of_kafka_streams_is_fenced_and_makes_another(kind: Kind, commits: bool, client_id: str):
    _, its = after_a_switch()
    values: dict[str, Any] = {"committed": commits} if kind.key == Api.END_TXN else {}
    asking, verdict = asked(its, kind, request(kind, **values), client_id=client_id)
    assert verdict == Reply(answer_to(asking, ErrorCode.producer_fenced))


@every_write
@pytest.mark.parametrize(("who", "cluster"), [(NEW, "standby"), (LEFT, "primary")])
def test_others_and_those_on_old_connections_are_left_alone(kind: Kind, who: str, cluster: str):
    _, its = after_a_switch()
    assert asked(its, kind, request(kind, who), cluster)[1] is None


@pytest.mark.parametrize("kind", asking_kinds("Produce"), ids=str)
def test_records_without_a_transaction_pass(kind: Kind):
    assert asked(after_a_switch()[1], kind, request(kind, None))[1] is None


def test_a_write_that_awaits_no_answer_loses_its_connection():
    assert isinstance(
        asked(after_a_switch()[1], (kind := asking_kinds("Produce")[-1]), request(kind, acks=0))[1], Close
    )


@pytest.mark.parametrize("kind", asking_kinds("AddPartitionsToTxn"), ids=str)
def test_partitions_are_added_in_appearance(kind: Kind):
    _, its = after_a_switch()
    message = request(kind)
    asking, verdict = asked(its, kind, message)
    assert verdict == Reply(answer_to(asking, ErrorCode.none))
    assert isinstance(verdict, Reply)
    assert verdict.body is not None
    told: Any = decode(response_type(kind.key, kind.version), verdict.body)
    if kind.version < 4:
        topics, results = message.v3_and_below_topics, told.results_by_topic_v3_and_below
    else:
        (wanted,), (result,) = message.transactions, told.results_by_transaction
        assert (told.error_code, result.transactional_id) == (ErrorCode.none, LEFT)
        topics, results = wanted.topics, result.topic_results
    added = [(topic.name, partition, ErrorCode.none) for topic in topics for partition in topic.partitions]
    assert added == [
        (topic.name, each.partition_index, each.partition_error_code)
        for topic in results
        for each in topic.results_by_partition
    ]


@older_ends
def test_an_abort_of_the_older_kind_says_that_the_id_is_no_more(kind: Kind):
    asking, verdict = asked(after_a_switch()[1], kind, request(kind, committed=False))
    assert verdict == Reply(answer_to(asking, ErrorCode.invalid_producer_id_mapping))


def test_an_abort_of_the_newer_kind_brings_a_new_id():
    ids, its = after_a_switch()
    kind = asking_kinds("EndTxn")[-1]
    asking, verdict = asked(its, kind, request(kind, committed=False))
    assert isinstance(verdict, Instead)
    said: Any = decode(request_type(verdict.api_key, verdict.api_version), verdict.body)
    assert verdict.api_key == Api.INIT_PRODUCER_ID
    assert (said.transactional_id, said.producer_id, said.producer_epoch) == (LEFT, -1, -1)
    assert said.transaction_timeout == timedelta(seconds=45)

    def answered(code: ErrorCode) -> bytes:
        kind = response_type(verdict.api_key, verdict.api_version)
        return encode(kind(throttle_time=timedelta(), error_code=code, producer_id=7, producer_epoch=3))

    assert its.on_response(Answer(asking, answered(ErrorCode.concurrent_transactions))) is None
    assert ids.left_behind(LEFT) is not None, "it will be asked again"
    its.on_response(Answer(asking, answered(ErrorCode.none)))
    assert ids.left_behind(LEFT) is None
    for_client: Any = decode(response_type(Api.END_TXN, kind.version), answered(ErrorCode.none))
    assert (for_client.producer_id, for_client.producer_epoch) == (7, 3)


@every_init
def test_who_asks_to_go_on_with_an_id_of_the_old_side_gets_a_new_one_and_is_born(kind: Kind):
    ids, its = after_a_switch()
    message = request(kind)
    asking, verdict = asked(its, kind, message)
    if kind.version < 3:
        assert verdict is None, "it cannot ask to go on"
    else:
        assert verdict == Replace(encode(replace(message, producer_id=-1, producer_epoch=-1)))
    answer = generated(response_type(kind.key, kind.version), Random(1), full=True)
    its.on_response(Answer(asking, encode(replace(answer, error_code=ErrorCode.not_coordinator))))
    assert ids.left_behind(LEFT) is not None
    its.on_response(Answer(asking, encode(replace(answer, error_code=ErrorCode.none))))
    assert ids.left_behind(LEFT) is None
    assert asked(its, kind, message)[1] is None, "from now on the coordinator knows best"


def answered(its: Transactions, asking: Question, code: ErrorCode) -> ResponseVerdict:
    answer = generated(response_type(asking.api_key, asking.api_version), Random(1), full=True)
    return its.on_response(Answer(asking, encode(replace(answer, error_code=code))))


@older_ends
def test_the_first_abort_of_a_new_life_may_have_nothing_to_abort(kind: Kind):
    ids, its = after_a_switch()
    ids.born(LEFT, 45_000)
    for committed, code in [(True, ErrorCode.invalid_txn_state), (False, ErrorCode.producer_fenced)]:
        asking, verdict = asked(its, kind, request(kind, committed=committed))
        assert verdict is None
        assert answered(its, asking, code) is None, "what it did not write it cannot commit"
    asking, _ = asked(its, kind, request(kind, committed=False))
    verdict = answered(its, asking, ErrorCode.invalid_txn_state)
    assert isinstance(verdict, Replace)
    said: Any = decode(response_type(kind.key, kind.version), verdict.body)
    assert said.error_code is ErrorCode.none
    asking, _ = asked(its, kind, request(kind, committed=False))
    assert answered(its, asking, ErrorCode.invalid_txn_state) is None, "once"


@older_ends
def test_who_has_committed_in_its_new_life_is_as_any_other(kind: Kind):
    ids, its = after_a_switch()
    ids.born(LEFT, 45_000)
    asking, _ = asked(its, kind, request(kind, committed=True))
    assert answered(its, asking, ErrorCode.none) is None
    asking, _ = asked(its, kind, request(kind, committed=False))
    assert answered(its, asking, ErrorCode.invalid_txn_state) is None


@every_init
def test_producers_are_listened_to_before_any_switch(kind: Kind):
    ids = TransactionalIds()
    its = Transactions(ids, "standby", after_switch=False)
    answer = generated(response_type(kind.key, kind.version), Random(1), full=True)
    for who in (LEFT, None):
        asking, verdict = asked(its, kind, request(kind, who))
        assert verdict is None
        its.on_response(Answer(asking, encode(replace(answer, error_code=ErrorCode.none))))
    ids.switched(1)
    assert ids.left_behind(LEFT) is not None
    assert ids.left_behind("") is None, "an idempotent producer has no transactions"


def test_only_what_transactions_need_is_looked_into():
    its = Transactions(TransactionalIds(), "standby", after_switch=True)
    assert [key for key in range(100) if its.wants_request(key, 3)] == [0, 22, 24, 25, 26, 28]
    assert [key for key in range(100) if its.wants_response(key, 3)] == [22, 26]
    assert not its.wants_request(Api.PRODUCE, 99)
