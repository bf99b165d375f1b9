"""SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, KIP-84) towards a cluster, which has to prove itself too."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import scramp

from appliance.identity.errors import IdentityError, UpstreamRefused
from appliance.identity.steps import Work
from appliance.identity.upstream.sasl_client import ClientStep, Done, Send
from appliance.identity.verifiers import usable

_NONCE_BYTES = 24
_MOST_ITERATIONS = 1_000_000
"""A second of work: a broker that asks for more is broken, or wants to keep us busy."""


class ScramClient:
    """client-first, server-first, client-final, and the server's signature, without which nothing was proven."""

    def __init__(self, mechanism: str, username: str, password: str, entropy: Callable[[int], bytes]) -> None:
        if not usable(username) or not usable(password):
            raise IdentityError(
                f"expected a username and a password that SASLprep (RFC 4013) leaves as they are for {mechanism}: "
                "Kafka does not normalise them; choose others"
            )
        self.mechanism = mechanism
        nonce = base64.b64encode(entropy(_NONCE_BYTES)).decode("ascii")
        self._client: Any = scramp.ScramClient([mechanism], username, password, c_nonce=nonce)
        self._finished = False

    def first(self) -> Send:
        """See SaslClient."""
        return Send(self._client.get_client_first().encode())

    def receive(self, token: bytes) -> ClientStep:
        """See SaslClient."""
        try:
            message = token.decode()
            if self._finished:
                self._client.set_server_final(message)
                return Done()
            self._client.set_server_first(message)
        except (scramp.ScramException, UnicodeDecodeError) as error:
            what = "signature" if self._finished else "server-first message"
            raise UpstreamRefused(f"expected a good {what} of {self.mechanism}, found none: {error}") from None
        iterations = int(self._client.iterations)
        if iterations > _MOST_ITERATIONS:
            raise UpstreamRefused(f"expected up to {_MOST_ITERATIONS} iterations, found {iterations}")
        return Work(self._client.get_client_final)

    def resume(self, result: object) -> ClientStep:
        """See SaslClient."""
        assert isinstance(result, str), "the work's result is the client-final message"
        self._finished = True
        return Send(result.encode())

    def remark(self) -> str:
        """See SaslClient."""
        return ""
