"""What the single questions of the gateway's client need of it: whom to ask, and how to take an error."""

from __future__ import annotations

from typing import Any, Protocol

from kio.schema.errors import ErrorCode

from appliance.gateway.client_link import Link
from appliance.wire.apis import Api


class Asking(Protocol):
    """`client.ClusterClient`, seen from the questions. Every method raises ClusterUnreachable."""

    async def links(self) -> list[Link]: ...
    async def link_to(self, node_id: int) -> Link: ...
    async def leader(self, topic: str, partition: int) -> Link: ...
    def forget_leader(self, topic: str, partition: int) -> None: ...
    async def ask_any(self, api: Api, question: Any, *, version: int | None = None) -> Any: ...
    def check(self, code: ErrorCode, what: str) -> None: ...
