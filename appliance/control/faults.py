"""The faults of this gateway: waiting, active, over. Time is handed in; whoever holds the board sweeps it.

A fault is a lease: it is over when its duration has passed, when nobody renewed it for its lease, or when it
is removed. What is over never comes back; it stays readable until a fault of the same name replaces it. Striking and
counting is done where the traffic is, by what `armoury` makes of the faults in the editions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from appliance.control.armoury import KEPT_AFTER_THE_END, Arm
from appliance.control.edition import FaultInForce
from appliance.control.errors import ConflictError, UnfitError, UnknownError
from appliance.resources.fault import Fault

FaultState = Literal["pending", "active", "ended", "lapsed", "removed"]


@dataclass
class LiveFault:
    """One fault on the board. Instants are on the clock of whoever sweeps."""

    fault: Fault
    arming: int
    """Its number among all that were ever put on the board."""
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

    def in_force(self, now: float) -> FaultInForce:
        """Return it as the data path is told of it."""
        left = min(self.ends_at, self.lapses_at) - now
        return FaultInForce(name=self.fault.name, arming=self.arming, spec=self.fault.spec, seconds_left=left)

    def next_instant(self) -> float:
        """Return when its state changes by itself; infinity when never."""
        if not self.alive:
            return math.inf
        return min(self.starts_at if self.state == "pending" else math.inf, self.ends_at, self.lapses_at)


class FaultBoard:
    """All faults by name. `arm` tries a fault and raises ValueError for one that no broker could cause."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._faults: dict[str, LiveFault] = {}
        self._armings = 0

    def put(self, fault: Fault, now: float) -> Literal["created", "changed", "unchanged"]:
        """Arm a fault; one that is alive and the same is renewed instead. Raises UnfitError,
        ConflictError."""
        before = self._faults.get(fault.name)
        if before is not None and before.alive and before.fault == fault:
            before.lapses_at = now + fault.spec.lease
            return "unchanged"
        self._refuse_a_second_outage(fault)
        try:
            self._arm(fault.name, fault.spec)
        except ValueError as error:
            raise UnfitError(f"Fault {fault.name} is refused", [f"spec: {error}"]) from error
        self._armings += 1
        starts_at = now + fault.spec.starts_in
        live = LiveFault(fault, self._armings, starts_at, starts_at + fault.spec.duration, now + fault.spec.lease)
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

    def active(self) -> list[LiveFault]:
        """Return the active ones, in the order in which they were armed."""
        return [each for each in self._faults.values() if each.state == "active"]

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
