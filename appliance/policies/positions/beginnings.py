"""Where a group begins that was at work before the switch and has no offsets on the new side.

Replication of group offsets lags, or is off: then the new side answers OffsetFetch with -1, and the client does what
its own reset policy says for groups that never were. `positions:` says better: the beginning of the log (nothing is
skipped), where its end was at the switch (nothing since the switch is skipped), what was written since some time, or
an error that stops the consumer (GROUP_ID_NOT_FOUND, which no library retries here).

Only groups that had members before the switch: a new group begins where it pleases.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Replace, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.policies.positions.offset_maps import Partition
from appliance.wire.apis import Api, request_header_version, understood
from appliance.wire.editing import int_at, string_at
from appliance.wire.walk import walk_of

_ASKED = ("group_id",)
_GROUP, _TOPIC, _TOPIC_ID, _INDEX, _OFFSET, _ERROR = range(6)
_SINGLE = (
    "-",
    "topics.name",
    "-",
    "topics.partitions.partition_index",
    "topics.partitions.committed_offset",
    "topics.partitions.error_code",
)
_BY_GROUP = (
    "groups.group_id",
    "groups.topics.name",
    "groups.topics.topic_id",
    "groups.topics.partitions.partition_index",
    "groups.topics.partitions.committed_offset",
    "groups.topics.partitions.error_code",
)
_FIRST_BY_GROUP = 8
_MEMO = "beginnings"


class Beginnings:
    """For routes that have been switched, of virtual clusters with `positions`.

    `offsets` are the cluster's own, None: refuse. `had_members` says whether a group was at work before the switch.
    """

    def __init__(
        self, serving: str, offsets: Mapping[Partition, int] | None, had_members: Callable[[str], bool]
    ) -> None:
        self._serving = serving
        self._offsets = offsets
        self._had_members = had_members

    def wants_request(self, api_key: int, api_version: int) -> bool:
        return api_key == Api.OFFSET_FETCH and understood(api_key, api_version)

    wants_response = wants_request

    def on_request(self, question: Question) -> RequestVerdict:
        """Note the group, where the answer will not name it."""
        walk = walk_of(Api.OFFSET_FETCH, question.api_version, "request", _ASKED)
        compact = request_header_version(Api.OFFSET_FETCH, question.api_version) == 2
        for _, start, end in walk.places(question.body, 0, len(question.body)):
            question.memo[_MEMO] = string_at(question.body, start, end, compact=compact)
        return None

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Put the beginning in the place of -1."""
        question, body = answer.question, answer.body
        if question.knowledge.cluster != self._serving:
            return None
        paths = _BY_GROUP if question.api_version >= _FIRST_BY_GROUP else _SINGLE
        compact = request_header_version(Api.OFFSET_FETCH, question.api_version) == 2
        group = str(question.memo.get(_MEMO, ""))
        topic: str | None = ""
        index = absent = -1
        out = bytearray(body)
        for field, start, end in walk_of(Api.OFFSET_FETCH, question.api_version, "response", paths).places(
            body, 0, len(body)
        ):
            if field == _GROUP:
                group = string_at(body, start, end, compact=compact)
            elif field == _TOPIC:
                topic = string_at(body, start, end, compact=compact)
            elif field == _TOPIC_ID:
                topic = question.knowledge.topic_name(bytes(body[start:end]))
            elif field == _INDEX:
                index = int_at(body, start, end)
            elif field == _OFFSET:
                absent = start if int_at(body, start, end) < 0 else -1
            elif absent >= 0 and not int_at(body, start, end) and topic is not None and self._had_members(group):
                self._begin(out, absent, start, (topic, index))
        return Replace(bytes(out)) if out != body else None

    def _begin(self, out: bytearray, offset_at: int, error_at: int, partition: Partition) -> None:
        if self._offsets is None:
            struct.pack_into(">h", out, error_at, ErrorCode.group_id_not_found.value)
        elif partition in self._offsets:
            struct.pack_into(">q", out, offset_at, self._offsets[partition])
