"""What holds at a listener now, and whether a principal that came in earlier is still good under it."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.identity.accounts import Accounts
from appliance.identity.keys import KeySets
from appliance.identity.mechanisms.plain import MECHANISM as PLAIN
from appliance.identity.principal import Principal
from appliance.identity.revocations import Revocations
from appliance.identity.tokens import TokenRules
from appliance.identity.verifiers import HASHES
from appliance.resources.listener_authentication import ListenerAuthentication

ANONYMOUS = Principal("ANONYMOUS")
"""Kafka's name for everyone who proves nothing."""


@dataclass(frozen=True, slots=True)
class IdentityPolicy:
    """Who may come in at a listener, and how; a new snapshot makes a new one."""

    accounts: Accounts
    revocations: Revocations
    mechanisms: tuple[str, ...] = ()
    """The SASL mechanisms that are offered, in the order in which they are told; none where a certificate speaks."""
    tokens: TokenRules | None = None
    session_lifetime: float | None = None
    """Seconds; None: as long as the proof is good."""


def policy_of(
    authentication: ListenerAuthentication, accounts: Accounts, revocations: Revocations, key_sets: KeySets
) -> IdentityPolicy:
    """Return the policy of a listener that declares `mechanisms` or `certificate`.

    `accounts` and `revocations` are made once per snapshot; `key_sets` live as long as the process.
    """
    tokens = None
    if authentication.oauthbearer is not None:
        tokens = TokenRules(authentication.oauthbearer, key_sets.of(authentication.oauthbearer.jwks))
    return IdentityPolicy(
        accounts, revocations, tuple(authentication.mechanisms or ()), tokens, authentication.session_lifetime
    )


def why_invalid(principal: Principal, policy: IdentityPolicy, now: float) -> str | None:
    """Return why a principal that was proven earlier is not good any more, for the audit trail; None while it is.

    Asked of every standing connection when a snapshot with another policy comes. A changed password does not end
    connections (as with a broker); a deleted or disabled user, a revoked token and an expired proof do. Whether the
    session is over is the conversation's to say (`Conversation.expired`).
    """
    name = principal.name
    if policy.accounts.is_disabled(name):
        return f"{principal} is disabled"
    if principal.mechanism in {PLAIN, *HASHES} and policy.accounts.get(name) is None:
        return f"{principal} is not declared any more"
    revocation = policy.revocations.of(principal.claims)
    if revocation is not None:
        return f"the token of {principal} falls under TokenRevocation {revocation}"
    if principal.expires_at is not None and now >= principal.expires_at:
        return f"the proof of {principal} has expired"
    return None
