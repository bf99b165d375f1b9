"""Members of a group that the new side has never heard of: let them join anew.

The coordinator of the new side answers the heartbeat of a consumer, share or streams group (KIP-848, KIP-932,
KIP-1071) with GROUP_ID_NOT_FOUND, which librdkafka takes for fatal: the group was deleted, there is nothing to be
done. UNKNOWN_MEMBER_ID says what is the case as well, that this coordinator does not know the member, and makes every
library join again. Only for those who had joined before (member epoch above 0): a client that joins with 0 and meets
the error has another problem, and shall see it.

Members of classic groups need no help: their heartbeat is answered with UNKNOWN_MEMBER_ID anyway.
"""

from __future__ import annotations

import struct

from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import Replace, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.wire.apis import Api, understood
from appliance.wire.editing import Edit, int_at, spliced
from appliance.wire.walk import walk_of

_HEARTBEATS = frozenset({Api.CONSUMER_GROUP_HEARTBEAT, Api.SHARE_GROUP_HEARTBEAT, Api.STREAMS_GROUP_HEARTBEAT})
_MEMO = "rejoin"


class Rejoin:
    """Turns GROUP_ID_NOT_FOUND into UNKNOWN_MEMBER_ID; for routes that have been switched."""

    def wants_request(self, api_key: int, api_version: int) -> bool:
        return api_key in _HEARTBEATS and understood(api_key, api_version)

    wants_response = wants_request

    def on_request(self, question: Question) -> RequestVerdict:
        """Note whether the member had joined."""
        walk = walk_of(question.api_key, question.api_version, "request", ("member_epoch",))
        (epoch,) = walk.places(question.body, 0, len(question.body))
        question.memo[_MEMO] = int_at(question.body, epoch.start, epoch.end) > 0
        return None

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
