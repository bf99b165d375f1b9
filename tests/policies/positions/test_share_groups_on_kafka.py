"""A share group's member lives through a switch: told that it is not known, it joins anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, ShareConsumer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its own documented names
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from appliance.harness import BlockingLab
from tests.policies.positions.scene import PATIENCE, Switching, opened, write

pytestmark = pytest.mark.kafka


def from_the_beginning(bootstrap: str, group: str) -> None:
    """Let a new share group begin with the log, not with what comes next."""
    entry = ConfigEntry("share.auto.offset.reset", "earliest", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.incremental_alter_configs([resource])[resource].result(PATIENCE)


class Sharer:
    """A member of a share group, and what it has got."""

    def __init__(self, here: Switching) -> None:
        group = f"shares-of-{here.topic}"
        for bootstrap in (here.primary, here.standby):
            from_the_beginning(bootstrap, group)
        self.consumer = ShareConsumer({"bootstrap.servers": here.bootstrap, "group.id": group, "log_level": 0})
        self.consumer.subscribe([here.topic])
        self.got: list[tuple[str, int]] = []

    def until(self, enough: Callable[[list[str]], bool]) -> None:
        """Read until it is enough. Fails where it does not come to that; raises KafkaException where it is over."""
        deadline = time.monotonic() + PATIENCE
        while not enough([value for value, _ in self.got]):
            assert time.monotonic() < deadline, f"got {len(self.got)}"
            for message in self.consumer.poll(0.2):
                value, offset = message.value(), message.offset()
                if message.error() is None and value is not None and offset is not None:
                    self.got.append((value.decode(), offset))


def after_the_switch(lab: BlockingLab, folder: Path, topic: str, spec: str = "") -> list[str]:
    """Switch beneath a member that has got 100 records, write 100 more, and return what came of these."""
    for cluster in lab.clusters.values():
        cluster.create_topic(topic)
    with opened(lab, folder, topic, spec) as here:
        sharer = Sharer(here)
        try:
            write(here.primary, here.topic, [f"P{number}" for number in range(100)])
            sharer.until(lambda values: len(values) >= 100)
            here.switch("standby")
            there = [f"S{number}" for number in range(100)]
            write(here.bootstrap, here.topic, there)
            sharer.until(lambda values: set(there) <= set(values))
        finally:
            sharer.consumer.close()
    return [value for value, _ in sharer.got if value.startswith("S")]


def test_a_share_group_goes_on(two_clusters: BlockingLab, tmp_path: Path, fresh_name: str):
    assert sorted(after_the_switch(two_clusters, tmp_path, fresh_name)) == sorted(f"S{number}" for number in range(100))


def test_without_rejoining_it_is_dead(two_clusters: BlockingLab, tmp_path: Path, fresh_name: str):
    with pytest.raises(KafkaException, match="ShareGroupHeartbeat fatal error"):
        after_the_switch(two_clusters, tmp_path, fresh_name, "remedies: {rejoin: 'off'}")
