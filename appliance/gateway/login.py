"""A client's SASL conversation, carried out: `identity` says what is to be done, this does the waiting."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from appliance.gateway.audit import audit
from appliance.gateway.key_sets import fetched
from appliance.gateway.tallies import Tallies
from appliance.identity.conversation import Conversation
from appliance.identity.steps import Accepted, Failed, Reply, Step, WantKeys, Work

log = logging.getLogger("tidegate.gateway")


@dataclass(frozen=True)
class Outcome:
    """What a client gets for a SASL request of its."""

    body: bytes | None = field(repr=False)
    """None: nothing."""
    close: bool = False
    """Close the connection when it has been sent."""


class Logins:
    """What the logins of a process share: few threads for what is slow, so that a storm of clients that reconnect
    leaves the cores to those that are there. `wall` gives Unix time in seconds."""

    def __init__(self, wall: Callable[[], float], tallies: Tallies, threads: int = 2) -> None:
        self.wall = wall
        self.tallies = tallies
        self._limiter = trio.CapacityLimiter(threads)

    async def request(
        self, conversation: Conversation, api_key: int, api_version: int, body: bytes, *, who: dict[str, object]
    ) -> Outcome:
        """Take a SaslHandshake or SaslAuthenticate request; `who` says in the audit trail where it comes from."""
        return await self._carried_out(conversation, conversation.request(api_key, api_version, body, self.wall()), who)

    async def token(self, conversation: Conversation, token: bytes, *, who: dict[str, object]) -> Outcome:
        """Take a bare token, as they follow SaslHandshake v0."""
        return await self._carried_out(conversation, conversation.token(token, self.wall()), who)

    async def _carried_out(self, conversation: Conversation, step: Step, who: dict[str, object]) -> Outcome:
        while True:
            match step:
                case Reply(body, close):
                    return Outcome(body, close)
                case Work(run):
                    result = await trio.to_thread.run_sync(run, limiter=self._limiter)
                    step = conversation.resume(self.wall(), result)
                case WantKeys(keys, seen):
                    await fetched(keys, seen, self.wall)
                    step = conversation.resume(self.wall())
                case Accepted():
                    event = "reauthenticated" if step.reauthenticated else "authenticated"
                    audit(event, **who, principal=str(step.principal), mechanism=step.principal.mechanism)
                    self.tallies.authenticated(who, step.principal.mechanism, "accepted")
                    return Outcome(step.body)
                case Failed():
                    audit(
                        "authentication failed",
                        **who,
                        mechanism=step.mechanism,
                        claimed=step.claimed,
                        reason=step.reason,
                    )
                    self.tallies.authenticated(who, step.mechanism, "refused")
                    await trio.sleep(step.hold)
                    return Outcome(step.body, step.close)
