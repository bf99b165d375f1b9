"""Connections that stand are looked at again when something changes."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from appliance.identity.policy import ANONYMOUS, why_invalid
from appliance.identity.principal import Principal
from appliance.resources.envelope import Metadata
from appliance.resources.token_revocation import TokenRevocation, TokenRevocationSpec
from tests.identity.scene import NOW, policy, user

ALICE = Principal("alice", mechanism="SCRAM-SHA-256")
CLAIMS = MappingProxyType({"sub": "a-1", "jti": "t-1", "iat": NOW - 100, "iss": "https://login.example"})
BEARER = Principal("alice", mechanism="OAUTHBEARER", claims=CLAIMS, expires_at=NOW + 100)
CERTIFIED = Principal("CN=alice", mechanism="TLS", expires_at=NOW + 100)


def revocation(**spec: object) -> TokenRevocation:
    return TokenRevocation(metadata=Metadata(name="leaked"), spec=TokenRevocationSpec.model_validate(spec))


@pytest.mark.parametrize("principal", [ALICE, BEARER, CERTIFIED, ANONYMOUS], ids=str)
def test_who_came_in_stays(principal: Principal):
    assert why_invalid(principal, policy(), NOW) is None


def test_a_deleted_user_goes_but_not_those_who_were_proven_by_others():
    assert why_invalid(ALICE, policy([]), NOW) == "User:alice is not declared any more"
    assert why_invalid(BEARER, policy([]), NOW) is None
    assert why_invalid(CERTIFIED, policy([]), NOW) is None


@pytest.mark.parametrize("principal", [ALICE, BEARER])
def test_a_disabled_user_goes_however_it_was_proven(principal: Principal):
    assert why_invalid(principal, policy([user(enabled=False)]), NOW) == "User:alice is disabled"


@pytest.mark.parametrize("principal", [BEARER, CERTIFIED])
def test_a_proof_ends(principal: Principal):
    assert why_invalid(principal, policy(), NOW + 100) == f"the proof of {principal} has expired"


@pytest.mark.parametrize(
    ("spec", "struck"),
    [
        ({"jti": "t-1"}, True),
        ({"jti": "t-2"}, False),
        ({"jti": "t-1", "issuer": "https://login.example"}, True),
        ({"jti": "t-1", "issuer": "https://other.example"}, False),
        ({"subject": "a-1", "issued_before": "2027-01-15T08:00:00Z"}, True),
        ({"subject": "a-1", "issued_before": "2027-01-15T07:00:00Z"}, False),
        ({"subject": "a-2", "issued_before": "2027-01-15T08:00:00Z"}, False),
    ],
)
def test_a_revoked_token_goes(spec: dict[str, str], struck: bool):
    why = why_invalid(BEARER, policy(revocations=[revocation(**spec)]), NOW)
    assert why == ("the token of User:alice falls under TokenRevocation leaked" if struck else None)


def test_a_token_that_does_not_say_when_it_was_issued_counts_as_old():
    claims = MappingProxyType({"sub": "a-1"})
    ageless = Principal("alice", mechanism="OAUTHBEARER", claims=claims)
    old = revocation(subject="a-1", issued_before="1990-01-01T00:00:00Z")
    assert why_invalid(ageless, policy(revocations=[old]), NOW) is not None
