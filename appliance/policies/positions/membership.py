"""Listens to what members of groups say, for `members`: a few bytes every few seconds and member.

On every route that may be switched, before any switch: who was a member then is who has old positions afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.exchange.interceptor import RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.policies.positions.members import Members, instance_of
from appliance.wire.apis import Api, request_header_version, understood
from appliance.wire.editing import int_at, string_at
from appliance.wire.walk import walk_of

_HEARTBEATS = frozenset({Api.HEARTBEAT, Api.CONSUMER_GROUP_HEARTBEAT, Api.STREAMS_GROUP_HEARTBEAT})
"""Not those of share groups, whose members keep no position."""
_SPEAK = _HEARTBEATS | {Api.SYNC_GROUP, Api.LEAVE_GROUP}
_SAID = ("group_id", "member_id", "member_epoch", "members.member_id")
_ASKED = ("group_id", "groups.group_id")
_ERRORS = ("error_code", "groups.error_code", "topics.partitions.error_code", "groups.topics.partitions.error_code")
_MEMO, _WHO = "membership", "membership/member"


class Membership:
    """Keeps `members` up to date. `serving` is the cluster that serves; what is said to another one is of no
    interest, as its connections are about to be closed."""

    def __init__(self, members: Members, serving: str, clock: Callable[[], float], *, switched: bool) -> None:
        self._members = members
        self._serving = serving
        self._clock = clock
        self._switched = switched

    def wants_request(self, api_key: int, api_version: int) -> bool:
        return (api_key in _SPEAK or (self._switched and api_key == Api.OFFSET_FETCH)) and understood(
            api_key, api_version
        )

    def wants_response(self, api_key: int, api_version: int) -> bool:
        return (
            self._switched
            and (api_key in _HEARTBEATS or api_key == Api.OFFSET_FETCH)
            and understood(api_key, api_version)
        )

    def on_request(self, question: Question) -> RequestVerdict:
        """Note who speaks for which group."""
        if question.knowledge.cluster != self._serving:
            return None
        if question.api_key == Api.OFFSET_FETCH:
            question.memo[_MEMO] = _strings(question, _ASKED)
            return None
        compact = request_header_version(question.api_key, question.api_version) == 2
        walk = walk_of(question.api_key, question.api_version, "request", _SAID)
        group, members, epoch = "", [], 1
        for field, start, end in walk.places(question.body, 0, len(question.body)):
            if field == 0:
                group = string_at(question.body, start, end, compact=compact)
            elif field == 2:
                epoch = int_at(question.body, start, end)
            else:
                members.append(string_at(question.body, start, end, compact=compact))
        instance = instance_of(question)
        for member in members:
            if question.api_key == Api.LEAVE_GROUP or epoch < 0:
                self._members.left(instance, group, member)
            elif member:
                self._members.heard(instance, group, member, self._clock())
        if question.api_key in _HEARTBEATS and epoch > 0 and members:
            question.memo[_MEMO] = [group]
            question.memo[_WHO] = members[0]
        return None

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Note that the members have looked at their offsets; an answer with any error shows none."""
        question = answer.question
        groups = question.memo.get(_MEMO)
        if not isinstance(groups, list):
            return None
        walk = walk_of(question.api_key, question.api_version, "response", _ERRORS)
        places = walk.places(answer.body, 0, len(answer.body))
        instance, who = instance_of(question), question.memo.get(_WHO)
        if not any(int_at(answer.body, start, end) for _, start, end in places):
            for group in groups:
                self._members.looked(instance, group, question.peer)
        elif isinstance(who, str):
            # Not known there: it will come back, classic members under another id.
            self._members.left(instance, groups[0], who)
        return None


def _strings(question: Question, wanted: tuple[str, ...]) -> list[str]:
    compact = request_header_version(question.api_key, question.api_version) == 2
    walk = walk_of(question.api_key, question.api_version, "request", wanted)
    places = walk.places(question.body, 0, len(question.body))
    return [string_at(question.body, start, end, compact=compact) for _, start, end in places]
