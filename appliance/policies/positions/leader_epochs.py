"""Leader epochs of the old side mean nothing on the new one, and clients compare them.

A cluster counts a partition's leader epochs from 0, so after a switch they can be lower than those that clients know.
Four things go wrong (KIP-320, KIP-1279): a client does not believe Metadata whose epoch is older than what it knows
and stays with the old leader; one whose Fetch names an epoch of the old side is refused; one that was given a committed
epoch above the standby's asks for Metadata without end; and one whose position has an epoch that the new side has not
reached validates it with OffsetForLeaderEpoch, learns that there is no such epoch, and resets its position.

So on a route that was switched:

 - Metadata shows epochs that go on rising: to the cluster's own is added a number that grows with every switch;
 - requests ask without an epoch (-1, "not known", which these fields allow), so that none is refused for it;
 - ListOffsets and OffsetFetch give no epoch with a position;
 - OffsetForLeaderEpoch is answered here: the position is right. It may ask for an epoch of either side.

Fetched batches keep the epochs that they have: clients only ever ask about them by OffsetForLeaderEpoch.

The price is KIP-320's detection of truncated logs, on routes that were switched. Rejected: hiding the epochs in
Metadata as well (franz-go takes -1 for a partition without a leader and stays with the old one), and raising those in
batches (it would keep the detection, and patch every batch of every Fetch for ever).
"""

from __future__ import annotations

import struct
from datetime import timedelta
from typing import Any

from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Replace, Reply, RequestVerdict, ResponseVerdict, written
from appliance.exchange.message import Answer, Question
from appliance.wire.apis import Api, understood
from appliance.wire.codec import decode, element_type, encode, request_type, response_type
from appliance.wire.editing import int_at, writable
from appliance.wire.walk import Buffer, Place, walk_of

PER_SWITCH = 1 << 20
"""More leader elections than a partition sees between two switches."""
_MOST_SWITCHES = (1 << 31) // PER_SWITCH - 1
"""Epochs are int32: after so many switches they begin anew."""
_EPOCH = struct.Struct(">i")
_UNKNOWN = -1
_EVERYTHING = (1 << 63) - 1

_ANSWERS: dict[int, tuple[str, ...]] = {
    Api.METADATA: ("topics.partitions.leader_epoch",),
    Api.LIST_OFFSETS: ("topics.partitions.leader_epoch",),
    Api.OFFSET_FETCH: ("topics.partitions.committed_leader_epoch", "groups.topics.partitions.committed_leader_epoch"),
}
_REQUESTS: dict[int, tuple[str, ...]] = {
    Api.FETCH: ("topics.partitions.current_leader_epoch",),
    Api.LIST_OFFSETS: ("topics.partitions.current_leader_epoch",),
}


class LeaderEpochs:
    """For routes that have been switched so often, to the cluster `serving`; connections to the one before live on for
    a moment, and are shown what they were."""

    same_for_all = True

    def __init__(self, serving: str, switches: int) -> None:
        self._serving = serving
        self._switches = switches

    def wants_request(self, api_key: int, api_version: int) -> bool:
        return (api_key in _REQUESTS or api_key == Api.OFFSET_FOR_LEADER_EPOCH) and understood(api_key, api_version)

    def wants_response(self, api_key: int, api_version: int) -> bool:
        return api_key in _ANSWERS and understood(api_key, api_version)

    def on_request(self, question: Question) -> RequestVerdict:
        """Ask without an epoch, or answer that the position is right."""
        if question.api_key == Api.OFFSET_FOR_LEADER_EPOCH:
            return Reply(_right(question))
        walk = walk_of(question.api_key, question.api_version, "request", _REQUESTS[question.api_key])
        return _without(question.body, walk.places(question.body, 0, len(question.body)))

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Answer with epochs that have risen, or with none."""
        question = answer.question
        walk = walk_of(question.api_key, question.api_version, "response", _ANSWERS[question.api_key])
        places = walk.places(answer.body, 0, len(answer.body))
        if question.api_key != Api.METADATA:
            return _without(answer.body, places)
        switches = self._switches if question.knowledge.cluster == self._serving else self._switches - 1
        return _raised(answer.body, places, switches % _MOST_SWITCHES * PER_SWITCH)


def _without(body: Buffer, places: list[Place]) -> Replace | None:
    out = writable(body)
    for _, start, _ in places:
        _EPOCH.pack_into(out, start, _UNKNOWN)
    return written(body, out)


def _raised(body: Buffer, places: list[Place], by: int) -> Replace | None:
    out = writable(body)
    for _, start, end in places:
        epoch = int_at(body, start, end)
        if epoch >= 0:  # else the partition has no leader
            _EPOCH.pack_into(out, start, min(epoch, PER_SWITCH - 1) + by)
    return written(body, out)


def _right(question: Question) -> bytes:
    """Return the answer that logs go on behind whatever position is asked about."""
    kind = response_type(question.api_key, question.api_version)
    topic_kind = element_type(kind, "topics")
    partition_kind = element_type(topic_kind, "partitions")
    request: Any = decode(request_type(question.api_key, question.api_version), bytes(question.body))
    values: dict[str, Any] = {
        "topics": tuple(
            topic_kind(
                topic=topic.topic,
                partitions=tuple(
                    partition_kind(
                        error_code=ErrorCode.none,
                        partition=each.partition,
                        leader_epoch=each.leader_epoch,
                        end_offset=_EVERYTHING,
                    )
                    for each in topic.partitions
                ),
            )
            for topic in request.topics
        )
    }
    if "throttle_time" in kind.__dataclass_fields__:
        values["throttle_time"] = timedelta()
    return encode(kind(**values))
