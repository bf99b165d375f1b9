"""Resources over HTTP: every refusal is a problem with all reasons."""

from __future__ import annotations

import httpx
import pytest

from appliance.remote.errors import RefusedError
from tests.api.scene import scene
from tests.control.world import declared, fault, resources

THIRD = {"kind": "Cluster", "metadata": {"name": "third"}, "spec": {"bootstrap": ["10.0.0.9:9092"]}}


async def test_put_get_list_delete():
    (third,) = resources('{kind: Cluster, metadata: {name: third}, spec: {bootstrap: ["10.0.0.9:9092"]}}')
    async with scene() as here:
        assert (await here.api.put(third)).outcome == "created"
        assert (await here.api.put(third)).outcome == "unchanged"
        assert await here.api.get("clusters", "third") == third
        assert [each.name for each in await here.api.list("clusters")] == ["primary", "standby", "third"]
        await here.api.delete("clusters", "third")
        with pytest.raises(RefusedError, match="there is no Cluster third") as caught:
            await here.api.get("clusters", "third")
    assert caught.value.status == 404


async def test_put_answers_201_only_when_it_creates():
    async with scene() as here:
        codes = [(await here.http.put("/v1/clusters/third", json=THIRD)).status_code for _ in range(2)]
    assert codes == [201, 200]


async def refusal(method: str, path: str, **content: object) -> tuple[int, str, list[str]]:
    async with scene() as here:
        response: httpx.Response = await here.http.request(method, path, **content)  # type: ignore[arg-type]
        assert len(here.world.published) == 1
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["type"]) == (response.status_code, "about:blank")
    return response.status_code, body["detail"], body["problems"]


async def test_a_wrong_body_lists_all_problems():
    body = {"kind": "Listener", "metadata": {"name": "L"}, "spec": {"bind": "nope", "extra": 1}}
    assert await refusal("PUT", "/v1/listeners/l", json=body) == (
        422,
        "the body has 4 problems",
        [
            "metadata.name: string should match pattern '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'; found 'L'",
            "spec.bind: expected HOST:PORT, such as broker-1.example:9092; found 'nope'",
            "spec.virtual_cluster: is missing",
            "spec.extra: unknown key",
        ],
    )


async def test_a_scenario_is_not_a_resource():
    status, _, problems = await refusal("PUT", "/v1/clusters/a", json={"kind": "Scenario", "metadata": {"name": "a"}})
    assert (status, problems) == (
        422,
        [
            "expected kind to be one of Cluster, Listener, VirtualCluster, User, TokenRevocation, FailoverPolicy, "
            "Fault; found 'Scenario'"
        ],
    )


async def test_the_body_belongs_to_the_path():
    assert await refusal("PUT", "/v1/listeners/a", json=THIRD) == (
        422,
        "the body does not belong to this path",
        [
            "kind: expected Listener, as in the path; found Cluster",
            "metadata.name: expected a, as in the path; found third",
        ],
    )


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "detail"),
    [
        (
            "PUT",
            "/v1/clusters/a",
            {"content": b"{", "headers": {"Content-Type": "application/json"}},
            400,
            "the body is not JSON",
        ),
        ("PUT", "/v1/clusters/a", {}, 400, "expected a JSON body, found none"),
        ("GET", "/v1/topics", {}, 404, "there is no kind topics: expected one of clusters,"),
        ("GET", "/nothing/at/all", {}, 404, "GET /nothing/at/all: Not Found"),
        ("PATCH", "/v1/clusters", {}, 405, "PATCH /v1/clusters: Method Not Allowed"),
        ("DELETE", "/v1/clusters/primary", {}, 409, "it is used by VirtualCluster orders"),
        ("DELETE", "/v1/clusters/none", {}, 404, "there is no Cluster none"),
        ("PUT", "/v1/clusters/a", {"json": 3}, 422, "the body has 1 problem"),
    ],
)
async def test_refusals(method: str, path: str, content: dict[str, object], status: int, detail: str):
    found, said, _ = await refusal(method, path, **content)
    assert found == status
    assert detail in said


async def test_references_are_checked():
    (listener,) = declared('{kind: Listener, metadata: {name: l}, spec: {bind: "h:1", virtual_cluster: b}}')
    async with scene() as here:
        with pytest.raises(RefusedError) as caught:
            await here.api.put(listener)
    assert caught.value.problems == ("Listener l: spec.virtual_cluster: there is no VirtualCluster b",)


async def test_a_bug_is_answered_without_its_inside(monkeypatch: pytest.MonkeyPatch):
    async with scene() as here:

        def broken() -> None:
            raise RuntimeError("secret inside")

        monkeypatch.setattr(here.world, "facts", broken)
        response = await here.http.get("/v1/status")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text


async def test_faults_live_with_their_status():
    async with scene() as here:
        assert (await here.api.put(fault())).outcome == "created"
        answer = await here.api.fault("slow")
        assert (answer.status.state, answer.status.fired, answer.spec) == ("active", 0, fault().spec)
        assert (await here.api.renew_fault("slow")).status.state == "active"
        assert [each.name for each in (await here.api.status()).faults] == ["slow"]
        await here.api.delete("faults", "slow")
        assert (await here.api.fault("slow")).status.state == "removed"
        with pytest.raises(RefusedError, match="cannot be renewed: it is over") as caught:
            await here.api.renew_fault("slow")
        assert caught.value.status == 409


async def test_the_kill_switch_ends_all_faults():
    async with scene() as here:
        for name in ("a", "b"):
            await here.api.put(fault(name))
        await here.api.delete("faults", "a")
        assert [each.name for each in await here.api.end_faults()] == ["b"]
        assert {each.status.state for each in await here.api.faults()} == {"removed"}
        assert not here.world.snapshot.routes["orders"].interceptors


async def test_an_illegal_fault_is_refused_with_the_reason():
    async with scene() as here:
        with pytest.raises(RefusedError, match="Kafka has no error OOPS") as caught:
            await here.api.put(fault(error={"code": "OOPS"}, select={"apis": ["Produce"]}))
    assert caught.value.status == 422
