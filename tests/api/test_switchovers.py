"""Starting and following a switchover over HTTP, and what status tells."""

from __future__ import annotations

import pytest
import trio

from appliance.remote.answers import SwitchoverRequest
from appliance.remote.errors import RefusedError
from tests.api.scene import Scene, scene

PATH = "/v1/virtualclusters/orders/switchover"


async def finished(here: Scene) -> None:
    while not (await here.api.switchover("orders")).over:  # noqa: ASYNC110 - it is on the other side of HTTP
        await trio.sleep(0.01)


async def paused(here: Scene, before: str) -> None:
    while (await here.api.switchover("orders")).paused_before != before:  # noqa: ASYNC110 - as above
        await trio.sleep(0.01)


async def test_a_switchover_is_accepted_and_followed():
    async with scene() as here:
        response = await here.http.post(PATH, json={"to": "standby", "hold": "5s"})
        assert response.status_code == 202
        assert response.json()["state"] == "preflight"
        await finished(here)
        answer = await here.api.switchover("orders")
        status = await here.api.status()
    assert [each.state for each in answer.history] == [
        "preflight", "transactions", "fence", "drain", "groups", "positions", "switch", "move",
        "unfence", "verify", "done",
    ]  # fmt: skip
    assert answer.plan is not None
    assert (answer.plan.source, answer.plan.target, answer.plan.partitions) == ("primary", "standby", 1)
    assert status.virtual_clusters[0].serving == "standby"
    assert status.virtual_clusters[0].switchover == "done"


async def test_one_at_a_time_is_a_conflict():
    async with scene() as here:
        here.world.writes = 1
        await here.api.start_switchover("orders", "standby")
        with pytest.raises(RefusedError, match="is under way") as caught:
            await here.api.start_switchover("orders", "standby", mode="unplanned")
    assert caught.value.status == 409


async def test_nothing_to_follow_yet():
    async with scene() as here:
        with pytest.raises(RefusedError, match="there was no switchover of orders"):
            await here.api.switchover("orders")
        with pytest.raises(RefusedError, match="there is no VirtualCluster x"):
            await here.api.switchover("x")


async def test_it_is_paused_continued_cancelled_and_remembered():
    async with scene() as here:
        started = await here.api.start_switchover("orders", "standby", pause_before=["fence", "switch"])
        await paused(here, "fence")
        await here.api.continue_switchover(started.id)
        await paused(here, "switch")
        (virtual_cluster,) = (await here.api.status()).virtual_clusters
        assert (virtual_cluster.fence, virtual_cluster.switchover_id) == ("held", started.id)
        assert "paused before switch" in virtual_cluster.switchover_detail
        await here.api.cancel_switchover("orders")
        await finished(here)
        with pytest.raises(RefusedError, match="there is nothing to cancel") as caught:
            await here.api.cancel_switchover("orders")
        assert caught.value.status == 409
        await here.api.start_switchover("orders", "standby", key="once")
        await finished(here)
        assert (await here.api.start_switchover("orders", "standby", key="once")).id == "sw-2"
        newest, oldest = await here.api.switchovers("orders")
        assert await here.api.switchovers("nobody") == []
    assert (newest.id, newest.state, oldest.id, oldest.state) == ("sw-2", "done", "sw-1", "rolled-back")
    assert oldest.detail == "cancelled (by the API); primary serves as before"


async def test_all_of_a_cluster():
    async with scene() as here:
        response = await here.http.post("/v1/clusters/primary/switchover", json={"to": "standby"})
        assert (response.status_code, response.json()["virtual_clusters"]) == (202, ["orders"])
        await finished(here)
        with pytest.raises(RefusedError, match="there is no Cluster x") as caught:
            await here.api.ask_for_switchover(SwitchoverRequest(to="standby"), all_of="x")
    assert caught.value.status == 404


async def test_an_unknown_switchover():
    async with scene() as here:
        with pytest.raises(RefusedError, match="there is no switchover sw-9") as caught:
            await here.api.switchover_by_id("sw-9")
    assert caught.value.status == 404


async def test_a_policy_tells_what_it_thinks():
    async with scene() as here:
        spec = {"cluster": "primary", "to": ["standby"], "canary": {"topic": "canary"}}
        body = {"kind": "FailoverPolicy", "metadata": {"name": "region"}, "spec": spec}
        assert (await here.http.put("/v1/failoverpolicies/region", json=body)).status_code == 201
        while not (await here.api.status()).policies[0].clusters[0].failure:  # noqa: ASYNC110 - as above
            await trio.sleep(0.01)
        answer = await here.api.policy("region")
        with pytest.raises(RefusedError, match="there is no FailoverPolicy x"):
            await here.api.policy("x")
    assert (answer.cluster, answer.decision, answer.why) == ("primary", "none", "primary is unknown")
    assert [(each.name, each.standing) for each in answer.clusters] == [("primary", "unknown"), ("standby", "unknown")]
    assert answer.clusters[0].failure == "the canary's topic canary is not there: create it"


async def test_wrong_requests_are_refused():
    async with scene() as here:
        response = await here.http.post(PATH, json={"hold": 20, "mode": "sudden", "why": "not"})
        with pytest.raises(RefusedError, match="to: expected one of primary, standby") as caught:
            await here.api.start_switchover("orders", "x")
    assert caught.value.status == 422
    assert response.json()["problems"] == [
        "to: is missing",
        "mode: input should be 'planned' or 'unplanned'; found 'sudden'",
        "hold: expected a duration with its unit, such as 250ms, 5s or 1m30s; found 20",
        "why: unknown key",
    ]


async def test_status_tells_it_all():
    async with scene() as here:
        status = await here.api.status()
    (virtual_cluster,) = status.virtual_clusters
    assert (virtual_cluster.serving, virtual_cluster.connections, virtual_cluster.fenced) == ("primary", 3, False)
    primary, standby = status.clusters
    assert (primary.cluster_id, primary.brokers[7], primary.connections) == ("an-id", "10.0.0.1:9092", 3)
    assert (standby.cluster_id, standby.connections) == (None, 0)
    (listener,) = status.listeners
    assert listener.bootstrap == "127.0.0.1:19092"
    assert listener.problems == ["brokers 7, 17 fall on port 19100: name a port for one in broker_ports.pinned"]
