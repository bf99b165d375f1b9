"""Leader epochs of the old side mean nothing on the new one, and clients compare them.

A cluster counts a partition's leader epochs from 0, so after a switch they can be lower than those that clients know.
Three things go wrong (KIP-320, KIP-1279): a client does not believe Metadata whose epoch is older than what it knows
(Java before topic ids; librdkafka) and stays with the old leader; one that was given a committed epoch above the
standby's asks for Metadata without end; and one whose position has an epoch that the new side has not reached
validates it with OffsetForLeaderEpoch, learns that there is no such epoch, and resets its position.

So on a route that was switched once clients are told that the epoch is not known (-1, which every one of these fields
allows): in Metadata, ListOffsets and OffsetFetch answers. A client without an epoch from Metadata compares nothing,
validates nothing and sends -1 in its Fetch. One that fetches with an epoch of the old side before it has seen new
Metadata is fenced (FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH), asks for Metadata, and is right: so Fetch itself need
not be touched, and stays as fast as it was. OffsetForLeaderEpoch about an epoch of before the switch can still come
from a client that had begun to validate: it is asked with -1 for the current epoch, so that it is at least not fenced.

The price is KIP-320's detection of truncated logs, on routes that were switched. Rejected: adding a number to the
epochs that rises with every switch. It would keep the detection, and patch every batch of every Fetch for ever.
"""

from __future__ import annotations

from appliance.exchange.interceptor import Replace, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.wire.apis import Api, understood
from appliance.wire.walk import Buffer, Place, walk_of

_UNKNOWN = b"\xff\xff\xff\xff"

_ANSWERS: dict[int, tuple[str, ...]] = {
    Api.METADATA: ("topics.partitions.leader_epoch",),
    Api.LIST_OFFSETS: ("topics.partitions.leader_epoch",),
    Api.OFFSET_FETCH: ("topics.partitions.committed_leader_epoch", "groups.topics.partitions.committed_leader_epoch"),
}
_REQUESTS: dict[int, tuple[str, ...]] = {
    Api.LIST_OFFSETS: ("topics.partitions.current_leader_epoch",),
    Api.OFFSET_FOR_LEADER_EPOCH: ("topics.partitions.current_leader_epoch",),
}


class LeaderEpochs:
    """Makes leader epochs unknown; for routes that have been switched."""

    same_for_all = True

    def wants_request(self, api_key: int, api_version: int) -> bool:
        return api_key in _REQUESTS and understood(api_key, api_version)

    def wants_response(self, api_key: int, api_version: int) -> bool:
        return api_key in _ANSWERS and understood(api_key, api_version)

    def on_request(self, question: Question) -> RequestVerdict:
        """Ask without an epoch, so that one from before the switch is not fenced."""
        walk = walk_of(question.api_key, question.api_version, "request", _REQUESTS[question.api_key])
        return _without(question.body, walk.places(question.body, 0, len(question.body)))

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Answer without epochs."""
        question = answer.question
        walk = walk_of(question.api_key, question.api_version, "response", _ANSWERS[question.api_key])
        return _without(answer.body, walk.places(answer.body, 0, len(answer.body)))


def _without(body: Buffer, places: list[Place]) -> Replace | None:
    if not places:
        return None
    out = bytearray(body)
    for _, start, end in places:
        out[start:end] = _UNKNOWN
    return Replace(bytes(out))
