"""What the connections of one listener share, across all its doors and for as long as there is any."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.exchange.measures import Series
from appliance.exchange.shared_answers import SharedAnswers
from appliance.gateway.admission import Admission
from appliance.gateway.budget import Budget
from appliance.gateway.buffers import REQUEST_BYTES, RESPONSE_BYTES, Buffers, Memory
from appliance.gateway.reactor import Reactor
from appliance.gateway.snapshot import Door


class Share:
    """Of one listener."""

    def __init__(self, door: Door, requests: Buffers, responses: Buffers) -> None:
        self.admission = Admission()
        self.memory = Memory(Budget(door.spec.limits.buffered), requests, responses)
        self.answers = SharedAnswers(Reactor.clock)


class Shares:
    """Of all listeners of a process, which have the spare buffers in common."""

    def __init__(self) -> None:
        self._requests = Buffers(REQUEST_BYTES)
        self._responses = Buffers(RESPONSE_BYTES)
        self._of: dict[str, Share] = {}

    def of(self, door: Door) -> Share:
        """Return what the connections of this listener share."""
        found = self._of.get(door.name)
        if found is None:
            found = self._of[door.name] = Share(door, self._requests, self._responses)
        return found

    def pause(self, door: Door) -> float:
        """Return the seconds until one more connection keeps to the listener's rate."""
        return self.of(door).admission.pause(door.spec.limits, Reactor.clock())

    def end_the_slow(self, doors: Iterable[Door]) -> None:
        """Close connections that hold an unfinished message longer than their listener allows, and let nobody wait any
        longer for the answer to what somebody else has asked."""
        for share in self._of.values():
            share.answers.give_up_on_the_slow()
        now = Reactor.clock()
        for door in doors:
            limits, budget = door.spec.limits, self.of(door).memory.budget
            budget.limit = limits.buffered
            budget.end_those_since(
                now - limits.unfinished,
                f"a message was not complete after {limits.unfinished:g} s (limits.unfinished)",
            )

    @property
    def buffered(self) -> Series:
        """Bytes held for unfinished messages, by listener."""
        return tuple(((name,), each.memory.budget.held) for name, each in self._of.items())
