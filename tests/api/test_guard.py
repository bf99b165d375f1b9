"""Nobody without the token, nothing too large."""

from __future__ import annotations

import httpx
import pytest

from appliance.api.guard import LARGEST_BODY
from tests.api.scene import TOKEN, scene

PATHS = ["/v1/clusters", "/v1/clusters/primary", "/v1/faults", "/v1/status", "/v1/nothing", "/", "/docs"]


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_token_nothing_is_told(path: str):
    async with scene() as here, here.stranger() as stranger:
        response = await stranger.get(path)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["title"] == "Unauthorized"


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xe4"],
)
async def test_wrong_tokens(given: str):
    async with scene() as here:
        wrong = {b"Authorization": given.encode("latin-1")}
        response = await here.http.delete("/v1/faults", headers=wrong)
    assert response.status_code == 401
    assert TOKEN not in response.text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json"])
async def test_open_paths(path: str):
    async with scene() as here, here.stranger() as stranger:
        assert (await stranger.get(path)).status_code == 200


async def test_a_large_body_is_not_read():
    async with scene() as here:
        response = await here.http.put("/v1/clusters/a", content=b" " * (LARGEST_BODY + 1))
    assert response.status_code == 413


class Blanks(httpx.AsyncByteStream):
    """A body of 40 chunks; no generator, as nobody takes it to its end or would close it."""

    def __init__(self) -> None:
        self.sent = 0

    def __aiter__(self) -> Blanks:
        return self

    async def __anext__(self) -> bytes:
        if self.sent == 40 * 65536:
            raise StopAsyncIteration
        self.sent += 65536
        return b" " * 65536


async def test_a_large_body_in_chunks_is_cut_off():
    body = Blanks()
    async with scene() as here:
        request = here.http.build_request("PUT", "/v1/clusters/a")
        del request.headers["Content-Length"]
        request.stream = body
        response = await here.http.send(request)
    assert response.status_code == 413
    assert body.sent <= LARGEST_BODY + 65536


async def test_not_ready_yet():
    async with scene() as here:
        here.ready = False
        response = await here.http.get("/readyz")
    assert (response.status_code, response.json()["detail"]) == (503, "the doors are not open yet")
