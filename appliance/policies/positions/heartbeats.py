"""Members of the newer group protocols tell that they live a little more often where a switchover may come.

It is the answer to a heartbeat that tells a member that another cluster serves, and that it has to join there. When to
send the next one its coordinator says: every five seconds by default (`group.consumer.heartbeat.interval.ms`, KIP-848;
KIP-932 and KIP-1071 have the same field). So a switchover, planned or not, would leave a member without records for
that long at the worst. It is told two seconds at the most; what coordinators take for the end of a member stays as it
is.

Members of classic groups have their interval in their own settings.
"""

from __future__ import annotations

import struct

from appliance.exchange.interceptor import RequestVerdict, ResponseVerdict, written
from appliance.exchange.message import Answer, Question
from appliance.wire.apis import GROUP_HEARTBEATS, understood
from appliance.wire.editing import int_at, writable
from appliance.wire.walk import walk_of

MOST_MILLISECONDS = 2000
_INTERVAL = struct.Struct(">i")


class Heartbeats:
    """Shortens the interval in the answers to the heartbeats of consumer, share and streams groups."""

    def wants_request(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - the answers only
        return False

    def wants_response(self, api_key: int, api_version: int) -> bool:
        return api_key in GROUP_HEARTBEATS and understood(api_key, api_version)

    def on_request(self, question: Question) -> RequestVerdict:  # noqa: ARG002 - never asked
        """Let it pass."""
        return None

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Say when the next heartbeat is due; an answer with an error says 0."""
        question = answer.question
        walk = walk_of(question.api_key, question.api_version, "response", ("heartbeat_interval",))
        (interval,) = walk.places(answer.body, 0, len(answer.body))
        milliseconds = int_at(answer.body, interval.start, interval.end)
        out = writable(answer.body)
        _INTERVAL.pack_into(out, interval.start, min(milliseconds, MOST_MILLISECONDS))
        return written(answer.body, out)
