"""Who changed what: a line in the audit trail for each request that changes something, done or refused."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi import Request

from appliance.api.guard import AsgiApp, Receive, Scope, Send
from appliance.control.plane import ControlPlane
from appliance.gateway.audit import audit

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_STATE = "tidegate.audit"


class Audited:
    """Sits in front of the guard, so that those who are turned away are told of too. No header, no body is shown."""

    def __init__(self, app: AsgiApp, plane: ControlPlane) -> None:
        self._app = app
        self._plane = plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        before = self._plane.version
        details: dict[str, object] = {}
        scope[_STATE] = details

        async def told(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            if scope["method"] not in _READING or status == 401:
                self._tell(scope, status, before, details)

    def _tell(self, scope: Scope, status: int, before: int, details: dict[str, object]) -> None:
        client = scope.get("client")
        peer = f"{client[0]}:{client[1]}" if client else None
        who = "nobody" if status == 401 else "api token"
        what = f"{scope['method']} {scope['path']}"
        after = self._plane.version
        audit("control", who=who, peer=peer, what=what, status=status, before=before, after=after, **details)


def note(request: Request, **details: object) -> None:
    """Add to the line of this request. Nothing in it may be a secret."""
    request.scope.get(_STATE, {}).update(details)
