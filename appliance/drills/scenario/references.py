"""Names that must exist, and rules between parts of a scenario.

Works on the document rather than on the finished model: a mistake in one part must not hide an unknown name
in another. Parts that are wrong in themselves are left out here (the model says what is wrong with them), but
their names count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from appliance.drills.scenario.judging import Objective, SteadyState
from appliance.drills.scenario.lab import Replication, TopicPlan, VirtualClusterPlan
from appliance.drills.scenario.steps import FaultAction, LabAction, Step, Turns
from appliance.drills.scenario.traffic import BASELINE, Client
from appliance.resources.documents import Document, Path_, Problem

Part = TypeVar("Part")
_STEADY_STATE: TypeAdapter[Any] = TypeAdapter(SteadyState)
_OBJECTIVE: TypeAdapter[Any] = TypeAdapter(Objective)
_CONSUMERS_METRICS = ("redelivered.records", "skipped.records", "deliver.rate")
_ANYONES_METRICS = ("reordered.records", "recovery.first_success", "recovery.stable", "unavailability.longest")


def reference_problems(document: Document) -> list[Problem]:
    """Return what does not fit together in a scenario's document."""
    parts = _Parts.of(document)
    return [
        document.problem(path, message)
        for rule in (
            _names_once,
            _lab_problems,
            _traffic_problems,
            _step_problems,
            _turns_problems,
            _judging_problems,
        )
        for path, message in rule(parts)
    ]


Found = Iterator[tuple[Path_, str]]


@dataclass(frozen=True)
class _Parts:
    """What of a document can be read as what it should be, with its place there."""

    clusters: list[str]
    topics: list[str]
    client_names: list[tuple[int, str]]
    step_ids: list[tuple[int, str]]
    partitions: dict[str, int]
    plans: dict[str, TopicPlan]
    replication: Replication | None
    virtual_cluster: VirtualClusterPlan | None
    clients: list[tuple[int, Client]]
    steps: list[tuple[int, Step]]
    judged: list[tuple[Path_, Any]]

    @classmethod
    def of(cls, document: Document) -> _Parts:
        whole = _mapping(document.data)
        lab = _mapping(whole.get("lab"))
        traffic, steps = _sequence(whole.get("traffic")), _sequence(whole.get("steps"))
        topics = {name: plan for name, each in _mapping(lab.get("topics")).items() if (plan := _read(TopicPlan, each))}
        return cls(
            clusters=list(_mapping(lab.get("clusters"))),
            topics=list(_mapping(lab.get("topics"))),
            client_names=_named(traffic, "name"),
            step_ids=_named(steps, "id"),
            partitions={name: plan.partitions for name, plan in topics.items()},
            plans=topics,
            replication=_read(Replication, lab.get("replication")),
            virtual_cluster=_read(VirtualClusterPlan, lab.get("virtual_cluster")),
            clients=[(index, client) for index, each in enumerate(traffic) if (client := _read(Client, each))],
            steps=[(index, step) for index, each in enumerate(steps) if (step := _read(Step, each))],
            judged=[
                ((key, index), part)
                for key, adapter in (("steady_state", _STEADY_STATE), ("objectives", _OBJECTIVE))
                for index, each in enumerate(_sequence(whole.get(key)))
                if (part := _read(adapter, each))
            ],
        )

    def client(self, name: str) -> Client | None:
        return next((client for _, client in self.clients if client.name == name), None)

    def knows_client(self, name: str) -> bool:
        return any(known == name for _, known in self.client_names)


def _mapping(data: object) -> Mapping[str, object]:
    return data if isinstance(data, dict) else {}


def _sequence(data: object) -> Sequence[object]:
    return data if isinstance(data, list) else []


def _named(items: Sequence[object], key: str) -> list[tuple[int, str]]:
    return [(index, name) for index, each in enumerate(items) if isinstance(name := _mapping(each).get(key), str)]


def _read(kind: type[Part] | TypeAdapter[Part], data: object) -> Part | None:
    if data is None:
        return None
    adapter = kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)
    try:
        return adapter.validate_python(data)
    except ValidationError:
        return None


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    return f"unknown {what} {name}; there {'is' if len(known) == 1 else 'are'} {', '.join(known) or 'none'}"


def _names_once(parts: _Parts) -> Found:
    names: list[tuple[str, str, list[tuple[int, str]]]] = [
        ("traffic", "name", parts.client_names),
        ("steps", "id", parts.step_ids),
    ]
    for section in ("steady_state", "objectives"):
        found = [(int(path[1]), part.name) for path, part in parts.judged if path[0] == section]
        names += [(section, "name", found)]
    for section, key, found in names:
        seen: dict[str, int] = {}
        for index, name in found:
            if name in seen:
                yield (section, index, key), f"{name} stands already in {section}.{seen[name]}"
            seen.setdefault(name, index)
            if section == "steps" and name == BASELINE:
                yield (section, index, key), f"{BASELINE} is what comes before the steps: choose another id"


def _lab_problems(parts: _Parts) -> Found:
    def cluster(path: Path_, name: str) -> Found:
        if name not in parts.clusters:
            yield path, _unknown("cluster", name, parts.clusters)

    if (replication := parts.replication) is not None:
        yield from cluster(("lab", "replication", "from"), replication.source)
        yield from cluster(("lab", "replication", "to"), replication.target)
        if replication.source == replication.target:
            yield ("lab", "replication", "to"), f"replicates {replication.source} to itself"
    if (virtual := parts.virtual_cluster) is not None:
        yield from cluster(("lab", "virtual_cluster", "cluster"), virtual.cluster)
        for index, name in enumerate(virtual.standbys):
            path = ("lab", "virtual_cluster", "standbys", index)
            yield from cluster(path, name)
            if name == virtual.cluster:
                yield path, f"{name} serves already: a standby is another cluster"
    for topic, plan in parts.plans.items():
        for index, name in enumerate(plan.clusters or []):
            yield from cluster(("lab", "topics", topic, "clusters", index), name)


def _traffic_problems(parts: _Parts) -> Found:
    step_ids = [step for _, step in parts.step_ids]
    in_turns = {name for _, step in parts.steps if step.turns for name in step.turns.clients}
    any_step_unread = len(parts.steps) < len(parts.step_ids)
    for index, client in parts.clients:
        path: Path_ = ("traffic", index, "produce" if client.produce else "consume")
        work = client.work
        if work.topic not in parts.topics:
            yield (*path, "topic"), _unknown("topic", work.topic, parts.topics)
        if work.starts != BASELINE and work.starts not in step_ids:
            yield (*path, "starts"), _unknown("step", work.starts, [BASELINE, *step_ids])
        if client.produce:
            count = parts.partitions.get(work.topic)
            for place, partition in enumerate(client.produce.partitions or []):
                yield from _partition((*path, "partitions", place), partition, work.topic, count)
            if client.produce.idle and client.name not in in_turns and not any_step_unread:
                yield (
                    (*path, "rate"),
                    f"{client.name} would never write: say a rate above 0/s, or name it in a step's turns",
                )


def _partition(path: Path_, partition: int, topic: str, count: int | None) -> Found:
    if count is not None and not 0 <= partition < count:
        yield path, f"{topic} has partitions 0 to {count - 1}, found {partition}"


def _step_problems(parts: _Parts) -> Found:
    virtual = parts.virtual_cluster
    active = virtual.cluster if virtual else None
    for index, step in parts.steps:
        path: Path_ = ("steps", index)
        if step.fault:
            yield from _fault_problems(parts, (*path, "fault"), step.fault)
        if step.lab:
            yield from _lab_action_problems(parts, (*path, "lab"), step.lab)
        if step.switchover:
            to = step.switchover.to
            if to not in parts.clusters:
                yield (*path, "switchover", "to"), _unknown("cluster", to, parts.clusters)
            elif virtual and to not in (virtual.cluster, *virtual.standbys):
                yield (
                    (*path, "switchover", "to"),
                    f"{to} is not a standby of {virtual.name}: name it in lab.virtual_cluster.standbys",
                )
            elif to == active:
                yield (*path, "switchover", "to"), f"{to} serves already at this step"
            active = to


def _fault_problems(parts: _Parts, path: Path_, fault: FaultAction) -> Found:
    if fault.outage and fault.outage.cluster not in parts.clusters:
        yield (*path, "outage", "cluster"), _unknown("cluster", fault.outage.cluster, parts.clusters)
    select = fault.select
    topics = [topic for topic in parts.topics if fnmatchcase(topic, select.topic or "*")]
    if not topics:
        yield (*path, "select", "topic"), _unknown("topic", str(select.topic), parts.topics)
    clients = [name for _, name in parts.client_names]
    if select.client_id is not None and not any(fnmatchcase(name, select.client_id) for name in clients):
        yield (*path, "select", "client_id"), _unknown("client", select.client_id, clients)
    counts = [parts.partitions[topic] for topic in topics if topic in parts.partitions]
    for place, partition in enumerate(select.partitions or []):
        if len(topics) == 1:
            yield from _partition(
                (*path, "select", "partitions", place), partition, topics[0], max(counts, default=None)
            )


def _lab_action_problems(parts: _Parts, path: Path_, action: LabAction) -> Found:
    verb = action.verb.replace("-", "_")
    if action.cluster is not None and action.cluster not in parts.clusters:
        yield (*path, verb), _unknown("cluster", action.cluster, parts.clusters)
    if action.cluster is None and parts.replication is None:
        yield (*path, verb), "there is no replication in this lab: say lab.replication"


def _turns_problems(parts: _Parts) -> Found:
    order = {name: index for index, name in reversed(parts.step_ids)}
    for index, step in parts.steps:
        if step.turns:
            yield from _one_turns_problems(parts, ("steps", index, "turns"), index, step.turns, order)


def _one_turns_problems(parts: _Parts, path: Path_, index: int, turns: Turns, order: Mapping[str, int]) -> Found:
    topics: set[str] = set()
    for place, name in enumerate(turns.clients):
        here: Path_ = (*path, "clients", place)
        client = parts.client(name)
        if not parts.knows_client(name):
            yield here, _unknown("client", name, [known for _, known in parts.client_names])
        if name in turns.clients[:place]:
            yield here, f"{name} takes its turn already"
        if client is None:
            continue
        if client.produce is None:
            yield here, f"{name} is a consumer: only producers take turns"
            continue
        topics.add(client.produce.topic)
        if not client.produce.idle:
            yield here, f"{name} writes at a rate of its own: a producer that takes turns has rate: 0/s"
        if client.produce.partitions is not None and turns.partition not in client.produce.partitions:
            yield (*path, "partition"), f"{name} does not write to partition {turns.partition}"
        if order.get(client.produce.starts, -1) > index:
            yield here, f"{name} starts later, with the step {client.produce.starts}"
    if len(topics) > 1:
        yield (*path, "clients"), f"expected producers of one topic, found {', '.join(sorted(topics))}"
    for topic in topics:
        yield from _partition((*path, "partition"), turns.partition, topic, parts.partitions.get(topic))


def _judging_problems(parts: _Parts) -> Found:
    names = [name for _, name in parts.client_names]
    for path, part in parts.judged:
        measure = part.probe if path[0] == "steady_state" else part.metric
        matching = [name for name in names if fnmatchcase(name, part.client)]
        if not matching:
            yield (*path, "client"), _unknown("client", part.client, names)
            continue
        clients = [client for name in matching if (client := parts.client(name))]
        if len(clients) < len(matching) or measure in _ANYONES_METRICS:
            continue
        wanted = "consumer" if measure in _CONSUMERS_METRICS else "producer"
        if not any((client.produce is None) == (wanted == "consumer") for client in clients):
            yield (*path, "client"), f"{measure} is measured on {wanted}s, and {part.client} matches none"
