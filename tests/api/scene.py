"""The app over a control plane in memory, reached without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from appliance.api.app import make_app
from appliance.api.guard import AsgiApp
from appliance.control.plane import ControlPlane
from appliance.remote.client import ControlApi
from tests.control.world import World, running_plane

TOKEN = "a-token-for-tests-only"


@dataclass
class Scene:
    world: World
    plane: ControlPlane
    app: AsgiApp
    http: httpx.AsyncClient
    """With the token."""
    api: ControlApi
    ready: bool = True

    def stranger(self, **headers: str) -> httpx.AsyncClient:
        """Return a client without the token."""
        return httpx.AsyncClient(transport=transport(self.app), base_url="http://test", headers=headers)


def transport(app: AsgiApp) -> httpx.ASGITransport:
    return httpx.ASGITransport(app=app, raise_app_exceptions=False)


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """Run the app for the length of a block, with clusters that are in step."""
    world = World()
    world.in_step()
    async with running_plane(world) as plane:
        made: Scene | None = None
        app = make_app(plane, world, token=TOKEN, ready=lambda: made is None or made.ready)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            httpx.AsyncClient(transport=transport(app), base_url="http://test", headers=headers) as http,
            ControlApi("test", token=TOKEN, transport=transport(app)) as api,
        ):
            made = Scene(world, plane, app, http, api)
            yield made
