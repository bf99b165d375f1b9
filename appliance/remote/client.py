"""The typed client of the control API.

    async with ControlApi("127.0.0.1:8474", token=token) as api:
        await api.put(resource)

One request per call, no retries: whoever calls knows what a failure means to it. Every method raises
UnreachableError, WrongTokenError or RefusedError (`remote.errors`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import httpx
from pydantic import BaseModel, RootModel, ValidationError

from appliance.remote.answers import (
    Applied,
    FaultAnswer,
    FaultList,
    PolicyAnswer,
    ProblemDetails,
    ResourceList,
    StatusAnswer,
    SwitchoverAnswer,
    SwitchoverList,
    SwitchoverMode,
    SwitchoverRequest,
)
from appliance.remote.errors import RefusedError, RemoteError, UnreachableError, WrongTokenError
from appliance.resources.kinds import PLURALS, Resource

DEFAULT_ADDRESS = "127.0.0.1:8474"
_PLURAL_OF = {kind: plural for plural, kind in PLURALS.items()}
Answer = TypeVar("Answer", bound=BaseModel)
Resources: TypeAlias = list[Resource] | list[FaultAnswer]
Faults: TypeAlias = list[FaultAnswer]
Switchovers: TypeAlias = list[SwitchoverAnswer]
_One = RootModel[Resource]


class ControlApi:
    """A connection to one gateway's control API; an async context manager that closes it.

    `address` is HOST:PORT or a URL. `transport` is for tests (an ASGI app in the same process).
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        token: str | None = None,
        timeout: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.address = address if "://" in address else f"http://{address}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(
            base_url=self.address, headers=headers, timeout=timeout, transport=transport, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections to the API."""
        await self._http.aclose()

    async def put(self, resource: Resource) -> Applied:
        """Create or change a resource; a fault is armed. A fault that is alive and the same is renewed."""
        path = f"/v1/{_PLURAL_OF[resource.kind]}/{resource.name}"
        return await self._ask("PUT", path, Applied, resource.model_dump(mode="json", by_alias=True, exclude_none=True))

    async def get(self, plural: str, name: str) -> Resource | FaultAnswer:
        """Return one resource; faults come with their status."""
        if plural == "faults":
            return await self.fault(name)
        return (await self._ask("GET", f"/v1/{plural}/{name}", _One)).root

    async def list(self, plural: str) -> Resources:
        """Return all resources of a kind, by name; faults come with their status."""
        if plural == "faults":
            return await self.faults()
        return (await self._ask("GET", f"/v1/{plural}", ResourceList)).items

    async def delete(self, plural: str, name: str) -> None:
        """Delete a resource; refused while another refers to it. A fault ends; its counters stay readable."""
        await self._send("DELETE", f"/v1/{plural}/{name}")

    async def fault(self, name: str) -> FaultAnswer:
        """Return a fault with its status, also when it is over."""
        return await self._ask("GET", f"/v1/faults/{name}", FaultAnswer)

    async def faults(self) -> Faults:
        """Return all faults since the start, with their status."""
        return (await self._ask("GET", "/v1/faults", FaultList)).items

    async def renew_fault(self, name: str) -> FaultAnswer:
        """Renew the lease of a fault. Refused (409) when it is over, (404) when it is not known."""
        return await self._ask("POST", f"/v1/faults/{name}/renew", FaultAnswer)

    async def end_faults(self) -> Faults:
        """End all faults at once; return those that were ended."""
        return (await self._ask("DELETE", "/v1/faults", FaultList)).items

    async def start_switchover(
        self,
        virtual_cluster: str,
        to: str,
        *,
        mode: SwitchoverMode = "planned",
        hold: float | None = None,
        dry_run: bool = False,
        leave_records_behind: bool = False,
        **more: Any,
    ) -> SwitchoverAnswer:
        """Start a switchover and return at once; follow it with `switchover`. `hold` in seconds, None: the gateway
        chooses; `more`: the other fields of SwitchoverRequest."""
        body = SwitchoverRequest.model_construct(
            to=to, mode=mode, hold=hold, dry_run=dry_run, leave_records_behind=leave_records_behind, **more
        )
        return await self.ask_for_switchover(body, virtual_cluster=virtual_cluster)

    async def ask_for_switchover(
        self, request: SwitchoverRequest, *, virtual_cluster: str | None = None, all_of: str | None = None
    ) -> SwitchoverAnswer:
        """Start a switchover of one virtual cluster, or of all that a cluster serves."""
        path = f"/v1/clusters/{all_of}" if virtual_cluster is None else f"/v1/virtualclusters/{virtual_cluster}"
        return await self._ask("POST", f"{path}/switchover", SwitchoverAnswer, request.model_dump(mode="json"))

    async def switchover(self, virtual_cluster: str) -> SwitchoverAnswer:
        """Return the latest switchover of a virtual cluster. Refused (404) when there was none."""
        return await self._ask("GET", f"/v1/virtualclusters/{virtual_cluster}/switchover", SwitchoverAnswer)

    async def switchover_by_id(self, id_: str) -> SwitchoverAnswer:
        """Return a switchover by its id. Refused (404) when it is not known."""
        return await self._ask("GET", f"/v1/switchovers/{id_}", SwitchoverAnswer)

    async def switchovers(self, virtual_cluster: str | None = None) -> Switchovers:
        """Return the last switchovers, the newest first."""
        only = f"?virtual_cluster={virtual_cluster}" if virtual_cluster else ""
        return (await self._ask("GET", f"/v1/switchovers{only}", SwitchoverList)).items

    async def cancel_switchover(self, virtual_cluster: str) -> SwitchoverAnswer:
        """Take back the switchover of a virtual cluster. Refused (409) behind the point of no return."""
        return await self._ask("DELETE", f"/v1/virtualclusters/{virtual_cluster}/switchover", SwitchoverAnswer)

    async def continue_switchover(self, id_: str) -> SwitchoverAnswer:
        """Let a switchover go on from its pause. Refused (409) where it does not pause."""
        return await self._ask("POST", f"/v1/switchovers/{id_}/continue", SwitchoverAnswer)

    async def policy(self, name: str) -> PolicyAnswer:
        """Return what a failover policy thinks, and what it saw and did."""
        return await self._ask("GET", f"/v1/failoverpolicies/{name}/status", PolicyAnswer)

    async def status(self) -> StatusAnswer:
        """Return the whole gateway at a glance."""
        return await self._ask("GET", "/v1/status", StatusAnswer)

    async def _ask(
        self, method: str, path: str, model: type[Answer], body: Mapping[str, object] | None = None
    ) -> Answer:
        response = await self._send(method, path, body)
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise RemoteError(
                f"{self.address} answered {method} {path} with something else than a {model.__name__} "
                f"({error.error_count()} problems): is it a Tidegate of this version?"
            ) from error

    async def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> httpx.Response:
        try:
            response = await self._http.request(method, path, json=body)
        except httpx.TimeoutException as error:
            raise UnreachableError(f"{self.address} does not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(
                f"no control API at {self.address}: {error}. Does the gateway run, with --api there?"
            ) from error
        if response.is_success:
            return response
        raise self._refusal(response)

    def _refusal(self, response: httpx.Response) -> RemoteError:
        try:
            problem = ProblemDetails.model_validate_json(response.content)
        except ValidationError:
            return RemoteError(f"{self.address} answered {response.status_code} {response.reason_phrase}")
        if response.status_code == httpx.codes.UNAUTHORIZED:
            return WrongTokenError(f"{self.address} refuses the token: {problem.detail}")
        return RefusedError(response.status_code, problem.detail, tuple(problem.problems))
