"""Slowing down those who guess: per address and per principal, with bounded memory. Time is handed in."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

_IPV6_SITE = 64
"""One subscriber has a /64 at least: its addresses are one for us."""
_LONGEST_NAME = 256


@dataclass(slots=True)
class _Trouble:
    """Failures in a row and until when no further attempt is heard."""

    failures: int = 0
    last: float = 0.0
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class ThrottleSettings:
    """How fast one may guess; all times in seconds."""

    free: int = 5
    """Failures in a row that have no consequence: a mistyped password, a client that retries while it is mended."""
    first: float = 0.5
    """The delay after the first failure beyond those; it doubles with each further one."""
    longest_address: float = 60.0
    longest_principal: float = 5.0
    """Short, as anyone can fail in somebody else's name."""
    forget: float = 600.0
    """After this long without a failure all is forgotten."""
    entries: int = 10_000
    """Of each kind; the ones that failed longest ago go first."""


class Throttle:
    """Remembers failures, and says for how long nothing is heard from where they came.

    An attempt within the delay is refused without looking at it, with the answer that a wrong password gets. A
    principal's delay does not hold for an address from which it has come in before: strangers who fail in its name
    cannot lock it out from where it is at home.
    """

    def __init__(self, settings: ThrottleSettings | None = None) -> None:
        self._settings = settings or ThrottleSettings()
        self._addresses: OrderedDict[str, _Trouble] = OrderedDict()
        self._principals: OrderedDict[str, _Trouble] = OrderedDict()
        self._homes: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait(self, name: str | None, address: str, now: float) -> float:
        """Return the seconds until an attempt in this name (None: not known yet) from this address is heard."""
        place = _place(address)
        waits = [self._left(self._addresses.get(place), now)]
        if name is not None and (_short(name), place) not in self._homes:
            waits.append(self._left(self._principals.get(_short(name)), now))
        return max(waits)

    def failed(self, name: str | None, address: str, now: float) -> None:
        """Note a failure of an attempt that was heard."""
        settings = self._settings
        self._note(self._addresses, _place(address), settings.longest_address, now)
        if name is not None:
            self._note(self._principals, _short(name), settings.longest_principal, now)

    def succeeded(self, name: str, address: str) -> None:
        """Note that this principal came in from this address.

        The address keeps its own failures: one good password does not buy guesses at others.
        """
        self._principals.pop(_short(name), None)
        home = (_short(name), _place(address))
        self._homes[home] = None
        self._homes.move_to_end(home)
        while len(self._homes) > self._settings.entries:
            self._homes.popitem(last=False)

    def _left(self, trouble: _Trouble | None, now: float) -> float:
        return 0.0 if trouble is None else max(0.0, trouble.until - now)

    def _note(self, kept: OrderedDict[str, _Trouble], key: str, longest: float, now: float) -> None:
        settings = self._settings
        trouble = kept.setdefault(key, _Trouble())
        if now - trouble.last > settings.forget:
            trouble.failures = 0
        trouble.failures += 1
        trouble.last = now
        beyond = trouble.failures - settings.free
        if beyond > 0:
            doublings = min(beyond - 1, 32)  # beyond every limit, and no float overflows
            trouble.until = now + min(longest, settings.first * 2**doublings)
        kept.move_to_end(key)
        while len(kept) > settings.entries:
            kept.popitem(last=False)


def _short(name: str) -> str:
    return name[:_LONGEST_NAME]


def _place(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:_LONGEST_NAME]
    if parsed.version == 6:
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_SITE), strict=False))
    return str(parsed)
