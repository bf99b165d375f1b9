"""API errors: answer the struck partitions with an error that a broker could have given; the others go on as they are.

Produce, before: the struck partitions are taken out of the request, so that the broker never sees them, and put into
the answer with the error; if nothing is left, the gateway answers itself. Produce, after, and Fetch: the broker's
answer is changed. Batches stay the bytes that they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kio.schema.errors import ErrorCode

from appliance.chaos.aim import Aim
from appliance.exchange.interceptor import Replace, Reply, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.wire.apis import KEYS, Api, understood
from appliance.wire.codec import decode, element_type, encode, request_type, response_type
from appliance.wire.errors import Malformed
from appliance.wire.headers import produce_acks

Topic = Any
"""A kio topic of a request: it has a name or, in newer versions, an id."""
Struck = list[tuple[Any, list[int]]]
"""Topic name or id, and the partitions of it that are struck."""


class ApiError:
    """Strikes Produce or Fetch requests, partition by partition."""

    def __init__(self, aim: Aim, code: ErrorCode, *, apis: list[str], after: bool) -> None:
        self._aim = aim
        self._code = code
        self._keys = {KEYS[name] for name in apis}
        self._after = after
        self._memo = f"error/{id(self)}"

    def wants_request(self, api_key: int, api_version: int) -> bool:
        return api_key in self._keys and understood(api_key, api_version)

    wants_response = wants_request

    def on_request(self, question: Question) -> RequestVerdict:
        """Decide which partitions are struck; take them out of the request where the broker is not to see them."""
        if not self._aim.fits_client(question.client_id):
            return None
        if (
            question.api_key == Api.PRODUCE
            and produce_acks(question.api_version, question.body, 0, len(question.body)) == 0
        ):
            self._aim.skipped("acks=0: no answer that could carry an error")
            return None
        try:
            request = decode(request_type(question.api_key, question.api_version), bytes(question.body))
        except Malformed:
            self._aim.skipped("the request has fields that are not known here")
            return None
        struck = self._struck(question, request)
        if not struck:
            if question.api_key == Api.FETCH and not request.topics:
                self._aim.skipped("an incremental fetch session names no partitions")
            return None
        if not self._aim.due(question.client_id):
            return None
        question.memo[self._memo] = struck
        if question.api_key == Api.FETCH or self._after:
            return None
        self._aim.struck(question.client_id)
        rest = _without(request, struck)
        if rest is None:
            del question.memo[self._memo]
            return Reply(encode(self._produce_answer(question, None, struck)))
        return Replace(encode(rest))

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Put the error into the answer, for the partitions that were struck."""
        struck: Any = answer.question.memo.pop(self._memo, None)
        if struck is None:
            return None
        question = answer.question
        try:
            response = decode(response_type(question.api_key, question.api_version), bytes(answer.body))
        except Malformed:
            self._aim.skipped("the response has fields that are not known here")
            return None
        if question.api_key == Api.PRODUCE and not self._after:
            return Replace(encode(self._produce_answer(question, response, struck)))
        changed = (self._fetch_answer if question.api_key == Api.FETCH else self._after_append)(response, struck)
        if changed == response:
            self._aim.skipped("the broker had refused it already")
            return None
        self._aim.struck(question.client_id)
        return Replace(encode(changed))

    def _struck(self, question: Question, request: Any) -> Struck:
        struck: Struck = []
        for topic in _topics(request):
            identity, name = _identity(topic, question)
            chosen = [index for index in _indices(topic) if self._aim.fits_partition(name, index)]
            if chosen:
                struck.append((identity, chosen))
        return struck

    def _produce_answer(self, question: Question, response: Any, struck: Struck) -> Any:
        kind = response_type(Api.PRODUCE, question.api_version)
        topic_kind, partition_kind = _kinds(kind, "responses", "partition_responses")
        added = tuple(
            topic_kind(
                **_identified(topic_kind, identity),
                partition_responses=tuple(
                    partition_kind(**self._refused(partition_kind, index)) for index in partitions
                ),
            )
            for identity, partitions in struck
        )
        if response is None:
            return kind(responses=added)
        return replace(response, responses=(*response.responses, *added))

    def _refused(self, kind: Any, index: int) -> dict[str, Any]:
        values: dict[str, Any] = {"index": index, "error_code": self._code, "base_offset": -1}
        if "record_errors" in kind.__dataclass_fields__:
            values["record_errors"] = ()
        return values

    def _after_append(self, response: Any, struck: Struck) -> Any:
        wanted = {(identity, index) for identity, partitions in struck for index in partitions}
        return replace(
            response,
            responses=tuple(
                replace(
                    topic,
                    partition_responses=tuple(
                        replace(each, error_code=self._code, base_offset=-1)
                        if (_own_identity(topic), each.index) in wanted and each.error_code is ErrorCode.none
                        else each
                        for each in topic.partition_responses
                    ),
                )
                for topic in response.responses
            ),
        )

    def _fetch_answer(self, response: Any, struck: Struck) -> Any:
        """Replace struck partitions, and add those that an incremental or empty answer left out.

        An answer that refuses the whole request (its session, mostly) has no partitions, and stays as it is.
        """
        if getattr(response, "error_code", ErrorCode.none) is not ErrorCode.none:
            return response
        topic_kind, partition_kind = _kinds(type(response), "responses", "partitions")
        wanted = {(identity, index) for identity, partitions in struck for index in partitions}
        kept = []
        for topic in response.responses:
            rest = tuple(
                each for each in topic.partitions if (_own_identity(topic), each.partition_index) not in wanted
            )
            if rest:
                kept.append(replace(topic, partitions=rest))
        added = [
            topic_kind(
                **_identified(topic_kind, identity),
                partitions=tuple(partition_kind(**self._unread(partition_kind, index)) for index in partitions),
            )
            for identity, partitions in struck
        ]
        return replace(response, responses=(*kept, *added))

    def _unread(self, kind: Any, index: int) -> dict[str, Any]:
        values: dict[str, Any] = {
            "partition_index": index,
            "error_code": self._code,
            "high_watermark": -1,
            "records": b"",
        }
        if "aborted_transactions" in kind.__dataclass_fields__:
            values["aborted_transactions"] = None
        return values


def _topics(request: Any) -> Any:
    return request.topic_data if hasattr(request, "topic_data") else request.topics


def _indices(topic: Topic) -> list[int]:
    if hasattr(topic, "partition_data"):
        return [each.index for each in topic.partition_data]
    return [each.partition for each in topic.partitions]


def _own_identity(topic: Topic) -> Any:
    for name in ("name", "topic", "topic_id"):
        if hasattr(topic, name):
            return getattr(topic, name)
    raise AssertionError(f"{type(topic)} has neither name nor id")


def _identity(topic: Topic, question: Question) -> tuple[Any, str | None]:
    identity = _own_identity(topic)
    if hasattr(topic, "topic_id"):
        return identity, question.knowledge.topic_name(identity.bytes) if identity else None
    return identity, identity


def _identified(kind: Any, identity: Any) -> dict[str, Any]:
    return {next(name for name in ("name", "topic", "topic_id") if name in kind.__dataclass_fields__): identity}


def _kinds(kind: Any, outer: str, inner: str) -> tuple[Any, Any]:
    topic_kind = element_type(kind, outer)
    return topic_kind, element_type(topic_kind, inner)


def _without(request: Any, struck: Struck) -> Any:
    """Return the Produce request without the struck partitions, None if nothing is left of it."""
    out = {(identity, index) for identity, partitions in struck for index in partitions}
    topics = []
    for topic in request.topic_data:
        rest = tuple(each for each in topic.partition_data if (_own_identity(topic), each.index) not in out)
        if rest:
            topics.append(replace(topic, partition_data=rest))
    return replace(request, topic_data=tuple(topics)) if topics else None
