"""Which client speaks a mechanism: the one list."""

from __future__ import annotations

from collections.abc import Callable

from appliance.identity.errors import IdentityError
from appliance.identity.upstream.oauthbearer import OAuthBearerClient
from appliance.identity.upstream.plain import PlainClient
from appliance.identity.upstream.sasl_client import SaslClient
from appliance.identity.upstream.scram import ScramClient
from appliance.identity.verifiers import HASHES


def sasl_client(mechanism: str, *, username: str, secret: str, entropy: Callable[[int], bytes]) -> SaslClient:
    """Return the client of a mechanism; `secret` is a password, or for OAUTHBEARER the token (no username then).

    Raises IdentityError for a name or secret that the mechanism cannot carry; the message does not hold the secret.
    """
    if mechanism == "PLAIN":
        return PlainClient(username, secret)
    if mechanism == "OAUTHBEARER":
        return OAuthBearerClient(secret)
    if mechanism in HASHES:
        return ScramClient(mechanism, username, secret, entropy)
    raise IdentityError(f"expected PLAIN, {', '.join(HASHES)} or OAUTHBEARER; found {mechanism}")
