"""Which client instances are members of groups, and which of them still owe the new side a look at their offsets.

A Fetch does not say which group it is for, and goes over another connection than the group's own requests. What ties
the connections of one client together is its client id and the host that it comes from. Clients that share both (the
same default client id on one machine, or everyone behind a load balancer that hides hosts) are one instance here: it
owes as many looks as it had members.

A look is the new side's answer to OffsetFetch, or its good answer to the heartbeat of a member that has joined there
(one without partitions never asks for offsets). Heard are only requests of members (SyncGroup and heartbeats):
OffsetFetch alone is what tools and assigned consumers send too.

Where several processes serve, a client's Fetch and its group's requests may come to different ones: what one of them
hears is `News` for all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from appliance.exchange.message import Peer, Question

FORGOTTEN_AFTER = 45.0
"""Seconds without a word after which a member is none any more: the longest default session timeout of the common
clients, after which its coordinator has forgotten it too."""
TOLD_AGAIN_AFTER = 15.0
"""Seconds after which a member that is still heard of is news again: others must not forget it."""
_MOST_INSTANCES = 100_000
"""Client ids come from clients: a hostile one must not fill the memory with them."""


class Instance(NamedTuple):
    """What is taken for one client."""

    client_id: str
    host: str


def instance_of(question: Question) -> Instance:
    """Return whose request this is."""
    return Instance(question.client_id, question.peer.host)


class News(NamedTuple):
    """Something that one process heard and others have to know."""

    what: Literal["heard", "left", "looked", "born"]
    client_id: str
    host: str
    group: str
    """For `born` the transactional id."""
    who: str
    """The member id; for `looked` the connection, which is host and port, for `born` the transaction's timeout."""


@dataclass
class _Standing:
    members: dict[tuple[str, str], float] = field(default_factory=dict)
    """(Group, member id) -> when it was last heard of, on the side that serves."""
    owed: dict[str, int] = field(default_factory=dict)
    """Group -> how many of its members have not been seen to look at their offsets since the switch."""
    told: dict[tuple[str, str], float] = field(default_factory=dict)
    """Members -> when others were last told of them."""
    seen: set[tuple[str, str]] = field(default_factory=set)
    """(Group, connection) -> looks that were counted."""
    heard_since: bool = False
    """Some request of a member came on the new side since the switch."""


class Members:
    """Shared by all connections of a virtual cluster; outlives snapshots. `tell` is called with what is news."""

    def __init__(self, tell: Callable[[News], None] | None = None) -> None:
        self._tell = tell
        self._instances: dict[Instance, _Standing] = {}
        self._switches = 0
        self._had: frozenset[str] = frozenset()
        self._left_behind: frozenset[tuple[str, str]] = frozenset()
        self._forgot_at = float("-inf")

    def heard(self, instance: Instance, group: str, member: str, now: float) -> None:
        """Take note of a member's request to the cluster that serves."""
        standing = self._instances.get(instance)
        if standing is None:
            if len(self._instances) >= _MOST_INSTANCES and now - self._forgot_at > FORGOTTEN_AFTER:
                self._forget(now)
            if len(self._instances) >= _MOST_INSTANCES:
                return
            standing = self._instances[instance] = _Standing()
        standing.members[group, member] = now
        standing.heard_since = True
        if self._tell is not None and now - standing.told.get((group, member), float("-inf")) > TOLD_AGAIN_AFTER:
            standing.told[group, member] = now
            self._tell(News("heard", *instance, group, member))

    def left(self, instance: Instance, group: str, member: str) -> None:
        """Take note that a member leaves by itself."""
        standing = self._instances.get(instance)
        if standing is not None and standing.members.pop((group, member), None) is not None:
            standing.told.pop((group, member), None)
            if self._tell is not None:
                self._tell(News("left", *instance, group, member))

    def take(self, news: News, now: float) -> None:
        """Take note of what another process heard."""
        tell, self._tell = self._tell, None
        try:
            instance = Instance(news.client_id, news.host)
            if news.what == "heard":
                self.heard(instance, news.group, news.who, now)
            elif news.what == "left":
                self.left(instance, news.group, news.who)
            else:
                self._looked(instance, news.group, news.who)
        finally:
            self._tell = tell

    def switched(self, times: int, now: float) -> None:
        """Take note that another cluster serves from now on: whoever is a member has to look at its offsets anew."""
        if times <= self._switches:
            return
        self._switches = times
        self._forget(now)
        self._left_behind = frozenset(member for each in self._instances.values() for member in each.members)
        self._had = frozenset(group for group, _ in self._left_behind)
        for standing in self._instances.values():
            owed = dict(standing.owed)
            for group in {group for group, _ in standing.members}:
                owed[group] = max(owed.get(group, 0), sum(1 for its, _ in standing.members if its == group))
            standing.owed, standing.members, standing.told = owed, {}, {}
            standing.seen, standing.heard_since = set(), False

    def looked(self, instance: Instance, group: str, connection: Peer) -> None:
        """Take note that a member has looked at its group's offsets on the new side, over this connection."""
        self._looked(instance, group, f"{connection.host}:{connection.port}")

    def _looked(self, instance: Instance, group: str, connection: str) -> None:
        standing = self._instances.get(instance)
        if standing is None or group not in standing.owed or (group, connection) in standing.seen:
            return
        standing.seen.add((group, connection))
        standing.owed[group] -= 1
        if not standing.owed[group]:
            del standing.owed[group]
        if self._tell is not None:
            self._tell(News("looked", *instance, group, connection))

    def owed(self, instance: Instance) -> Mapping[str, int]:
        """Return the groups of which this instance has members with positions from before the switch."""
        standing = self._instances.get(instance)
        return standing.owed if standing is not None else {}

    def had(self, group: str) -> bool:
        """Whether the group had members when the last switch came."""
        return group in self._had

    def left_behind(self, group: str, member: str) -> bool:
        """Whether it was a member when the last switch came, by an id that the side then serving had given it."""
        return (group, member) in self._left_behind

    def is_silent(self, instance: Instance) -> bool:
        """Whether no member of the instance has been heard of since the switch."""
        standing = self._instances.get(instance)
        return standing is None or not standing.heard_since

    def acquit(self, instance: Instance) -> None:
        """Take it that the instance has no positions from before the switch any more."""
        standing = self._instances.get(instance)
        if standing is not None:
            standing.owed.clear()

    def owing(self) -> Iterator[tuple[Instance, Mapping[str, int]]]:
        """Return all instances that owe a look."""
        return ((instance, standing.owed) for instance, standing in self._instances.items() if standing.owed)

    def _forget(self, now: float) -> None:
        self._forgot_at = now
        for instance, standing in list(self._instances.items()):
            for member, heard in list(standing.members.items()):
                if now - heard > FORGOTTEN_AFTER:
                    del standing.members[member]
                    standing.told.pop(member, None)
            if not standing.members and not standing.owed:
                del self._instances[instance]
