"""SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677; KIP-84): a proof of the password that does not show it."""

from __future__ import annotations

import base64
from typing import Any

from scramp import ScramException, ScramMechanism

from appliance.identity.attempt import Attempt
from appliance.identity.errors import Denied
from appliance.identity.mechanisms.exchange import Challenge, Outcome, Proven
from appliance.identity.principal import Principal

NONCE_BYTES = 24
_MAX_TOKEN = 16 * 1024
"""A client-first and a client-final message are a few hundred bytes."""


class ScramExchange:
    """client-first, server-first, client-final, server-final.

    A name that there is not gets a verifier that nothing fits: salt, cost, order of checks and error are those of a
    wrong password. Without channel binding. Delegation tokens (KIP-48), which Kafka asks for with the extension
    tokenauth=true, are the broker's: a listener that delegates lets them pass.
    """

    def __init__(self, mechanism: str, attempt: Attempt) -> None:
        self._attempt = attempt
        self._mechanism = mechanism
        self._public = (
            f"Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}"
        )
        nonce = base64.b64encode(attempt.entropy(NONCE_BYTES)).decode("ascii")
        self._server: Any = ScramMechanism(mechanism).make_server(self._verifier, s_nonce=nonce)
        self._name: str | None = None

    def receive(self, token: bytes, now: float) -> Outcome:
        """See SaslExchange."""
        message = self._message(token)
        if self._name is None:
            return self._first(message, now)
        return self._final(message)

    def resume(self, result: object, now: float) -> Outcome:  # noqa: ARG002 - the protocol's
        """See SaslExchange: nothing here is slow."""
        raise AssertionError("SCRAM asks for no work")

    def _first(self, message: str, now: float) -> Outcome:
        if ",tokenauth=" in message:
            raise Denied(
                "expected a user's name, found a delegation token (tokenauth=true)",
                "Delegation tokens are not accepted here: they need a listener that delegates authentication",
            )
        try:
            self._server.set_client_first(message)
            name = self._name
            assert name is not None
            self._attempt.claim(name, self._public, now)
            return Challenge(self._server.get_server_first().encode())
        except ScramException as error:
            raise Denied(f"expected a client-first message: {error.args[0]}", self._public) from None

    def _final(self, message: str) -> Outcome:
        name = self._name
        assert name is not None
        try:
            self._server.set_client_final(message)
            last = self._server.get_server_final().encode()
        except ScramException as error:
            raise Denied(f"{self._why_not(name)}: {error.args[0]}", self._public) from None
        account = self._attempt.policy.accounts.get(name)
        if account is None or self._mechanism not in account.scram:
            raise Denied(self._why_not(name), self._public)
        if not account.enabled:
            raise Denied(f"the user {name!r} is disabled", self._public)
        return Proven(Principal(name, account.groups, self._mechanism), last)

    def _verifier(self, name: str) -> tuple[bytes, bytes, bytes, int]:
        self._name = name
        secrets = self._attempt.policy.accounts.scram_of(name, self._mechanism)
        return secrets.salt, secrets.stored_key, secrets.server_key, secrets.iterations

    def _why_not(self, name: str) -> str:
        account = self._attempt.policy.accounts.get(name)
        if account is None or self._mechanism not in account.scram:
            return f"there is no user {name!r} with a verifier for {self._mechanism}"
        return f"wrong password for {name!r}"

    def _message(self, token: bytes) -> str:
        if len(token) > _MAX_TOKEN:
            raise Denied(f"expected a message of up to {_MAX_TOKEN} bytes, found {len(token)}", self._public)
        try:
            return token.decode()
        except UnicodeDecodeError:
            raise Denied("expected a message in UTF-8, found other bytes", self._public) from None
