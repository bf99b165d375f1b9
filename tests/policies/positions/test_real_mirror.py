"""With a real MirrorMaker 2: a mirror that began late, a drained switch, and readers that notice nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from appliance.harness import BlockingLab, SharedLabs
from appliance.lab import ClusterPlan, LabPlan, ReplicationPlan
from tests.policies.positions.scene import PATIENCE, Switching, opened, write

pytestmark = pytest.mark.kafka

EXPIRED = 300


@pytest.fixture(scope="session")
def mirrored(shared_labs: SharedLabs) -> BlockingLab:
    """`primary` copied by MirrorMaker 2 to `standby`, one broker each."""
    clusters = (ClusterPlan("primary"), ClusterPlan("standby"))
    return shared_labs.open(LabPlan(clusters, ReplicationPlan("primary", "standby")))


def end_of(bootstrap: str, topic: str) -> int:
    """Return the end of partition 0, -1 where there is none."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    if topic not in admin.list_topics(timeout=PATIENCE).topics:
        return -1
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "nobody", "log_level": 0})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), PATIENCE)[1]
    finally:
        consumer.close()


def wait_end(bootstrap: str, topic: str, end: int) -> None:
    """Wait until the mirror has come so far."""
    deadline = time.monotonic() + 2 * PATIENCE
    while end_of(bootstrap, topic) < end:
        assert time.monotonic() < deadline, f"the mirror stands at {end_of(bootstrap, topic)}"
        time.sleep(0.2)


def begun_late(lab: BlockingLab, topic: str) -> list[str]:
    """Write 1,000 records, of which the first 300 have expired before the mirror sees the topic."""
    lab.stop_replication()
    primary = lab.clusters["primary"]
    primary.create_topic(topic)
    records = [f"R{number}" for number in range(1000)]
    write(primary.bootstrap_servers, topic, records)
    admin = AdminClient({"bootstrap.servers": primary.bootstrap_servers, "log_level": 0})
    admin.delete_records([TopicPartition(topic, 0, EXPIRED)])[TopicPartition(topic, 0)].result(PATIENCE)
    lab.start_replication()
    wait_end(lab.clusters["standby"].bootstrap_servers, topic, 700)
    return records[EXPIRED:]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["assign", "consumer"])
def test_a_planned_switch_beneath_readers_skips_and_repeats_nothing(
    mirrored: BlockingLab, tmp_path: Path, fresh_name: str, kind: str
):
    topic = fresh_name
    there = begun_late(mirrored, topic)
    spec = "offsets: continuous, replication: mirrormaker"
    with opened(mirrored, tmp_path, topic, spec) as here, here.reader(kind, start=EXPIRED, reset="earliest") as reader:
        assert reader.read(lambda values: len(values) == len(there)) == there
        since = [f"S{number}" for number in range(50)]
        assert write(here.bootstrap, topic, since)[0] == 1000
        assert reader.read(lambda values: len(values) == 50) == since
        if kind == "consumer":
            wait_committed(here, 750)
        plan = here.switch("standby", leave_records_behind=False)
        assert f"{topic}/0 " not in "".join(note for note in plan["plan"]["notes"] if "syncs" in note)
        new = [f"N{number}" for number in range(500)]
        assert write(here.bootstrap, topic, new)[0] == 1050
        got = reader.read(lambda values: new[-1] in values)
        assert [value for value in got if value.startswith("N")] == new
        assert [value for value in got if not value.startswith("N")] == []


def wait_committed(here: Switching, offset: int) -> None:
    """Wait until the mirror has brought the group's offset over."""
    settings = {"bootstrap.servers": here.standby, "group.id": f"group-of-{here.topic}", "log_level": 0}
    consumer = Consumer(settings)
    try:
        deadline = time.monotonic() + PATIENCE
        while (found := consumer.committed([TopicPartition(here.topic, 0)], PATIENCE)[0].offset) != offset:
            assert time.monotonic() < deadline, f"the group's offset on the standby is {found}"
            time.sleep(0.2)
    finally:
        consumer.close()


@pytest.mark.long
def test_gaps_of_transactions_are_mapped_as_far_as_the_syncs_say(
    mirrored: BlockingLab, tmp_path: Path, fresh_name: str
):
    """Each transaction's marker takes an offset on the primary that the standby does not have."""
    topic = fresh_name
    mirrored.clusters["primary"].create_topic(topic)
    primary = mirrored.clusters["primary"].bootstrap_servers
    with Producer({"bootstrap.servers": primary, "transactional.id": topic, "log_level": 0}) as producer:
        producer.init_transactions(PATIENCE)
        for turn in range(10):
            producer.begin_transaction()
            for number in range(5):
                producer.produce(topic, value=f"T{turn * 5 + number}", partition=0)
            producer.commit_transaction(PATIENCE)
    # In such a burst MirrorMaker does not write all the syncs that it means to, and the last one only when one more
    # record comes; a drain would wait for that.
    for end in (51, 52):
        write(primary, topic, [f"last{end}"])
        wait_end(mirrored.clusters["standby"].bootstrap_servers, topic, end)
    spec = "offsets: continuous, replication: mirrormaker"
    with opened(mirrored, tmp_path, topic, spec) as here, here.reader("assign", start=0) as reader:
        there = [*(f"T{number}" for number in range(50)), "last51", "last52"]
        assert reader.read(lambda values: there[-1] in values) == there
        here.switch("standby", leave_records_behind=False)
        assert write(here.bootstrap, topic, ["new"]) == [62]
        assert reader.read(lambda values: "new" in values) == ["new"]
        with here.reader("assign", start=0) as later:
            assert later.read(lambda values: "new" in values) == [*there, "new"]
        for position, (value, offset) in enumerate(reader.got[: len(there)]):
            # Whoever stood before this record reads on with it, or with some before it, never with one behind it.
            with here.reader("assign", start=offset) as one:
                first = one.read(lambda values: len(values) > 0)[0]
            assert first in there[: position + 1], f"at {offset}, before {value}"
            assert there.index(first) >= position - 10
