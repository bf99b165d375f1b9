"""Members of a group that the new side has never heard of: let them join anew.

The coordinator of the new side answers the heartbeat of a consumer, share or streams group (KIP-848, KIP-932,
KIP-1071) with GROUP_ID_NOT_FOUND, which librdkafka takes for fatal: the group was deleted, there is nothing to be
done. UNKNOWN_MEMBER_ID says what is the case as well, that this coordinator does not know the member, and makes every
library join again. Only for those who had joined before: a client that joins (member epoch 0) and meets the error has
another problem, and shall see it. One that leaves (below 0) may do so to join again: a Streams application whose commit
found no member leaves first, and shuts down where there is no group to leave.

Members of classic groups are told UNKNOWN_MEMBER_ID anyway, and join anew. Those who learn it only when they try to
join with the id that the old side gave them lose time: kafka-go waits five seconds (its JoinGroupBackoff). So they join
without an id, as they would the next time; up to version 3 of JoinGroup they are members then. From version 4 on a
client is sent for an id first (KIP-394), which is what UNKNOWN_MEMBER_ID makes of it too.
"""

from __future__ import annotations

import struct

from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Replace, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.policies.positions.members import Members
from appliance.wire.apis import GROUP_HEARTBEATS, Api, understood
from appliance.wire.editing import Edit, int_at, spliced, string_at
from appliance.wire.walk import walk_of

_MEMO = "rejoin"
_JOINS = 0
"""The member epoch of who is no member yet."""
_NEEDS_NO_ID = 3
"""The last version of JoinGroup in which who has no member id is given one and is a member."""
_NO_ID = b"\x00\x00"


class Rejoin:
    """Turns GROUP_ID_NOT_FOUND into UNKNOWN_MEMBER_ID, and lets members join without the ids that they have from the
    other side; for routes that have been switched."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def wants_request(self, api_key: int, api_version: int) -> bool:
        joins = api_key == Api.JOIN_GROUP and api_version <= _NEEDS_NO_ID
        return (api_key in GROUP_HEARTBEATS or joins) and understood(api_key, api_version)

    def wants_response(self, api_key: int, api_version: int) -> bool:
        return api_key in GROUP_HEARTBEATS and understood(api_key, api_version)

    def on_request(self, question: Question) -> RequestVerdict:
        """Note whether the member had joined; let one join as if it never had."""
        if question.api_key == Api.JOIN_GROUP:
            return self._joining(question)
        walk = walk_of(question.api_key, question.api_version, "request", ("member_epoch",))
        (epoch,) = walk.places(question.body, 0, len(question.body))
        question.memo[_MEMO] = int_at(question.body, epoch.start, epoch.end) != _JOINS
        return None

    def _joining(self, question: Question) -> RequestVerdict:
        body = question.body
        walk = walk_of(question.api_key, question.api_version, "request", ("group_id", "member_id"))
        group, member = walk.places(body, 0, len(body))
        names = [string_at(body, each.start, each.end, compact=False) for each in (group, member)]
        if not self._members.left_behind(*names):
            return None
        return Replace(spliced(body, 0, len(body), [Edit(member.start, member.end, _NO_ID)]))

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Tell a member that had joined that it is not known, instead of that the group is not."""
        question = answer.question
        if not question.memo.get(_MEMO):
            return None
        walk = walk_of(question.api_key, question.api_version, "response", ("error_code",))
        (error,) = walk.places(answer.body, 0, len(answer.body))
        if int_at(answer.body, error.start, error.end) != ErrorCode.group_id_not_found.value:
            return None
        edit = Edit(error.start, error.end, struct.pack(">h", ErrorCode.unknown_member_id.value))
        return Replace(spliced(answer.body, 0, len(answer.body), [edit]))
