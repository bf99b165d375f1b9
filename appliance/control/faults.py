"""The faults of this gateway: armed, waiting, active, over. Time is handed in; whoever holds the board sweeps
it.

A fault is a lease: it is over when its duration has passed, when nobody renewed it for its lease, or when it
is removed. What is over never comes back; its counters stay readable until a fault of the same name replaces
it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from appliance.control.errors import ConflictError, UnfitError, UnknownError
from appliance.exchange.interceptor import Interceptor, Outage
from appliance.resources.fault import Fault, FaultSpec

FaultState = Literal["pending", "active", "ended", "lapsed", "removed"]
KEPT_AFTER_THE_END = 200


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


@dataclass
class LiveFault:
    """One fault on the board. Instants are on the clock of whoever sweeps."""

    fault: Fault
    armed: Armed
    starts_at: float
    ends_at: float
    lapses_at: float
    state: FaultState = "pending"

    @property
    def alive(self) -> bool:
        """Whether it is pending or active."""
        return self.state in {"pending", "active"}

    def settle(self, now: float) -> None:
        """Bring the state up to this instant."""
        if self.alive:
            if now >= min(self.ends_at, self.lapses_at):
                self.state = "ended" if self.ends_at <= self.lapses_at else "lapsed"
            elif now >= self.starts_at:
                self.state = "active"

    def next_instant(self) -> float:
        """Return when its state changes by itself; infinity when never."""
        if not self.alive:
            return math.inf
        return min(self.starts_at if self.state == "pending" else math.inf, self.ends_at, self.lapses_at)


class FaultBoard:
    """All faults by name. `arm` makes a fault ready and raises ValueError for one that no broker could
    cause."""

    def __init__(self, arm: Callable[[str, FaultSpec], Armed]) -> None:
        self._arm = arm
        self._faults: dict[str, LiveFault] = {}

    def put(self, fault: Fault, now: float) -> Literal["created", "changed", "unchanged"]:
        """Arm a fault; one that is alive and the same is renewed instead. Raises UnfitError,
        ConflictError."""
        before = self._faults.get(fault.name)
        if before is not None and before.alive and before.fault == fault:
            before.lapses_at = now + fault.spec.lease
            return "unchanged"
        self._refuse_a_second_outage(fault)
        try:
            armed = self._arm(fault.name, fault.spec)
        except ValueError as error:
            raise UnfitError(f"Fault {fault.name} is refused", [f"spec: {error}"]) from error
        starts_at = now + fault.spec.starts_in
        live = LiveFault(fault, armed, starts_at, starts_at + fault.spec.duration, now + fault.spec.lease)
        live.settle(now)
        self._faults.pop(fault.name, None)
        self._faults[fault.name] = live
        self._forget_the_oldest()
        return "created" if before is None else "changed"

    def get(self, name: str) -> LiveFault:
        """Return a fault, alive or over. Raises UnknownError."""
        if name not in self._faults:
            raise UnknownError(f"there is no Fault {name}")
        return self._faults[name]

    def all(self) -> list[LiveFault]:
        """Return all faults, those that are over included, by name."""
        return [self._faults[name] for name in sorted(self._faults)]

    def alive(self) -> list[LiveFault]:
        """Return the pending and active ones, in the order in which they were armed."""
        return [each for each in self._faults.values() if each.alive]

    def active(self, virtual_cluster: str) -> list[LiveFault]:
        """Return the active ones of a virtual cluster, in the order in which they were armed."""
        return [
            each
            for each in self._faults.values()
            if each.state == "active" and each.fault.spec.virtual_cluster == virtual_cluster
        ]

    def renew(self, name: str, now: float) -> LiveFault:
        """Renew the lease. Raises UnknownError, ConflictError when the fault is over."""
        live = self.get(name)
        live.settle(now)
        if not live.alive:
            raise ConflictError(f"Fault {name} cannot be renewed: it is over ({live.state}); put it again")
        live.lapses_at = now + live.fault.spec.lease
        return live

    def remove(self, name: str) -> LiveFault:
        """End a fault now; one that is over stays as it is. Raises UnknownError."""
        live = self.get(name)
        if live.alive:
            live.state = "removed"
        return live

    def settle(self, now: float) -> None:
        """Bring all faults up to this instant."""
        for live in self._faults.values():
            live.settle(now)

    def next_instant(self) -> float:
        """Return when the state of a fault changes by itself; infinity when never."""
        return min((live.next_instant() for live in self._faults.values()), default=math.inf)

    def _refuse_a_second_outage(self, fault: Fault) -> None:
        if fault.spec.outage is None:
            return
        for other in self.alive():
            spec = other.fault.spec
            if (
                other.fault.name != fault.name
                and spec.outage is not None
                and (spec.virtual_cluster, spec.outage.cluster)
                == (fault.spec.virtual_cluster, fault.spec.outage.cluster)
            ):
                raise ConflictError(
                    f"Fault {other.fault.name} makes {spec.outage.cluster} unreachable for "
                    f"{spec.virtual_cluster} already: delete it first"
                )

    def _forget_the_oldest(self) -> None:
        over = [name for name, live in self._faults.items() if not live.alive]
        for name in over[: max(0, len(over) - KEPT_AFTER_THE_END)]:
            del self._faults[name]
