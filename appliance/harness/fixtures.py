"""The fixtures: labs that a session shares, since JVMs start in seconds, and names that keep tests apart on them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from appliance.harness.blocking import BlockingCluster, BlockingLab
from appliance.lab import ClusterPlan, LabPlan, ReplicationPlan

_numbers = itertools.count(1)


class SharedLabs:
    """The labs of one session, each opened when the first test asks for it."""

    def __init__(self, folders: pytest.TempPathFactory, stack: ExitStack) -> None:
        self._folders = folders
        self._stack = stack
        self._labs: list[tuple[LabPlan, BlockingLab]] = []  # plans hold mappings: no hash

    def open(self, plan: LabPlan) -> BlockingLab:
        """Return the session's apache lab for a plan. Raises LabError where it cannot be had: such a test fails."""
        for known, lab in self._labs:
            if known == plan:
                return lab
        lab = self._stack.enter_context(BlockingLab(plan, kind="apache", directory=self._folders.mktemp("lab")))
        self._labs.append((plan, lab))
        return lab

    def heal(self) -> None:
        """Bring back in every lab what a test killed, stopped or paused."""
        for _, lab in self._labs:
            lab.heal()


@pytest.fixture(scope="session")
def shared_labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedLabs]:
    """Labs for plans of your own, shared by plan for the session."""
    with ExitStack() as stack:
        yield SharedLabs(tmp_path_factory, stack)


@pytest.fixture(autouse=True)
def _heal_shared_labs(shared_labs: SharedLabs) -> Iterator[None]:
    """After each test leave the shared labs whole for the next; nothing happens where all is well."""
    yield
    shared_labs.heal()


@pytest.fixture(scope="session")
def kafka_cluster(shared_labs: SharedLabs) -> BlockingCluster:
    """One Apache Kafka broker, node 1, for the session."""
    return shared_labs.open(LabPlan((ClusterPlan("single"),))).clusters["single"]


@pytest.fixture(scope="session")
def three_brokers(shared_labs: SharedLabs) -> BlockingCluster:
    """Three Apache Kafka brokers, nodes 1 to 3, for the session; any one may be killed."""
    return shared_labs.open(LabPlan((ClusterPlan("trio", brokers=3),))).clusters["trio"]


@pytest.fixture(scope="session")
def replicated_lab(shared_labs: SharedLabs) -> BlockingLab:
    """`primary` (nodes 1 to 3) copied by MirrorMaker 2 to `standby` (node 11), for the session."""
    clusters = (ClusterPlan("primary", brokers=3), ClusterPlan("standby", first_node_id=11))
    return shared_labs.open(LabPlan(clusters, ReplicationPlan("primary", "standby")))


@pytest.fixture
def embedded_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingLab]:
    """`primary` and `standby`, one in-memory broker each, fresh for each test; nothing is copied between them."""
    plan = LabPlan((ClusterPlan("primary"), ClusterPlan("standby")))
    with BlockingLab(plan, kind="embedded", directory=tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def embedded_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingCluster]:
    """One in-memory broker, fresh for each test."""
    plan = LabPlan((ClusterPlan("embedded"),))
    with BlockingLab(plan, kind="embedded", directory=tmp_path_factory.mktemp("lab")) as lab:
        yield lab.clusters["embedded"]


@pytest.fixture
def fresh_name(request: pytest.FixtureRequest) -> str:
    """A name for a topic or group that no other test of the session has."""
    return f"{re.sub(r'[^a-zA-Z0-9]+', '-', request.node.name).strip('-')[:60]}-{next(_numbers)}"
