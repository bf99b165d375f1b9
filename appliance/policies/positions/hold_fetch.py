"""Fetch of a group's member waits after a switch until its group has given it positions of the new side.

Until its coordinator disowns it (a heartbeat away), a member fetches on at positions of the old side: out of range, or
in range and wrong. So its Fetch finds nothing new meanwhile: it is held as long as the client itself said that a
broker may (`max_wait_ms`), and half a second at the most, then answered without records, as a broker does that has
none. Rejected: holding it until the group is ready. What is behind it on the connection would be held too, and among
that can be the Metadata without which the client cannot rejoin; and kafkajs, which lets a broker wait for 5 s, speaks
for its member only between two fetches.

After `limit` seconds the instance is let go, `then` saying how. `error`: every partition is answered with
NOT_LEADER_OR_FOLLOWER, the one error at which all libraries ask for Metadata and try again, and the limit begins anew
as long as some member of the instance was heard of on the new side; one that is silent is a client that has stopped
being a member. `pass`: at its old positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from kio.schema.errors import ErrorCode

from appliance.exchange.interceptor import AskAgain, Reply, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.policies.positions.fetch_answers import max_wait_of, no_records
from appliance.policies.positions.members import Instance, Members, instance_of
from appliance.wire.apis import Api, understood

_MEMO = "hold_fetch"
_FIRST_LOOK, _LONGEST_LOOK = 0.05, 0.2
"""Seconds between two looks at whether the group is ready: ten thousand clients must not look all the time."""
_SHORTEST_WAIT = 0.1
"""For clients that ask to be answered at once: they would ask without pause."""
_LONGEST_WAIT = 0.5
"""For clients that look after their group when a Fetch is answered."""


@dataclass(frozen=True)
class Held:
    """A client instance whose Fetch is held, for status."""

    client_id: str
    host: str
    groups: Mapping[str, int]
    """Group -> members that have not looked at their offsets yet."""
    seconds: float
    """How long by now."""


class Holding:
    """Who is held since when; shared by all connections of a virtual cluster, outlives snapshots."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self.since: dict[Instance, float] = {}

    def held(self, now: float) -> list[Held]:
        """Return whose Fetch is held."""
        owing = {instance: owed for instance, owed in self.members.owing() if instance in self.since}
        return [
            Held(instance.client_id, instance.host, dict(owed), now - self.since[instance])
            for instance, owed in owing.items()
        ]


class HoldFetch:
    """For routes that have been switched; costs a look into a dictionary for instances that owe nothing."""

    def __init__(
        self,
        holding: Holding,
        serving: str,
        clock: Callable[[], float],
        *,
        limit: float,
        then: Literal["error", "pass"] = "error",
    ) -> None:
        self._holding = holding
        self._serving = serving
        self._clock = clock
        self._limit = limit
        self._then = then

    def wants_request(self, api_key: int, api_version: int) -> bool:
        return api_key == Api.FETCH and understood(api_key, api_version)

    def wants_response(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - none, whatever it is
        return False

    def on_request(self, question: Question) -> RequestVerdict:
        """Hold it, answer it in the broker's place, or let it go."""
        holding, instance = self._holding, instance_of(question)
        if question.knowledge.cluster != self._serving:
            return None
        if not holding.members.owed(instance):
            holding.since.pop(instance, None)
            return None
        now = self._clock()
        if now - holding.since.setdefault(instance, now) >= self._limit:
            return self._let_go(question, instance, now)
        asked = question.memo.setdefault(_MEMO, now)
        assert isinstance(asked, float)
        waited, longest = now - asked, min(max(max_wait_of(question), _SHORTEST_WAIT), _LONGEST_WAIT)
        if waited >= longest:
            return Reply(no_records(question))
        return AskAgain(min(max(waited, _FIRST_LOOK), _LONGEST_LOOK, longest - waited))

    def on_response(self, answer: Answer) -> ResponseVerdict:  # noqa: ARG002 - none is wanted
        """Never called."""
        return None

    def _let_go(self, question: Question, instance: Instance, now: float) -> RequestVerdict:
        if self._then == "pass" or self._holding.members.is_silent(instance):
            self._holding.members.acquit(instance)
            self._holding.since.pop(instance, None)
            return None
        self._holding.since[instance] = now
        return Reply(no_records(question, ErrorCode.not_leader_or_follower))
