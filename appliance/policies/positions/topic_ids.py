"""Topics keep their ids across a switch.

Each cluster gave a topic an id of its own (KIP-516). A client takes a topic whose id has changed for one that was
deleted and made anew: franz-go fails what is produced and reads on nowhere, others begin again at their reset position.
So the ids that clients know go on: in everything that the other cluster answers its ids are replaced by those, and in
everything that it is asked they are replaced back. All of them are 16 bytes and written in place; a Fetch response too
large to be held is changed as it passes.

A topic that is made on the new side after the switch, or made anew there, is a new one, and is shown with its own id.

This stands closest to the cluster: whatever else looks at a message sees the ids that clients know.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from appliance.exchange.interceptor import Close, InPlace, Replace, RequestVerdict, ResponseVerdict, written
from appliance.exchange.message import Answer, Question
from appliance.policies.positions.offset_maps import TopicIdsByName
from appliance.wire.apis import KINDS, kind_in_words, known_versions, understood
from appliance.wire.editing import writable
from appliance.wire.layout import Direction, layout_of, paths_to
from appliance.wire.walk import Buffer, Walk, walk_of

_FIELD = "topic_id"

_Ids = Mapping[bytes, bytes]
"""From one side's ids to the other's."""


class TopicIds:
    """For virtual clusters of which some cluster's ids differ from those that clients know."""

    same_for_all = True

    def __init__(self, clusters: Mapping[str, TopicIdsByName]) -> None:
        differing = {
            cluster: [each for each in ids.values() if each.own != each.known] for cluster, ids in clusters.items()
        }
        self._shown: dict[str, _Ids] = {cluster: dict(ids) for cluster, ids in differing.items()}
        self._asked: dict[str, _Ids] = {
            cluster: {known: own for own, known in ids} for cluster, ids in differing.items()
        }

    @property
    def is_identity(self) -> bool:
        """Whether there is nothing to replace."""
        return not any(self._shown.values())

    def wants_request(self, api_key: int, api_version: int) -> bool:
        return bool(_paths(api_key, api_version, "request")) or _beyond(api_key, api_version)

    def wants_response(self, api_key: int, api_version: int) -> bool:
        return bool(_paths(api_key, api_version, "response"))

    def on_request(self, question: Question) -> RequestVerdict:
        """Ask for the cluster's ids in place of those that the client knows."""
        ids = self._asked.get(question.knowledge.cluster)
        if not ids:
            return None
        if not understood(question.api_key, question.api_version):
            what = kind_in_words(question.api_key, question.api_version)
            return Close(f"the client uses {what}, which there is no layout for: the topic ids in it cannot be read")
        return _replaced(question.body, _walk(question.api_key, question.api_version, "request"), ids)

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Show the ids that clients know in place of the cluster's."""
        question = answer.question
        ids = self._shown.get(question.knowledge.cluster)
        if not ids:
            return None
        return _replaced(answer.body, _walk(question.api_key, question.api_version, "response"), ids)

    def passing(self, question: Question) -> InPlace | None:
        """Return what changes the response to this request in place."""
        ids = self._shown.get(question.knowledge.cluster)
        return _Passing(_paths(question.api_key, question.api_version, "response"), ids) if ids else None


class _Passing:
    """One response on its way to the client."""

    def __init__(self, fields: tuple[str, ...], ids: _Ids) -> None:
        self.fields = fields
        self._ids = ids

    def see(self, field: int, buffer: bytearray | memoryview, start: int, end: int) -> None:  # noqa: ARG002 - all the same
        """See InPlace."""
        _replace(buffer, start, end, self._ids)

    def batches(self, buffer: bytearray | memoryview, start: int, end: int, left: int) -> int:  # noqa: ARG002 - not wanted
        """See InPlace."""
        return min(start + left, end)


def _replaced(body: Buffer, walk: Walk, ids: _Ids) -> Replace | None:
    """Replace ids where they stand; a body that cannot be written into is copied first."""
    out = writable(body)
    for _, start, end in walk.places(body, 0, len(body)):
        _replace(out, start, end, ids)
    return written(body, out)


def _replace(buffer: bytearray | memoryview, start: int, end: int, ids: _Ids) -> None:
    other = ids.get(bytes(buffer[start:end]))
    if other is not None:
        buffer[start:end] = other


@lru_cache(maxsize=KINDS)
def _paths(api_key: int, api_version: int, direction: Direction) -> tuple[str, ...]:
    """Return where messages of this kind name topics by id; nowhere, where there is no layout for them."""
    return paths_to(layout_of(api_key, api_version, direction), _FIELD) if understood(api_key, api_version) else ()


def _walk(api_key: int, api_version: int, direction: Direction) -> Walk:
    return walk_of(api_key, api_version, direction, _paths(api_key, api_version, direction))


@lru_cache(maxsize=KINDS)
def _names_topics_by_id(api_key: int) -> bool:
    """Return whether the newest messages that there are layouts for name topics by id."""
    known = known_versions(api_key)
    return known is not None and any(_paths(api_key, known[1], direction) for direction in ("request", "response"))


def _beyond(api_key: int, api_version: int) -> bool:
    """Return whether there is no layout for messages of this kind, and topic ids are to be expected in them."""
    return not understood(api_key, api_version) and _names_topics_by_id(api_key)
