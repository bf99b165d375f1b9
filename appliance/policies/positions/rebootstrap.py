"""Clients that a switchover tells to start over.

REBOOTSTRAP_REQUIRED in an answer to Metadata (KIP-1102) makes clients that obey it forget all brokers, close their
connections and come back by their bootstrap addresses. A switchover closes connections node by node, and what a client
does about the first is to ask for Metadata over one of the others: that question, still on its way to the cluster that
serves no more, gets this answer. Nothing has to be remembered for it, and who asks nothing is moved like all others.

Which clients: those that the virtual cluster names, by the software and version that they say they are (KIP-511). By
default none: nobody is back sooner for it (`docs/switchover.md` has what was measured), and who has writes under way
closes the connection on which their answers are due: one that is not idempotent may then write them in another order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import cache

from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Reply, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.exchange.software import Software
from appliance.resources.consumer_switching import ClientSoftware
from appliance.wire.apis import Api, understood
from appliance.wire.codec import encode, response_type

FIRST_VERSION = 13
"""Of Metadata: the first whose answer has an error of its own."""


class Rebootstrap:
    """Answers Metadata on connections to a cluster that serves no more; for routes that have been switched."""

    same_for_all = True
    """On a connection to the cluster that serves it says nothing, and only there are answers shared."""

    def __init__(self, serving: str, told: Iterable[ClientSoftware]) -> None:
        self._serving = serving
        self._told = tuple(told)

    def wants_request(self, api_key: int, api_version: int) -> bool:
        return api_key == Api.METADATA and api_version >= FIRST_VERSION and understood(api_key, api_version)

    def wants_response(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - none
        return False

    def on_request(self, question: Question) -> RequestVerdict:
        """Tell a client of the named software to start over."""
        if question.knowledge.cluster == self._serving or not self._is_told(question.software):
            return None
        return Reply(_start_over(question.api_version))

    def on_response(self, answer: Answer) -> ResponseVerdict:  # noqa: ARG002 - never asked
        """See Interceptor."""
        return None

    def _is_told(self, software: Software) -> bool:
        return any(each.matches(software.name, software.version) for each in self._told)


@cache
def _start_over(api_version: int) -> bytes:
    kind = response_type(Api.METADATA, api_version)
    return encode(
        kind(
            throttle_time=timedelta(),
            brokers=(),
            cluster_id=None,
            controller_id=-1,
            topics=(),
            error_code=ErrorCode.rebootstrap_required,
        )
    )
