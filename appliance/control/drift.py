"""In what two clusters differ that ought to be alike before one takes the other's place. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.control.plan import Finding
from appliance.gateway.client import AclEntry
from appliance.wire.apis import name_of

Topics = Mapping[str, tuple[int, ...]]
CONFIGS: Mapping[str, str] = {
    "cleanup.policy": "records would be kept, or thrown away, by other rules",
    "retention.ms": "records would be kept for another time",
    "retention.bytes": "records would be kept up to another size",
    "min.insync.replicas": "an acknowledged write would be on another number of replicas",
    "max.message.bytes": "a record of a size that is taken here may be refused there",
    "compression.type": "records would be compressed anew by the broker",
    "message.timestamp.type": "readers would see other times",
}
"""The settings of a topic that clients can tell, and what they would notice."""
_SHOWN = 20
"""Findings of one kind that are told one by one."""


@dataclass(frozen=True)
class Inventory:
    """What a cluster has. What could not be asked is None, and `unasked` says why."""

    name: str
    topics: Topics
    configs: Mapping[str, Mapping[str, str]] | None = None
    acls: frozenset[AclEntry] | None = None
    secured: bool | None = None
    """Whether there is an authorizer."""
    versions: Mapping[int, tuple[int, int]] | None = None
    committed: Mapping[str, int] | None = None
    """Group -> for how many partitions it has committed offsets."""
    unasked: Mapping[str, str] = field(default_factory=dict)
    """What was asked in vain -> why."""


def drift(source: Inventory, target: Inventory) -> list[Finding]:
    """Return in what the target falls short, the worst first."""
    found = [
        *_topics(source, target),
        *_configs(source, target),
        *_acls(source, target),
        *_groups(source, target),
        *_versions(source, target),
        *_unasked(source),
        *_unasked(target),
    ]
    return sorted(found, key=lambda each: each.severity)


def _topics(source: Inventory, target: Inventory) -> list[Finding]:
    found = []
    for topic, partitions in sorted(source.topics.items()):
        there = target.topics.get(topic)
        if there is None:
            found.append(
                Finding(
                    "blocks",
                    f"topic {topic}",
                    f"it on {target.name}, as on {source.name}",
                    "no such topic",
                    "create it, or let the replication carry it",
                )
            )
        elif len(there) < len(partitions):
            found.append(
                Finding(
                    "blocks",
                    f"topic {topic}",
                    f"{len(partitions)} partitions on {target.name}, as on {source.name}",
                    f"{len(there)}",
                    "add partitions there",
                )
            )
        elif len(there) > len(partitions):
            found.append(
                Finding(
                    "warns",
                    f"topic {topic}",
                    f"{len(partitions)} partitions on {target.name}, as on {source.name}",
                    f"{len(there)}",
                    "keys will come to lie in other partitions",
                )
            )
    return found


def _configs(source: Inventory, target: Inventory) -> list[Finding]:
    if source.configs is None or target.configs is None:
        return []
    found = []
    for topic in sorted(source.configs.keys() & target.configs.keys()):
        here, there = source.configs[topic], target.configs[topic]
        for name, consequence in CONFIGS.items():
            if name in here and here[name] != there.get(name, here[name]):
                found.append(
                    Finding(
                        "warns",
                        f"topic {topic}",
                        f"{name}={here[name]} on {target.name}, as on {source.name}",
                        f"{name}={there[name]}",
                        f"set it alike, or {consequence}",
                    )
                )
    return _shortened(found, "settings of topics", target.name)


def _acls(source: Inventory, target: Inventory) -> list[Finding]:
    if source.secured is None or target.secured is None:
        return []
    if source.secured != target.secured:
        words = {True: "an authorizer", False: "no authorizer"}
        return [
            Finding(
                "warns",
                f"cluster {target.name}",
                f"{words[source.secured]}, as on {source.name}",
                words[target.secured],
                "clients will be allowed other things there",
            )
        ]
    missing = (source.acls or frozenset()) - (target.acls or frozenset())
    found = [
        Finding(
            "warns",
            f"ACL {entry}",
            f"it on {target.name}, as on {source.name}",
            "no such ACL",
            "create it, or its principal is refused there (or, for DENY, let in)",
        )
        for entry in sorted(missing)
    ]
    return _shortened(found, "ACLs", target.name)


def _groups(source: Inventory, target: Inventory) -> list[Finding]:
    if source.committed is None or target.committed is None:
        return []
    found = [
        Finding(
            "warns",
            f"group {name}",
            f"committed offsets on {target.name}, for the {partitions} partitions that it has them for on "
            f"{source.name}",
            f"offsets for {target.committed.get(name, 0)}",
            f"a planned switchover writes them; for the day when {source.name} is lost, see that the replication syncs "
            "group offsets (sync.group.offsets.enabled), or the group begins where its reset policy says",
        )
        for name, partitions in sorted(source.committed.items())
        if target.committed.get(name, 0) < partitions
    ]
    return _shortened(found, "groups", target.name)


def _versions(source: Inventory, target: Inventory) -> list[Finding]:
    if source.versions is None or target.versions is None:
        return []
    lower = [
        f"{name_of(key)} {target.versions[key][1] if key in target.versions else 'absent'} (here {high})"
        for key, (_, high) in sorted(source.versions.items())
        if key not in target.versions or target.versions[key][1] < high
    ]
    if not lower:
        return []
    return [
        Finding(
            "warns",
            f"cluster {target.name}",
            f"API versions as on {source.name}",
            f"lower ones: {', '.join(lower[:_SHOWN])}" + (" and more" if len(lower) > _SHOWN else ""),
            "clients that use them negotiate anew when they reconnect; features that need them are gone",
        )
    ]


def _unasked(inventory: Inventory) -> list[Finding]:
    return [
        Finding(
            "warns",
            f"cluster {inventory.name}",
            f"an answer about {what}",
            why,
            "it is not compared: allow the gateway to describe it",
        )
        for what, why in inventory.unasked.items()
    ]


def _shortened(found: list[Finding], what: str, target: str) -> list[Finding]:
    if len(found) <= _SHOWN:
        return found
    rest = Finding(
        "warns", f"cluster {target}", f"the same {what} on both sides", f"{len(found) - _SHOWN} more that differ",
        "compare them before the switchover",
    )  # fmt: skip
    return [*found[:_SHOWN], rest]
