"""A failover policy at work on real clusters: felt through the outage fault, and when brokers are really gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.harness import BlockingLab
from appliance.remote.answers import PolicyAnswer
from appliance.resources.fault import Fault
from tests.control.switching_lab import GatewayOnALab, Writer, replicated_topic, values_in, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
CANARY = "tidegate-canary"
POLICY = f"""---
kind: FailoverPolicy
metadata: {{name: region}}
spec:
  cluster: primary
  to: [standby]
  canary: {{topic: {CANARY}, every: 500ms, timeout: 10s}}
  unhealthy: {{tries: 3, of: 5}}
  healthy: {{tries: 3, of: 3}}
  rpo: 1m
  action: switch
"""


@pytest.fixture
def topic(lab: BlockingLab, fresh_name: str) -> Iterator[str]:
    with replicated_topic(lab, CANARY), replicated_topic(lab, fresh_name) as name:
        yield name


@pytest.fixture
def gateway(lab: BlockingLab, topic: str, tmp_path: Path) -> Iterator[GatewayOnALab]:  # noqa: ARG001 - made before it
    made = GatewayOnALab(lab, tmp_path, POLICY)
    made.start()
    yield made
    made.close()


def policy(gateway: GatewayOnALab) -> PolicyAnswer:
    return gateway.ask(lambda api: api.policy("region"))


def wait_ready(gateway: GatewayOnALab) -> None:
    """Wait until both clusters are known to be well, and the standby to have everything."""

    def ready() -> bool:
        clusters = policy(gateway).clusters
        return all(each.standing == "healthy" for each in clusters) and clusters[1].exposure is not None

    wait_until(ready, lambda: f"{policy(gateway)}\n{gateway.log}")


@pytest.mark.parametrize("loss", ["outage", pytest.param("stopped", marks=pytest.mark.long)])
def test_a_lost_cluster_is_left_by_itself(lab: BlockingLab, gateway: GatewayOnALab, topic: str, loss: str):
    writer = Writer(gateway.bootstrap, topic)
    writer.send(100)
    writer.flush()
    wait_ready(gateway)
    if loss == "outage":
        spec = {"virtual_cluster": "orders", "duration": "2m", "lease": "2m"}
        fault = Fault.model_validate(
            {"metadata": {"name": "dark"}, "spec": {**spec, "outage": {"cluster": "primary", "mode": "blackhole"}}}
        )
        gateway.ask(lambda api: api.put(fault))
    else:
        lab.clusters["primary"].stop()
    wait_until(
        lambda: gateway.status().virtual_clusters[0].serving == "standby", lambda: f"{policy(gateway)}\n{gateway.log}"
    )
    over = gateway.wait(lambda each: each.over)
    assert (over.state, over.mode, over.asked_by) == ("done", "unplanned", "FailoverPolicy region"), over.detail
    writer.send(50)
    writer.flush()
    assert set(writer.acknowledged[100:]) <= set(values_in(lab.clusters["standby"], topic))
    thinks = policy(gateway)
    assert thinks.why == "primary is unhealthy, and serves no virtual cluster"
    assert any("standby takes its place" in each.text for each in thinks.events)
    assert len(gateway.ask(lambda api: api.switchovers())) == 1
