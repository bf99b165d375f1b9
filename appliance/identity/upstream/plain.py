"""PLAIN (RFC 4616) towards a cluster."""

from __future__ import annotations

from appliance.identity.errors import IdentityError, UpstreamRefused
from appliance.identity.upstream.sasl_client import ClientStep, Done, Send


class PlainClient:
    """Name and password in one token; the server proves nothing."""

    mechanism = "PLAIN"

    def __init__(self, username: str, password: str) -> None:
        if not username or not password or "\0" in username + password:
            raise IdentityError("expected a username and a password without NUL for PLAIN, found others")
        self._token = f"\0{username}\0{password}".encode()

    def first(self) -> Send:
        """See SaslClient."""
        return Send(self._token)

    def receive(self, token: bytes) -> ClientStep:
        """See SaslClient."""
        if token:
            raise UpstreamRefused("expected the cluster to accept or refuse the password; found another question")
        return Done()

    def resume(self, result: object) -> ClientStep:  # noqa: ARG002 - the protocol's
        """See SaslClient."""
        raise AssertionError("PLAIN asks for no work")

    def remark(self) -> str:
        """See SaslClient."""
        return ""
