"""What some libraries do by themselves when a broker dies, with nothing between: a switchover is not asked to mend it.

The matrix leaves out what is shown here (`Driver.reverses`, `Driver.falls_as`). A library that learns better fails
these tests, and comes into the matrix with all it does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from appliance.lab import Cluster, ClusterPlan, LabPlan, open_lab
from tests.matrix.access import Access
from tests.matrix.driver import Driver
from tests.matrix.drivers.every import every_standing_client
from tests.matrix.drivers.java import java_clients
from tests.matrix.installed import installed
from tests.matrix.standing import Mode, Plan, modes_of, standing_clients
from tests.matrix.truth import Truth
from tests.switching.play import PACE

ONE_COORDINATOR = {"offsets.topic.num.partitions": "1"}
PILING_UP_SECONDS = 2.0


@asynccontextmanager
async def brokers(folder: Path) -> AsyncIterator[Cluster]:
    """Run three brokers, one of which coordinates all groups, with a topic of one partition."""
    plan = LabPlan((ClusterPlan("primary", brokers=3, properties=ONE_COORDINATOR),))
    async with open_lab(plan, kind="apache", directory=folder) as lab:
        cluster = lab.clusters["primary"]
        await cluster.create_topic("orders")
        yield cluster


async def leader(cluster: Cluster, topic: str) -> int:
    truth = Truth(",".join(cluster.bootstrap))
    return (await trio.to_thread.run_sync(truth.leaders, topic))[0]


def named(name: str) -> Driver:
    return next(driver for driver in every_standing_client() if driver.name == name)


def out_of_order(values: Sequence[str], writer: str) -> int:
    """Return how often a producer's record is followed by an earlier one."""
    numbers = [int(value.rpartition("-")[2]) for value in values if value.startswith(f"{writer}-")]
    return sum(after < before for before, after in pairwise(numbers))


@pytest.mark.kafka
@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("java", java_clients(), ids=lambda driver: driver.name)
async def test_a_java_producer_that_is_not_idempotent_keeps_the_order_with_one_request_in_flight_only(
    tmp_path: Path, java: Driver
):
    assert java.reverses
    await installed(java)
    plans = [
        Plan(java, mode, "orders", name) for mode, name in ((Mode.PRODUCER, "several"), (Mode.ONE_IN_FLIGHT, "one"))
    ]
    async with brokers(tmp_path / "lab") as cluster:
        access = Access(",".join(cluster.bootstrap))
        async with standing_clients(plans, access, tmp_path / "clients", pace=PACE) as standing:
            await standing.flowing()
            leads = await leader(cluster, "orders")
            await cluster.pause(leads)
            await trio.sleep(PILING_UP_SECONDS)
            await cluster.kill(leads)
            await standing.flowing()
        written = await trio.to_thread.run_sync(Truth(access.bootstrap).read, "orders")
    values = [each.value for each in written]
    assert out_of_order(values, "several") > 0
    assert out_of_order(values, "one") == 0


@pytest.mark.kafka
@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_consumer_of_platformatic_does_not_come_back_from_a_move_of_its_coordinator_where_others_do(
    tmp_path: Path,
):
    writer, falling, other = map(named, ("confluent-kafka", "@platformatic/kafka", "kafkajs"))
    assert not set(falling.falls_as) & set(modes_of(falling))
    await installed(falling, other)
    reading = [Plan(falling, mode, "orders", f"falling-{number}") for number, mode in enumerate(falling.falls_as)]
    staying = [Plan(writer, Mode.IDEMPOTENT, "orders", "writer"), Plan(other, Mode.CLASSIC, "orders", "staying")]
    async with brokers(tmp_path / "lab") as cluster:
        access = Access(",".join(cluster.bootstrap))
        async with standing_clients([*staying, *reading], access, tmp_path / "clients", pace=PACE) as standing:
            await standing.flowing()
            await cluster.kill(await leader(cluster, "__consumer_offsets"))
            await standing.flowing(of=staying)
            told = {plan: standing.told(plan) for plan in reading}
            await standing.flowing(400, of=staying)
            assert {plan: standing.told(plan) for plan in reading} == told
