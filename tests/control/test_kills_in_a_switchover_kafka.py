"""Whatever dies in whichever step of a planned switchover: one side serves in the end, status says why, and what was
acknowledged is there, once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.control.switchover import State
from appliance.harness import BlockingLab
from tests.control.switching_lab import GatewayOnALab, Writer, values_in, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(300)]
# A switchover pauses before a step when all of the step before it is done, so this is a kill in each of them.
BEHIND_THE_SWITCH = {"switch", "move", "unfence", "verify"}
"""Where it pauses before these there is nothing left that would have it rolled back."""
BEHIND_THE_DRAIN = {"groups", "positions", *BEHIND_THE_SWITCH}
"""Where it pauses before these the standby has all that the primary took."""
BEFORE_THE_FENCE = {"transactions", "fence"}
"""Where it pauses before these the primary still takes what is written."""
every_pause = pytest.mark.parametrize(
    "before", ["transactions", "fence", "drain", "groups", "positions", "switch", "move", "unfence", "verify"]
)


@pytest.fixture
def gateway(lab: BlockingLab, tmp_path: Path) -> Iterator[GatewayOnALab]:
    made = GatewayOnALab(lab, tmp_path, workers=2)
    made.start()
    yield made
    made.close()


def switched_with_a_kill(gateway: GatewayOnALab, topic: str, before: State, kill: Callable[[], None]) -> Writer:
    """Write all the time, switch, and kill something where the switchover pauses; return who wrote."""
    writer = Writer(gateway.bootstrap, topic)
    writer.send(100)
    writer.flush()
    # Less patience than by default: where something is missing for good, the way back is waited for.
    gateway.ask(lambda api: api.start_switchover("orders", "standby", hold=6.0, refuse=6.0, pause_before=[before]))
    gateway.wait(lambda each: each.over or each.paused_before == before)
    writer.send(50)
    kill()
    if not gateway.switchover().over:  # behind the switch a pause ends by itself, with the hold
        gateway.go_on()
    return writer


def assert_that_one_side_serves_everything(lab: BlockingLab, gateway: GatewayOnALab, writer: Writer, topic: str) -> str:
    """Return how it ended. Whoever serves has to be there for that, so the standby's broker is started again."""
    over = gateway.wait(lambda each: each.over)
    (status,) = gateway.status().virtual_clusters
    assert status.serving == ("primary" if over.state == "rolled-back" else "standby")
    assert status.fence == "open"
    assert over.detail in status.switchover_detail
    serving = lab.clusters[status.serving]
    if any(broker.state == "stopped" for broker in serving.brokers.values()):
        serving.start()
    writer.send(50)
    writer.flush()
    assert (writer.failed, len(writer.acknowledged)) == ([], 200)
    values = values_in(serving, topic)
    assert sorted(values) == sorted(writer.acknowledged), f"all of it and once, after: {over.detail}"
    return over.state


@every_pause
def test_a_worker_is_killed(lab: BlockingLab, gateway: GatewayOnALab, topic: str, before: State):
    def kill_a_worker() -> None:
        victim = gateway.status().workers[0].pid
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: gateway.status().workers[0].pid not in {victim, None}, lambda: gateway.log)

    writer = switched_with_a_kill(gateway, topic, before, kill_a_worker)
    assert assert_that_one_side_serves_everything(lab, gateway, writer, topic) == "done"


@every_pause
def test_the_standbys_broker_is_killed(lab: BlockingLab, gateway: GatewayOnALab, topic: str, before: State):
    writer = switched_with_a_kill(gateway, topic, before, lab.clusters["standby"].kill)
    ended = assert_that_one_side_serves_everything(lab, gateway, writer, topic)
    assert ended == ("failed" if before in BEHIND_THE_SWITCH else "rolled-back")


@every_pause
def test_the_mirror_is_killed(lab: BlockingLab, gateway: GatewayOnALab, topic: str, before: State):
    carried: list[str] = []

    def kill_the_mirror() -> None:
        lab.stop_replication(kill=True)
        carried.extend(values_in(lab.clusters["standby"], topic))

    writer = switched_with_a_kill(gateway, topic, before, kill_the_mirror)
    ended = assert_that_one_side_serves_everything(lab, gateway, writer, topic)
    has_all = len(carried) >= (150 if before in BEFORE_THE_FENCE else 100)
    assert has_all or before not in BEHIND_THE_DRAIN
    assert ended == ("done" if has_all else "rolled-back")
