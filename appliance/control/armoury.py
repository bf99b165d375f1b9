"""The faults of the editions, made ready in this process; each lives, and counts, across editions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from appliance.control.edition import FaultInForce
from appliance.exchange.interceptor import Interceptor, Outage
from appliance.resources.fault import FaultSpec

KEPT_AFTER_THE_END = 200
"""Faults whose counters can still be read when no edition has them any more."""


class Counters(Protocol):
    """What an armed fault counts."""

    @property
    def matched(self) -> int: ...
    @property
    def fired(self) -> int: ...
    @property
    def skipped(self) -> Mapping[str, int]: ...
    @property
    def clients(self) -> set[str]: ...


class Armed(Protocol):
    """A fault made ready by `chaos`."""

    @property
    def counters(self) -> Counters: ...
    @property
    def interceptor(self) -> Interceptor | None: ...
    @property
    def outage(self) -> Outage | None: ...


Count = Callable[[], int]
"""Counts one more request that a fault matches; returns how many there have been, this one included."""


class Arm(Protocol):
    """Makes a fault ready. Raises ValueError for one that no broker could cause."""

    def __call__(self, name: str, spec: FaultSpec, count: Count | None = None) -> Armed:
        """`count` is what its trigger goes by, where other processes count too."""


@dataclass(frozen=True)
class FaultCounts:
    """What a fault has counted up to now."""

    matched: int = 0
    fired: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    clients: frozenset[str] = frozenset()


class Armoury:
    """Holds every fault from the first edition that has it on.

    `counts` has, by arming, the counts that are shared with other processes; a fault without one is counted here alone.
    """

    def __init__(self, arm: Arm, counts: Mapping[int, Count] = MappingProxyType({})) -> None:
        self._arm = arm
        self._shared = counts
        self._armed: dict[int, Armed] = {}
        """By arming, the oldest first."""

    def ready(self, faults: Iterable[FaultInForce]) -> dict[int, Armed]:
        """Return these faults, armed, by their arming; those that are here already as they are."""
        here = {each.arming: self._armed.get(each.arming) or self._arm_first(each) for each in faults}
        self._armed |= here
        self._forget_the_oldest(here)
        return here

    def counts(self) -> dict[int, FaultCounts]:
        """Return what each fault has counted, also of those that are over."""
        return {arming: _counts(armed.counters) for arming, armed in self._armed.items()}

    def counts_of(self, arming: int) -> FaultCounts:
        """Return what one fault has counted; nothing yet where no edition had it."""
        armed = self._armed.get(arming)
        return _counts(armed.counters) if armed is not None else FaultCounts()

    def _arm_first(self, fault: FaultInForce) -> Armed:
        return self._arm(fault.name, fault.spec, self._shared.get(fault.arming))

    def _forget_the_oldest(self, needed: Mapping[int, Armed]) -> None:
        over = [arming for arming in self._armed if arming not in needed]
        for arming in over[: max(0, len(over) - KEPT_AFTER_THE_END)]:
            del self._armed[arming]


def _counts(counters: Counters) -> FaultCounts:
    return FaultCounts(counters.matched, counters.fired, dict(counters.skipped), frozenset(counters.clients))
