"""A planned switchover between real clusters, and everything that can be killed in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from appliance.control.switchover import AT_RESTART, State
from appliance.harness import BlockingCluster, BlockingLab
from appliance.remote.answers import SwitchoverAnswer
from tests.control.switching_lab import GatewayOnALab, Writer, values_in, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
STEPS: list[State] = [
    "preflight", "transactions", "fence", "drain", "groups", "positions", "switch", "move", "unfence", "verify",
]  # fmt: skip


@pytest.fixture
def gateway(lab: BlockingLab, tmp_path: Path) -> Iterator[GatewayOnALab]:
    made = GatewayOnALab(lab, tmp_path)
    made.start()
    yield made
    made.close()


def start(gateway: GatewayOnALab, **asked: object) -> SwitchoverAnswer:
    return gateway.ask(lambda api: api.start_switchover("orders", "standby", **asked))  # type: ignore[arg-type]


def until_the_lag_is_known(gateway: GatewayOnALab) -> None:
    """Wait until MirrorMaker has carried everything over, and said so."""
    while True:
        start(gateway, dry_run=True)
        plan = gateway.wait(lambda each: each.over).plan
        if plan is not None and plan.lag == 0:
            return


def _mostly_long(steps: Iterable[State], short: State) -> list[object]:
    return [step if step == short else pytest.param(step, marks=pytest.mark.long) for step in steps]


@pytest.mark.parametrize("step", _mostly_long(STEPS[:-1], "drain"))
def test_the_gateway_is_killed_in_a_step(lab: BlockingLab, gateway: GatewayOnALab, topic: str, step: State):
    writer = Writer(gateway.bootstrap, topic)
    writer.send(100)
    writer.flush()
    behind = STEPS[STEPS.index(step) + 1]
    start(gateway, pause_before=[behind])
    gateway.wait(lambda each: each.paused_before == behind and each.state == step)
    writer.send(50)  # some of them are held
    gateway.kill()
    gateway.start()
    carried_on = AT_RESTART[step] == "carry on"
    over = gateway.wait(lambda each: each.over)
    assert (over.state, over.resumed_at) == ("done" if carried_on else "rolled-back", step), over.detail
    (status,) = gateway.status().virtual_clusters
    assert (status.serving, status.fence) == ("standby" if carried_on else "primary", "open")
    assert f"step {step}" in status.switchover_detail
    writer.send(50)
    writer.flush()
    assert writer.failed == []
    assert len(writer.acknowledged) == 200
    serving, other = lab.clusters[status.serving], lab.clusters["primary" if carried_on else "standby"]
    values = values_in(serving, topic)
    assert set(writer.acknowledged) <= set(values), "what was acknowledged is on the side that serves"
    assert sorted(values) == sorted(set(values)), "and nothing is there twice"
    if carried_on:
        assert not set(writer.acknowledged[-50:]) & set(values_in(other, topic)), "one side takes writes"


def test_it_goes_through_without_being_killed(lab: BlockingLab, gateway: GatewayOnALab, topic: str):
    writer = Writer(gateway.bootstrap, topic)
    writer.send(200)
    start(gateway)
    writer.send(200)
    over = gateway.wait(lambda each: each.over)
    assert (over.state, [each.state for each in over.history]) == ("done", [*STEPS, "done"])
    writer.send(200)
    writer.flush()
    assert sorted(values_in(lab.clusters["standby"], topic)) == sorted(writer.acknowledged)
    assert len(writer.acknowledged) == 600
    assert over.plan is not None
    assert over.plan.problems == []


def test_the_plan_knows_its_clients_and_how_long_they_wait(gateway: GatewayOnALab, topic: str):
    settings = {"bootstrap.servers": gateway.bootstrap, "request.timeout.ms": 9000, "log_level": 0}
    with Producer(settings) as producer:
        producer.produce(topic, b"one")
        assert producer.flush(60) == 0
        start(gateway, dry_run=True)
        plan = gateway.wait(lambda each: each.over).plan
    assert plan is not None
    assert plan.hold == 6.0
    (writers,) = [each for each in plan.parts[0].clients if each.timeout is not None]
    assert (writers.software, writers.timeout) == ("confluent-kafka-python", 9.0)
    assert writers.version.startswith(version("confluent-kafka"))


def committed(cluster: BlockingCluster, group: str, place: TopicPartition, offset: int | None = None) -> int:
    """Return what a group has committed, after this, if any."""
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap_servers, "group.id": group})
    try:
        if offset is not None:
            consumer.commit(offsets=[TopicPartition(place.topic, place.partition, offset)], asynchronous=False)
        return int(consumer.committed([place], 60)[0].offset)
    finally:
        consumer.close()


def test_a_group_that_lags_is_put_where_it_was_though_much_was_written_since_the_plan(
    lab: BlockingLab, gateway: GatewayOnALab, topic: str
):
    writer = Writer(gateway.bootstrap, topic)
    lab.stop_replication()
    writer.send(100)
    writer.flush()
    start(gateway, pause_before=["fence"])
    gateway.wait(lambda each: each.paused_before == "fence")
    lab.start_replication()
    writer.send(100)
    writer.flush()
    assert committed(lab.clusters["primary"], topic, TopicPartition(topic, 0), 150) == 150
    wait_until(lambda: len(values_in(lab.clusters["standby"], topic)) == 200, lambda: "not all was replicated")
    gateway.go_on()
    over = gateway.wait(lambda each: each.over)
    assert over.state == "done", over.detail
    assert committed(lab.clusters["standby"], topic, TopicPartition(topic, 0)) == 150


@pytest.mark.long
def test_mirrormaker_is_killed_in_the_drain(lab: BlockingLab, gateway: GatewayOnALab, topic: str):
    writer = Writer(gateway.bootstrap, topic)
    writer.send(100)
    writer.flush()
    until_the_lag_is_known(gateway)
    start(gateway, hold=2.0, refuse=3.0, pause_before=["fence"])
    gateway.wait(lambda each: each.paused_before == "fence")
    lab.stop_replication(kill=True)
    writer.send(50)
    writer.flush()
    switchover = gateway.go_on()
    over = gateway.wait(lambda each: each.over)
    assert (over.id, over.state) == (switchover.id, "rolled-back")
    assert over.detail == f"not drained within 5s: {topic}/0: 50 records; primary serves as before"
    writer.send(50)
    writer.flush()
    assert (writer.failed, len(writer.acknowledged)) == ([], 200)
    assert set(writer.acknowledged) <= set(values_in(lab.clusters["primary"], topic))


@pytest.mark.parametrize("step", _mostly_long(["drain", "groups"], "drain"))
def test_the_standby_is_killed_in_the_drain(lab: BlockingLab, gateway: GatewayOnALab, topic: str, step: State):
    writer = Writer(gateway.bootstrap, topic)
    writer.send(100)
    writer.flush()
    start(gateway, pause_before=[step])
    gateway.wait(lambda each: each.paused_before == step)
    lab.clusters["standby"].kill()
    gateway.go_on()
    over = gateway.wait(lambda each: each.over)
    assert over.state == "rolled-back"
    assert over.detail.endswith("; primary serves as before")
    assert "cluster standby" in over.detail or "127.0.0.1:" in over.detail
    writer.send(50)
    writer.flush()
    assert (writer.failed, len(writer.acknowledged)) == ([], 150)
    assert set(writer.acknowledged) <= set(values_in(lab.clusters["primary"], topic))


def test_a_log_that_ends_in_markers_and_an_open_transaction(lab: BlockingLab, gateway: GatewayOnALab, topic: str):
    producer = Producer(
        {"bootstrap.servers": gateway.bootstrap, "transactional.id": topic, "transaction.timeout.ms": 60000}
    )
    producer.init_transactions(60)
    for number in range(3):
        producer.begin_transaction()
        producer.produce(topic, f"committed-{number}")
        producer.commit_transaction(60)
    producer.begin_transaction()
    producer.produce(topic, "open")
    producer.flush(60)
    start(gateway, finish_transactions=60.0)
    gateway.wait(lambda each: each.state == "transactions" and each.detail == "1 open")
    producer.commit_transaction(60)
    over = gateway.wait(lambda each: each.over)
    assert (over.state, over.aborted) == ("done", []), over.detail
    assert values_in(lab.clusters["standby"], topic) == ["committed-0", "committed-1", "committed-2", "open"]
    standby = AdminClient({"bootstrap.servers": lab.clusters["standby"].bootstrap_servers})
    assert "__transaction_state" in standby.list_topics(timeout=60).topics, "before any producer has come there"


@pytest.mark.long
def test_a_transaction_that_does_not_end_is_aborted(gateway: GatewayOnALab, topic: str):
    producer = Producer({"bootstrap.servers": gateway.bootstrap, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(topic, "never committed")
    producer.flush(60)
    start(gateway, finish_transactions=1.0)
    over = gateway.wait(lambda each: each.over)
    assert (over.state, over.aborted) == ("done", [topic]), over.detail
    assert over.plan is not None
    assert [each.transactional_id for each in over.plan.transactions] == [topic]


def test_a_cancelled_switchover_lets_writes_flow(lab: BlockingLab, gateway: GatewayOnALab, topic: str):
    writer = Writer(gateway.bootstrap, topic)
    writer.send(50)
    writer.flush()
    start(gateway, hold=1.0, refuse=60.0, pause_before=["switch"])
    gateway.wait(lambda each: each.paused_before == "switch")
    writer.send(50)
    wait_until(lambda: gateway.status().virtual_clusters[0].fence == "refused", lambda: str(gateway.status()))
    gateway.ask(lambda api: api.cancel_switchover("orders"))
    over = gateway.wait(lambda each: each.over)
    assert over.detail == "cancelled (by the API); primary serves as before"
    writer.flush()
    assert writer.failed == []
    assert values_in(lab.clusters["primary"], topic) == writer.acknowledged, "in their order, once"
