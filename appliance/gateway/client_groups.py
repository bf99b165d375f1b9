"""Which groups there are, who is in them, what they have committed; and a commit in the name of one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import trio
from kio.schema.errors import ErrorCode

from appliance.gateway.client_asking import Asking
from appliance.wire.apis import Api
from appliance.wire.codec import element_type, request_type

Partition = tuple[str, int]
Kind = Literal["group", "transaction"]
_KEY_TYPES: Mapping[Kind, int] = {"group": 0, "transaction": 1}
_NO_OFFSET = -1
_NO_GENERATION, _NO_MEMBER = -1, ""
"""Who commits for a group from outside; coordinators let it only where the group has no members."""
_COORDINATOR_SECONDS = 3.0
"""A cluster that was never asked for a coordinator makes their topic first."""
_COORDINATOR_EVERY = 0.1


@dataclass(frozen=True)
class Group:
    """A consumer, share or streams group."""

    name: str
    type: str
    """`classic`, `consumer` (KIP-848), `share`, `streams`; empty where the broker does not tell."""
    state: str
    clients: tuple[str, ...] = ()
    """The client ids of its members, as far as the broker tells them (classic groups)."""


class Commit(NamedTuple):
    """What a group has committed for a partition."""

    offset: int
    metadata: str = ""
    """The consumer's own; Kafka Streams keeps its time in it."""


async def groups(asking: Asking) -> list[Group]:
    """Return the groups that all coordinators know; sorted by name."""
    found: dict[str, Group] = {}
    for link in await asking.links():
        version = link.version(Api.LIST_GROUPS)
        answer = await link.ask(Api.LIST_GROUPS, request_type(Api.LIST_GROUPS, version)())
        asking.check(answer.error_code, "ListGroups")
        here = [
            Group(each.group_id, getattr(each, "group_type", "").lower(), each.group_state) for each in answer.groups
        ]
        classic = [each.name for each in here if each.type in {"", "classic"}]
        clients: dict[str, tuple[str, ...]] = {}
        if classic:
            question = request_type(Api.DESCRIBE_GROUPS, link.version(Api.DESCRIBE_GROUPS))
            described = await link.ask(
                Api.DESCRIBE_GROUPS, question(groups=tuple(classic), include_authorized_operations=False)
            )
            clients = {
                each.group_id: tuple(sorted(member.client_id for member in each.members))
                for each in described.groups
                if each.error_code is ErrorCode.none
            }
        found |= {each.name: Group(each.name, each.type, each.state, clients.get(each.name, ())) for each in here}
    return [found[name] for name in sorted(found)]


async def coordinators(asking: Asking, kind: Kind, keys: Collection[str]) -> dict[str, int]:
    """Return the node that coordinates each of these groups or transactional ids."""
    deadline = trio.current_time() + _COORDINATOR_SECONDS
    while True:
        answer = await asking.ask_any(
            Api.FIND_COORDINATOR,
            lambda version: request_type(Api.FIND_COORDINATOR, version)(
                key_type=_KEY_TYPES[kind], coordinator_keys=tuple(keys)
            ),
        )
        away = any(each.error_code is ErrorCode.coordinator_not_available for each in answer.coordinators)
        if not away or trio.current_time() >= deadline:
            break
        await trio.sleep(_COORDINATOR_EVERY)
    for each in answer.coordinators:
        asking.check(each.error_code, f"FindCoordinator for {kind} {each.key}")
    return {each.key: each.node_id for each in answer.coordinators}


async def committed(asking: Asking, names: Collection[str]) -> dict[str, Mapping[Partition, Commit]]:
    """Return what these groups have committed; a group without commits has nothing."""
    if not names:
        return {}
    by_node: dict[int, list[str]] = {}
    for name, node_id in (await coordinators(asking, "group", names)).items():
        by_node.setdefault(node_id, []).append(name)
    found: dict[str, Mapping[Partition, Commit]] = {}
    for node_id, its_groups in by_node.items():
        link = await asking.link_to(node_id)
        kind = request_type(Api.OFFSET_FETCH, link.version(Api.OFFSET_FETCH))
        group_kind = element_type(kind, "groups")
        wanted = tuple(group_kind(group_id=name, topics=None) for name in its_groups)
        answer = await link.ask(Api.OFFSET_FETCH, kind(groups=wanted, require_stable=False))
        for group in answer.groups:
            asking.check(group.error_code, f"OffsetFetch of group {group.group_id}")
            found[group.group_id] = {
                (topic.name, each.partition_index): Commit(each.committed_offset, each.metadata or "")
                for topic in group.topics
                for each in topic.partitions
                if each.error_code is ErrorCode.none and each.committed_offset > _NO_OFFSET
            }
    return found


async def commit(asking: Asking, commits: Mapping[str, Mapping[Partition, Commit]]) -> dict[str, str]:
    """Commit for groups that have no members; return those that were refused something, with Kafka's error:
    UNKNOWN_MEMBER_ID where a group has members after all."""
    refused: dict[str, str] = {}
    nodes = await coordinators(asking, "group", commits) if commits else {}
    for name, its in commits.items():
        link = await asking.link_to(nodes[name])
        answer = await link.ask(Api.OFFSET_COMMIT, _commit_of(name, its, link.version(Api.OFFSET_COMMIT)))
        for code in (each.error_code for topic in answer.topics for each in topic.partitions):
            if code is not ErrorCode.none:
                refused[name] = code.name.upper()
    return refused


def _commit_of(group: str, commits: Mapping[Partition, Commit], version: int) -> Any:
    kind = request_type(Api.OFFSET_COMMIT, version)
    topic_kind = element_type(kind, "topics")
    partition_kind = element_type(topic_kind, "partitions")
    by_topic: dict[str, list[Any]] = {}
    for (topic, partition), its in commits.items():
        by_topic.setdefault(topic, []).append(
            partition_kind(partition_index=partition, committed_offset=its.offset, committed_metadata=its.metadata)
        )
    return kind(
        group_id=group,
        generation_id_or_member_epoch=_NO_GENERATION,
        member_id=_NO_MEMBER,
        topics=tuple(topic_kind(name=topic, partitions=tuple(its)) for topic, its in by_topic.items()),
    )
