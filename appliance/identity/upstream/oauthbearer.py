"""OAUTHBEARER (RFC 7628, KIP-255) towards a cluster."""

from __future__ import annotations

import re

from appliance.identity.errors import IdentityError
from appliance.identity.upstream.sasl_client import ClientStep, Done, Send

_TOKEN = re.compile(r"[-_.~+/A-Za-z0-9]+=*")
_ACKNOWLEDGED = b"\x01"
_LONGEST_REMARK = 200


class OAuthBearerClient:
    """The token; where the server does not accept it, it says why and we acknowledge before it refuses."""

    mechanism = "OAUTHBEARER"

    def __init__(self, token: str) -> None:
        if not _TOKEN.fullmatch(token):
            raise IdentityError("expected a bearer token (RFC 6750), found other characters")
        self._token = token
        self._remark = ""

    def first(self) -> Send:
        """See SaslClient."""
        return Send(f"n,,\x01auth=Bearer {self._token}\x01\x01".encode())

    def receive(self, token: bytes) -> ClientStep:
        """See SaslClient."""
        if not token:
            return Done()
        said = token[:_LONGEST_REMARK].decode("utf-8", "replace")
        self._remark = "".join(each if each.isprintable() else "?" for each in said)
        return Send(_ACKNOWLEDGED)

    def resume(self, result: object) -> ClientStep:  # noqa: ARG002 - the protocol's
        """See SaslClient."""
        raise AssertionError("OAUTHBEARER asks for no work")

    def remark(self) -> str:
        """See SaslClient."""
        return self._remark
