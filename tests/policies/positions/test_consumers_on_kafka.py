"""confluent-kafka consumers of every kind live through a switch to a standby whose offsets are 300 lower."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.harness import BlockingLab
from tests.policies.positions.scene import AHEAD, BEFORE, NEW, SINCE, Seen, mirrored_while_read, seen, switching, write

pytestmark = pytest.mark.kafka

NEWS = [f"N{number}" for number in range(NEW)]


def after_the_switch(
    lab: BlockingLab, folder: Path, topic: str, kind: str, spec: str = "", *, workers: int = 1
) -> Seen:
    """Switch beneath a reader, 2,000 new records being on the standby already; return what it saw of them."""
    with switching(lab, folder, topic, spec, workers=workers) as here, here.reader(kind) as reader:
        mirrored_while_read(here, reader, kind)
        write(here.standby, topic, NEWS)
        here.switch("standby")
        return seen(reader.read_all())


@pytest.mark.parametrize(("kind", "workers"), [("classic", 1), ("consumer", 1), ("classic", 2)])
def test_a_group_reads_each_new_record_once_and_in_order(
    two_clusters: BlockingLab, tmp_path: Path, fresh_name: str, kind: str, workers: int
):
    result = after_the_switch(two_clusters, tmp_path, fresh_name, kind, workers=workers)
    assert (result.skipped, result.twice, result.out_of_order) == (0, 0, 0)
    assert result.redelivered <= SINCE, "more than what was not committed on the standby"


@pytest.mark.long
def test_a_group_that_is_refused_for_a_while_reads_each_new_record_once_all_the_same(
    two_clusters: BlockingLab, tmp_path: Path, fresh_name: str
):
    """The hold ends long before the group is ready; NOT_LEADER_OR_FOLLOWER keeps the library asking."""
    result = after_the_switch(two_clusters, tmp_path, fresh_name, "classic", "hold_fetch: {up_to: 300ms}")
    assert (result.skipped, result.twice, result.out_of_order) == (0, 0, 0)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["classic", "consumer"])
def test_a_group_without_offsets_on_the_standby_begins_where_the_log_ended_at_the_switch(
    two_clusters: BlockingLab, tmp_path: Path, fresh_name: str, kind: str
):
    """By its own policy, latest, it would skip what is written before it has joined."""
    with switching(two_clusters, tmp_path, fresh_name, "positions: latest") as here, here.reader(kind) as reader:
        mirrored_while_read(here, reader, kind, commits=False)
        here.switch("standby")
        write(here.bootstrap, here.topic, NEWS)
        assert reader.read(lambda values: NEWS[-1] in values) == NEWS


def read_with_a_slow_coordinator(lab: BlockingLab, folder: Path, topic: str, spec: str) -> Seen:
    """Switch beneath a classic group that hears of it late: nothing is left for it to commit, which would be refused
    at once and so tell it, and its heartbeats take long. Return what it saw of the new records."""
    with switching(lab, folder, topic, spec) as here, here.reader("classic") as reader:
        mirrored_while_read(here, reader, "classic")
        here.wait_committed(here.primary, BEFORE + SINCE)
        write(here.standby, topic, NEWS)
        here.slow_down("Heartbeat", "5s")
        here.switch("standby")
        return seen(reader.read(lambda values: NEWS[0] in values) + reader.read_all())


def test_a_classic_group_that_hears_late_of_the_switch_reads_each_new_record_once_and_in_order(
    two_clusters: BlockingLab, tmp_path: Path, fresh_name: str
):
    result = read_with_a_slow_coordinator(two_clusters, tmp_path, fresh_name, "")
    assert (result.skipped, result.twice, result.out_of_order) == (0, 0, 0)


def test_without_the_hold_a_classic_group_that_hears_late_reads_out_of_order_and_twice(
    two_clusters: BlockingLab, tmp_path: Path, fresh_name: str
):
    """It reads on at its old position, 300 records too far, and once more from the right one."""
    result = read_with_a_slow_coordinator(two_clusters, tmp_path, fresh_name, "remedies: {hold_fetch: 'off'}")
    assert (result.skipped, result.out_of_order) == (0, AHEAD)
    assert result.twice > 0


def test_without_rejoining_a_consumer_group_is_dead(two_clusters: BlockingLab, tmp_path: Path, fresh_name: str):
    result = after_the_switch(two_clusters, tmp_path, fresh_name, "consumer", "remedies: {rejoin: 'off'}")
    assert result.skipped == NEW


def test_without_continuous_offsets_a_reader_without_a_group_skips_what_lies_between(
    two_clusters: BlockingLab, tmp_path: Path, fresh_name: str
):
    result = after_the_switch(two_clusters, tmp_path, fresh_name, "assign")
    assert result.skipped == AHEAD


@pytest.mark.parametrize("kind", ["assign", "classic", "consumer"])
def test_with_continuous_offsets_every_reader_goes_on_where_it_was(
    two_clusters: BlockingLab, tmp_path: Path, fresh_name: str, kind: str
):
    spec = "offsets: continuous, replication: mirrormaker"
    with switching(two_clusters, tmp_path, fresh_name, spec) as here, here.reader(kind) as reader:
        here.syncs(here.primary, "standby", (AHEAD, 0))
        mirrored_while_read(here, reader, kind)
        here.syncs(here.primary, "standby", (BEFORE + SINCE - 1, BEFORE + SINCE - 1 - AHEAD))
        here.switch("standby")
        offsets = write(here.bootstrap, here.topic, NEWS)
        assert offsets == list(range(BEFORE + SINCE, BEFORE + SINCE + NEW)), "the offsets that producers see go on too"
        result = seen(reader.read(lambda values: NEWS[-1] in values))
        assert (result.skipped, result.twice, result.out_of_order) == (0, 0, 0)
        assert result.redelivered <= (0 if kind == "assign" else SINCE)
        assert [offset for value, offset in reader.got if value in {NEWS[0], NEWS[-1]}] == [offsets[0], offsets[-1]]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["assign", "consumer"])
def test_a_lost_primary_costs_nothing_that_was_replicated(
    two_clusters: BlockingLab, tmp_path: Path, fresh_name: str, kind: str
):
    """The new records came to the standby before the switch, as a mirror's last; the primary is not asked any more."""
    spec = "offsets: continuous, replication: mirrormaker"
    with switching(two_clusters, tmp_path, fresh_name, spec) as here, here.reader(kind) as reader:
        here.syncs(here.primary, "standby", (AHEAD, 0))
        mirrored_while_read(here, reader, kind)
        write(here.standby, here.topic, NEWS)
        here.wait_followed()
        here.switch("standby", mode="unplanned")
        result = seen(reader.read(lambda values: NEWS[-1] in values))
        assert (result.skipped, result.twice, result.out_of_order) == (0, 0, 0)
        assert result.redelivered <= (0 if kind == "assign" else SINCE)
        (later,) = write(here.bootstrap, here.topic, ["later"])
        assert later > BEFORE + SINCE + NEW, "the primary may have given offsets to records that were lost"
        reader.read(lambda values: "later" in values)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["assign", "classic", "consumer"])
def test_there_and_back_again(two_clusters: BlockingLab, tmp_path: Path, fresh_name: str, kind: str):
    spec = "offsets: continuous, replication: mirrormaker"
    with switching(two_clusters, tmp_path, fresh_name, spec) as here, here.reader(kind) as reader:
        here.syncs(here.primary, "standby", (AHEAD, 0))
        mirrored_while_read(here, reader, kind)
        end = BEFORE + SINCE
        here.syncs(here.primary, "standby", (end - 1, end - 1 - AHEAD))
        here.switch("standby")
        there = [f"T{number}" for number in range(100)]
        write(here.bootstrap, here.topic, there)
        reader.read(lambda values: there[-1] in values)
        # The mirror is turned round: the primary gets what was written on the standby, and the group's offset.
        write(here.primary, here.topic, there)
        here.syncs(here.standby, "primary", (end - AHEAD, end), (end - AHEAD + 99, end + 99))
        if kind != "assign":
            here.commit(here.primary, end + 100)
        here.switch("primary")
        assert write(here.bootstrap, here.topic, NEWS)[0] == end + 100
        values = reader.read(lambda values: NEWS[-1] in values)
        result = seen(values)
        assert (result.skipped, result.twice, result.out_of_order, result.redelivered) == (0, 0, 0, 0)
        if kind == "assign":
            assert [value for value in values if value.startswith("T")] == []
