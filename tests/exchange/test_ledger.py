"""The queue of requests in flight keeps Kafka's order, whoever answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.exchange.ledger import Entry, Ledger
from appliance.wire.apis import Api


def upstream(correlation_id: int, api: int = Api.METADATA) -> Entry:
    return Entry(correlation_id, api, 0)


def local(correlation_id: int, api: int = Api.METADATA) -> Entry:
    return Entry(correlation_id, api, 0, local=f"answer {correlation_id}".encode())


def test_a_local_answer_waits_until_all_before_it_has_gone():
    ledger = Ledger()
    for entry in (upstream(1), local(2), local(3), upstream(4), local(5)):
        ledger.enter(entry)
    assert ledger.take_local() == []
    ledger.leave()
    assert ledger.take_local() == [b"answer 2", b"answer 3"]
    assert ledger.take_local() == []
    ledger.leave()
    assert ledger.take_local() == [b"answer 5"]
    assert len(ledger) == 0


def test_the_head_is_the_request_that_is_due_next():
    ledger = Ledger()
    assert ledger.head() is None
    first, second = upstream(1), upstream(2)
    ledger.enter(first)
    ledger.enter(second)
    assert ledger.head() is first
    ledger.leave()
    assert ledger.head() is second


def test_only_writes_that_went_upstream_are_counted():
    ledger = Ledger()
    for entry in (upstream(1, Api.PRODUCE), local(2, Api.PRODUCE), upstream(3, Api.END_TXN), upstream(4, Api.FETCH)):
        ledger.enter(entry)
    assert ledger.writes == 2
    ledger.leave()
    assert ledger.writes == 1
    ledger.take_local()
    assert ledger.writes == 1
    ledger.leave()
    ledger.leave()
    assert (ledger.writes, len(ledger)) == (0, 0)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([Api.PRODUCE, Api.FETCH]))))
def test_answers_leave_in_the_order_of_the_requests(plan: list[tuple[bool, Api]]):
    ledger, left = Ledger(), []
    for number, (answered_here, api) in enumerate(plan):
        ledger.enter(local(number, api) if answered_here else upstream(number, api))
    assert ledger.writes == sum(1 for here, api in plan if not here and api is Api.PRODUCE)
    while len(ledger):
        left += [int(answer.split()[1]) for answer in ledger.take_local()]
        if (head := ledger.head()) is not None:
            left.append(head.correlation_id)
            ledger.leave()
    assert left == list(range(len(plan)))
    assert ledger.writes == 0
