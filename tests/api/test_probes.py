"""Kubernetes restarts what is stuck, and sends clients only where they can be served."""

from __future__ import annotations

from dataclasses import replace

from appliance.control.datapath import WorkerFacts
from appliance.gateway.server import GatewayFacts
from tests.api.scene import Scene, scene


async def answer(here: Scene, path: str) -> tuple[int, list[str]]:
    response = await here.http.get(path)
    return response.status_code, response.json().get("problems", [])


def has_workers(here: Scene, *workers: WorkerFacts) -> None:
    here.world.workers = lambda: workers  # type: ignore[method-assign]


def has_facts(here: Scene, **changes: object) -> None:
    facts: GatewayFacts = replace(here.world.facts(), **changes)  # type: ignore[arg-type]
    here.world.facts = lambda: facts  # type: ignore[method-assign]


async def test_all_is_well():
    async with scene() as here:
        assert await answer(here, "/livez") == (200, [])
        assert await answer(here, "/readyz") == (200, [])


async def test_a_data_path_that_has_not_turned_for_long_is_not_alive():
    async with scene() as here:
        has_workers(here, WorkerFacts(1, 4711, 1, 3, 60.0, 0, silence=21.0), WorkerFacts(2, 4712, 1, 3, 60.0, 0))
        assert await answer(here, "/livez") == (
            503,
            ["process 1 (pid 4711) has shown no sign of life for 21 s"],
        )


async def test_a_worker_that_is_dead_is_replaced_and_no_reason_to_restart_all():
    async with scene() as here:
        dead, alive = WorkerFacts(1, None, 0, 0, 0.0, 1, silence=99.0), WorkerFacts(2, 4712, 1, 3, 60.0, 0)
        has_workers(here, dead, alive)
        assert await answer(here, "/livez") == (200, [])
        assert await answer(here, "/readyz") == (200, [])


async def test_a_configuration_that_a_process_does_not_serve_yet():
    async with scene() as here:
        here.plane.end_faults()
        behind = here.plane.version - 1
        has_workers(here, WorkerFacts(1, 4711, behind, 0, 60.0, 0), WorkerFacts(2, 4712, behind + 1, 0, 60.0, 0))
        assert await answer(here, "/readyz") == (
            503,
            [f"process 1 serves configuration {behind}, and not yet {behind + 1}"],
        )


async def test_a_door_that_is_closed():
    async with scene() as here:
        has_facts(here, doors=())
        status, (reason,) = await answer(here, "/readyz")
        assert status == 503
        assert reason == "listener orders: 127.0.0.1:19092 is not open: the log says why"


async def test_a_cluster_that_nobody_has_reached_yet():
    async with scene() as here:
        has_facts(here, clusters={})
        expected = (503, ["virtual cluster orders: cluster primary has not answered yet"])
        assert await answer(here, "/readyz") == expected


async def test_a_cluster_that_cannot_be_reached_says_why():
    async with scene() as here:
        has_facts(here, clusters={}, failures={"primary": "cluster primary cannot be reached: 10.0.0.1: no route"})
        _, reasons = await answer(here, "/readyz")
        assert reasons == ["virtual cluster orders: cluster primary cannot be reached: 10.0.0.1: no route"]


async def test_a_cluster_that_was_known_and_is_away_leaves_the_gateway_ready():
    async with scene() as here:
        has_facts(here, failures={"primary": "cluster primary cannot be reached"})
        assert await answer(here, "/readyz") == (200, [])


async def test_all_reasons_at_once():
    async with scene() as here:
        has_facts(here, doors=(), clusters={})
        _, reasons = await answer(here, "/readyz")
        assert len(reasons) == 2
