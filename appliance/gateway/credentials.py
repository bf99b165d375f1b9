"""What the gateway proves itself with at a cluster: passwords from where they lie, tokens from their endpoint."""

from __future__ import annotations

import os
from collections.abc import Callable

import trio

from appliance.gateway.errors import NotLoggedIn, SecretUnavailable
from appliance.gateway.secrets import Secrets
from appliance.identity.errors import IdentityError
from appliance.identity.upstream.mechanisms import sasl_client
from appliance.identity.upstream.sasl_client import SaslClient
from appliance.identity.upstream.token_endpoint import BearerToken, read_token, token_request
from appliance.resources.cluster_security import ClientCredentials, ClusterAuthentication

OWN_NAME = "tidegate"
"""The principal that the gateway's own questions are asked as where every principal has credentials of its own."""
_ANSWER_SECONDS = 10.0


class Credentials:
    """Of a process; `wall` gives Unix time in seconds."""

    def __init__(self, secrets: Secrets, wall: Callable[[], float]) -> None:
        self._secrets = secrets
        self._wall = wall
        self._tokens: dict[str, BearerToken] = {}
        self._fetching: dict[str, trio.Lock] = {}

    async def client(self, cluster: str, asked: ClusterAuthentication, principal: str) -> SaslClient:
        """Return one login's client. Raises NotLoggedIn, which names the cluster and holds no secret."""
        try:
            username, secret = await self._identity(asked, principal)
            return sasl_client(asked.mechanism, username=username, secret=secret, entropy=os.urandom)
        except (SecretUnavailable, IdentityError, ValueError) as error:
            raise NotLoggedIn(f"cluster {cluster}: {error}") from None

    def doubt(self, asked: ClusterAuthentication, principal: str) -> None:
        """Have the password of this principal read anew for the next login: the cluster has just refused it."""
        if asked.per_principal is not None:
            found = asked.per_principal.credentials_of(principal)
            if found is not None:
                self._secrets.doubt(found[1])
        elif (single := asked.plain or asked.scram) is not None:
            self._secrets.doubt(single.password)

    async def _identity(self, asked: ClusterAuthentication, principal: str) -> tuple[str, str]:
        if asked.oauthbearer is not None:
            return "", await self._token(asked.oauthbearer)
        if asked.per_principal is not None:
            found = asked.per_principal.credentials_of(principal)
            if found is None:
                raise IdentityError(
                    f"principal {principal} has no credentials there: add it to authentication.per_principal.principals"
                )
            return found[0], await self._secrets.resolve(found[1])
        single = asked.plain or asked.scram
        assert single is not None
        return single.username, await self._secrets.resolve(single.password)

    async def _token(self, credentials: ClientCredentials) -> str:
        """Return a token that is still good for a while; one that cannot be renewed yet is used until it ends."""
        key = credentials.model_dump_json()
        async with self._fetching.setdefault(key, trio.Lock()):
            kept = self._tokens.get(key)
            if kept is not None and self._wall() < kept.refresh_at:
                return kept.value
            try:
                fresh = await self._fetched(credentials)
            except (IdentityError, SecretUnavailable):
                if kept is None or self._wall() >= kept.expires_at:
                    raise
                return kept.value
            self._tokens[key] = fresh
            return fresh.value

    async def _fetched(self, credentials: ClientCredentials) -> BearerToken:
        import ssl  # noqa: PLC0415 - see secrets

        import httpx  # noqa: PLC0415

        request = token_request(credentials, await self._secrets.resolve(credentials.client_secret))
        verify = ssl.create_default_context(cafile=credentials.ca) if request.url.startswith("https") else False
        try:
            async with httpx.AsyncClient(verify=verify, timeout=_ANSWER_SECONDS, trust_env=False) as client:
                answer = await client.post(request.url, headers=dict(request.headers), content=request.body)
        except (httpx.HTTPError, OSError) as error:
            raise IdentityError(
                f"the token endpoint {credentials.token_endpoint} does not answer ({type(error).__name__})"
            ) from None
        return read_token(answer.status_code, answer.content, self._wall())
