"""Which mechanism's exchange serves a name: the one list."""

from __future__ import annotations

from appliance.identity.attempt import Attempt
from appliance.identity.mechanisms.exchange import SaslExchange
from appliance.identity.mechanisms.oauthbearer import OAuthBearerExchange
from appliance.identity.mechanisms.plain import PlainExchange
from appliance.identity.mechanisms.scram import ScramExchange


def exchange_of(mechanism: str, attempt: Attempt) -> SaslExchange:
    """Return a new exchange by a mechanism that the policy offers."""
    if mechanism == "PLAIN":
        return PlainExchange(attempt)
    if mechanism == "OAUTHBEARER":
        return OAuthBearerExchange(attempt)
    return ScramExchange(mechanism, attempt)
