"""Continuous offsets: clients see one space of offsets, whichever cluster serves.

Every offset in an answer is shown as clients know it, every offset in a request is asked for as the cluster has it
(`offset_fields` says where they stand). All of them are int64 and written in place. Record batches are given another
base offset, which lies outside their CRC: eight bytes a batch, no work per record; a Fetch response too large to be
held is changed as it passes. Message sets of the old format (before Kafka 0.11) carry offsets per record, some inside
compressed wrappers: they are refused.

Which map applies is a matter of the cluster at the other end of the connection, not of the one that serves: after a
switch, connections to the old side live on for a moment and must keep what they see.

A batch that reaches over a border of segments gets the difference of its last record for all, and the map is changed
to say so (`OffsetMap.with_border_moved`), so that a commit from within the batch finds back. That change is kept in
memory only: after a restart the batch is met again.

A stretch of which nothing is known cannot be begun in its midst, but read through: who was shown some of it on this
connection goes on behind that (`ReadThrough`).
"""

from __future__ import annotations

import struct
from typing import Literal

from appliance.exchange.interceptor import Close, InPlace, Replace, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.exchange.streaming import RECORDS_SIZE
from appliance.policies.positions.fetch_errors import OUT_OF_RANGE_ERROR, REFUSED_ERROR
from appliance.policies.positions.offset_fields import (
    CARRIED,
    ERROR,
    INDEX,
    REQUESTS,
    RESPONSES,
    TOPIC,
    TOPIC_ID,
    walk_and_kinds,
)
from appliance.policies.positions.offset_map import OUT_OF_RANGE, UNKNOWN, OffsetMap
from appliance.policies.positions.offset_maps import Partition, PositionMaps
from appliance.policies.positions.read_through import ReadThrough
from appliance.policies.positions.record_batches import Batches
from appliance.wire.apis import Api, kind_in_words, name_of, request_header_version, understood
from appliance.wire.editing import int_at, put_int64, string_at, writable
from appliance.wire.errors import Malformed
from appliance.wire.walk import compact_length, legacy_length, walk_of

_CODE = struct.Struct(">h")
_MEMO = "continuous"
_ASKED_FOR_ENDS = "continuous/ends"
_TIMESTAMPS = ("topics.name", "topics.partitions.partition_index", "topics.partitions.timestamp")
_LATEST = -1
"""The timestamp by which ListOffsets asks for the end of a log."""
_RECORDS = -1
_WITH_RECORDS = {Api.FETCH: RECORDS_SIZE, Api.SHARE_FETCH: RECORDS_SIZE}

ChangingMaps = dict[Partition, OffsetMap]


class Continuous:
    """For virtual clusters with `offsets: continuous` of which some partition differs."""

    def __init__(self, maps: PositionMaps, *, unproven: Literal["reset", "refuse"] = "reset") -> None:
        self._maps: dict[str, ChangingMaps] = {
            cluster: {partition: each for partition, each in its.items() if not each.is_identity}
            for cluster, its in maps.clusters.items()
        }
        self._unproven = unproven
        self._read_through = ReadThrough()

    def wants_request(self, api_key: int, api_version: int) -> bool:
        if api_key in REQUESTS or api_key == Api.LIST_OFFSETS:
            return True
        return api_key in CARRIED and not understood(api_key, api_version)

    def wants_response(self, api_key: int, api_version: int) -> bool:
        return api_key in RESPONSES and understood(api_key, api_version)

    def on_request(self, question: Question) -> RequestVerdict:
        """Ask for the cluster's offsets in place of those that the client knows."""
        maps = self._maps.get(question.knowledge.cluster)
        if not maps:
            return None
        if not understood(question.api_key, question.api_version):
            what = kind_in_words(question.api_key, question.api_version)
            return Close(f"the client uses {what}, which it was not offered: its offsets cannot be read")
        if question.api_key == Api.LIST_OFFSETS:
            question.memo[_ASKED_FOR_ENDS] = _asked_for_ends(question)
            return None
        walk, kinds = walk_and_kinds(question.api_key, question.api_version, "request")
        compact = request_header_version(question.api_key, question.api_version) == 2
        out: bytearray | None = None
        topic: str | None = ""
        partition, its = ("", -1), None
        refused: set[Partition] = set()
        for field, start, end in walk.places(question.body, 0, len(question.body)):
            kind = kinds[field]
            if kind == TOPIC:
                topic = string_at(question.body, start, end, compact=compact)
            elif kind == TOPIC_ID:
                topic = question.knowledge.topic_name(bytes(question.body[start:end]))
                if topic is None:
                    return Close(_unheard_of(question))
            elif kind == INDEX:
                partition = (topic or "", int_at(question.body, start, end))
                its = maps.get(partition)
            elif its is not None and (offset := int_at(question.body, start, end)) >= 0:
                asked, is_refused = self._asked(question, partition, its, offset)
                if is_refused:
                    refused.add(partition)
                out = bytearray(question.body) if out is None else out
                put_int64(out, start, asked)
        if refused:
            question.memo[_MEMO] = refused
        return Replace(bytes(out)) if out is not None else None

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Show the offsets that clients know in place of the cluster's."""
        question, body = answer.question, answer.body
        passing = self.passing(question)
        if passing is None:
            return None
        out = writable(body)
        extra = _WITH_RECORDS.get(Api(question.api_key), "")
        walk, kinds = walk_and_kinds(question.api_key, question.api_version, "response", extra)
        for field, start, end in walk.places(body, 0, len(body)):
            passing.see(field, out, start, end)
            if kinds[field] == _RECORDS:
                size = passing.size(out, start, end)
                passing.batches(out, end, end + size, size)
        return Replace(bytes(out)) if memoryview(body).readonly else None

    def passing(self, question: Question) -> Shown | None:
        """Return what changes the response to this request in place."""
        maps = self._maps.get(question.knowledge.cluster)
        return Shown(question, maps, self._read_through) if maps else None

    def _asked(self, question: Question, partition: Partition, its: OffsetMap, visible: int) -> tuple[int, bool]:
        """Return the cluster's offset for one in a request, and whether its use is to be refused in the answer."""
        position = its.to_cluster(visible)
        if question.api_key == Api.FETCH:
            if position.doubt != UNKNOWN:
                return position.offset, False
            goes_on = self._read_through.position(question.peer, partition, visible)
            return (OUT_OF_RANGE, self._unproven == "refuse") if goes_on is None else (goes_on, False)
        # To commit or delete up to somewhere: never ahead of what the client meant.
        return (its.segments[0].cluster if position.offset == OUT_OF_RANGE else position.offset), False


class Shown(InPlace):
    """One response on its way to the client."""

    def __init__(self, question: Question, maps: ChangingMaps, read_through: ReadThrough) -> None:
        extra = _WITH_RECORDS.get(Api(question.api_key), "")
        walk, self._kinds = walk_and_kinds(question.api_key, question.api_version, "response", extra)
        self.fields = walk.wanted
        self._question = question
        self._maps = maps
        self._read_through = read_through
        self._compact = request_header_version(question.api_key, question.api_version) == 2
        self._topic = ""
        self._partition: Partition = ("", -1)
        self._map: OffsetMap | None = None
        self._refused = _noted(question, _MEMO)
        self._asked_for_ends = _noted(question, _ASKED_FOR_ENDS)
        self._ends = RESPONSES[question.api_key].ends
        self._batches: Batches | None = None

    def see(self, field: int, buffer: bytearray | memoryview, start: int, end: int) -> None:
        """See InPlace."""
        kind = self._kinds[field]
        if kind == TOPIC:
            self._topic = string_at(buffer, start, end, compact=self._compact)
        elif kind == TOPIC_ID:
            topic = self._question.knowledge.topic_name(bytes(buffer[start:end]))
            if topic is None:
                raise Malformed(_unheard_of(self._question))
            self._topic = topic
        elif kind == INDEX:
            self._partition = (self._topic, int_at(buffer, start, end))
            self._map = self._maps.get(self._partition)
        elif kind == ERROR:
            if self._partition in self._refused and int_at(buffer, start, end) == OUT_OF_RANGE_ERROR:
                _CODE.pack_into(buffer, start, REFUSED_ERROR)
        elif kind == _RECORDS:
            self._batches = Batches(self._difference) if self._map is not None else None
        elif self._map is not None and (offset := int_at(buffer, start, end)) >= 0:
            is_end = kind in self._ends or self._partition in self._asked_for_ends
            put_int64(buffer, start, (self._map.end_to_visible if is_end else self._map.to_visible)(offset))

    def size(self, buffer: bytearray | memoryview, start: int, end: int) -> int:
        """Return how many bytes of records follow the length prefix `buffer[start:end]`."""
        return (compact_length(buffer, start, end) if self._compact else legacy_length(buffer, start, end, 4))[0]

    def batches(self, buffer: bytearray | memoryview, start: int, end: int, left: int) -> int:
        """See InPlace."""
        if self._batches is None:
            return min(start + left, end)
        return self._batches.pass_on(buffer, start, end, left)

    def _difference(self, first: int, last: int) -> int:
        its = self._map
        assert its is not None
        if first >= its.segments[-1].cluster:
            return its.segments[-1].difference  # as a rule: whoever keeps up reads behind the last border
        try:
            its = self._maps[self._partition] = self._map = its.with_border_moved(first, last)
        except ValueError as error:
            topic, partition = self._partition
            raise Malformed(
                f"{topic}/{partition}: {error}: its records cannot be shown at continuous offsets"
            ) from error
        difference = its.difference_at(last)
        self._read_through.note(self._question.peer, self._partition, first, last, difference)
        return difference


def _asked_for_ends(question: Question) -> set[Partition]:
    """Return the partitions of which a ListOffsets request wants to know where they end."""
    walk = walk_of(question.api_key, question.api_version, "request", _TIMESTAMPS)
    compact = request_header_version(question.api_key, question.api_version) == 2
    topic, partition, found = "", -1, set[Partition]()
    for field, start, end in walk.places(question.body, 0, len(question.body)):
        if field == 0:
            topic = string_at(question.body, start, end, compact=compact)
        elif field == 1:
            partition = int_at(question.body, start, end)
        elif int_at(question.body, start, end) == _LATEST:
            found.add((topic, partition))
    return found


def _noted(question: Question, what: str) -> set[Partition]:
    noted = question.memo.get(what)
    return noted if isinstance(noted, set) else set()


def _unheard_of(question: Question) -> str:
    return (
        f"{name_of(question.api_key)} names a topic by an id that has not been seen in Metadata yet: "
        "whose offsets these are cannot be told; the client will ask for Metadata and come back"
    )
