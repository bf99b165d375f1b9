"""Which transactions are under way, and how one is brought to its end from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kio.schema.errors import ErrorCode

from appliance.gateway.client_asking import Asking
from appliance.gateway.client_groups import coordinators
from appliance.wire.apis import Api
from appliance.wire.codec import request_type

_OPEN = ("Ongoing", "PrepareCommit", "PrepareAbort")
_TIMEOUT = timedelta(seconds=60)
"""Of the producer that takes a transactional id over; it never begins a transaction."""


@dataclass(frozen=True)
class OpenTransaction:
    """A transaction that is neither committed nor aborted."""

    transactional_id: str
    state: str
    """As Kafka names it: Ongoing, PrepareCommit, PrepareAbort."""
    started: datetime | None
    partitions: int
    """How many partitions it has written to."""


async def open_transactions(asking: Asking) -> list[OpenTransaction]:
    """Return what all transaction coordinators know to be open; sorted by id."""
    found: list[OpenTransaction] = []
    for link in await asking.links():
        version = link.version(Api.LIST_TRANSACTIONS)
        answer = await link.ask(
            Api.LIST_TRANSACTIONS, request_type(Api.LIST_TRANSACTIONS, version)(state_filters=_OPEN)
        )
        asking.check(answer.error_code, "ListTransactions")
        ids = tuple(each.transactional_id for each in answer.transaction_states)
        if not ids:
            continue
        question = request_type(Api.DESCRIBE_TRANSACTIONS, link.version(Api.DESCRIBE_TRANSACTIONS))
        described = await link.ask(Api.DESCRIBE_TRANSACTIONS, question(transactional_ids=ids))
        for each in described.transaction_states:
            if each.error_code is ErrorCode.none and each.transaction_state in _OPEN:
                started = each.transaction_start_time
                known = started is not None and started > datetime.fromtimestamp(0, UTC)
                partitions = sum(len(topic.partitions) for topic in each.topics)
                found.append(
                    OpenTransaction(
                        each.transactional_id, each.transaction_state, started if known else None, partitions
                    )
                )
    return sorted(found, key=lambda each: each.transactional_id)


async def fence(asking: Asking, transactional_id: str) -> None:
    """Ask for a producer id in the name of this transactional id, once.

    The coordinator aborts what is open and raises the epoch; until that is done it answers CONCURRENT_TRANSACTIONS,
    which is what was wanted.
    """
    node_id = (await coordinators(asking, "transaction", (transactional_id,)))[transactional_id]
    link = await asking.link_to(node_id)
    question = request_type(Api.INIT_PRODUCER_ID, link.version(Api.INIT_PRODUCER_ID))
    answer = await link.ask(
        Api.INIT_PRODUCER_ID, question(transactional_id=transactional_id, transaction_timeout=_TIMEOUT)
    )
    if answer.error_code is not ErrorCode.concurrent_transactions:
        asking.check(answer.error_code, f"InitProducerId for {transactional_id}")
