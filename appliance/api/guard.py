"""Before anything is read: who asks, and how much does it send?"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from appliance.api.problems import problem

OPEN_PATHS = frozenset({"/livez", "/readyz", "/openapi.json"})
LARGEST_BODY = 1024 * 1024
TOO_LARGE = f"expected a body of at most {LARGEST_BODY} bytes"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """Let only requests with the bearer token pass (but for OPEN_PATHS), and no body above LARGEST_BODY."""

    def __init__(self, app: AsgiApp, *, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        else:
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
            else:
                await self._app(scope, _bounded(receive), send)

    def _refusal(self, scope: Scope) -> AsgiApp | None:
        headers = dict(scope["headers"])
        if scope["path"] not in OPEN_PATHS and not self._knows(headers.get(b"authorization", b"")):
            return problem(
                401,
                "expected a bearer token that this gateway knows",
                headers={"WWW-Authenticate": "Bearer"},
            )
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            return problem(413, TOO_LARGE)
        return None

    def _knows(self, authorization: bytes) -> bool:
        return hmac.compare_digest(authorization, self._expected)


def _bounded(receive: Receive) -> Receive:
    """Refuse what is sent in chunks where it goes beyond the limit; the rest is not read."""
    left = LARGEST_BODY

    async def bounded() -> MutableMapping[str, Any]:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            body = message.get("body", b"")
            if len(body) > left:
                raise HTTPException(413, TOO_LARGE)
            left -= len(body)
        return message

    return bounded
