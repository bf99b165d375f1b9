"""Whoever is refused reads Kafka's own error for it, goes nowhere, and leaves one line in the audit trail."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from appliance.identity.errors import UpstreamRefused
from appliance.resources.envelope import Metadata
from appliance.resources.listener import Listener
from appliance.resources.token_revocation import TokenRevocation
from appliance.resources.user import User
from tests.gateway.conftest import Trail
from tests.gateway.scene import free_base
from tests.gateway.scripted_broker import scripted_broker
from tests.gateway.secured import Files, client, cluster, gateway, listener
from tests.identity.issuer import ISSUER, forged, jwks, rsa_key, token
from tests.identity.scene import PASSWORD, user

UNSUPPORTED_SASL_MECHANISM, SASL_AUTHENTICATION_FAILED = 33, 58
PASSWORDS: dict[str, Any] = {"mechanisms": ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"], "allow_without_tls": True}


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, Any]:
    """What a listener says that takes tokens of the issuer."""
    keys = tmp_path / "jwks.json"
    keys.write_bytes(jwks())
    good: dict[str, Any] = {"issuer": ISSUER, "audience": ["kafka"], "jwks_file": str(keys), "clock_skew": "0s"}
    good |= {"required_claims": {"team": "payments"}, "required_scopes": ["produce"]}
    return {"mechanisms": ["OAUTHBEARER"], "oauthbearer": good, "allow_without_tls": True}


def now() -> float:
    """Return the time by which the gateway judges tokens."""
    return time.time_ns() / 10**9


def a_token(key: Any = None, ends: float = 600, **claims: Any) -> str:
    """Return a token that is good but for these claims; it ends so many seconds from now."""
    return token({"iat": now() - 60, "exp": now() + ends, "team": "payments", **claims}, key)


def unsigned() -> str:
    """Return one that names no algorithm."""
    return forged({"alg": "none"}, {"iat": now() - 60, "exp": now() + 600, "team": "payments"})


async def refused(
    asked: Listener, mechanism: str, name: str, secret: str, *declared: User | TokenRevocation
) -> UpstreamRefused:
    """Return what a client reads that tries to log in so; nothing of it must go upstream."""
    base = int(asked.spec.bind.rpartition(":")[2])
    users = [each for each in declared if isinstance(each, User)]
    async with scripted_broker() as broker:
        async with gateway(cluster(broker), asked, users=users) as here, client(base) as one:
            here.declare(*declared)
            with pytest.raises(UpstreamRefused) as answer:
                await one.log_in(mechanism, name, secret)
            await one.closed()
        assert broker.arrived == 0
    return answer.value


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
@pytest.mark.parametrize(
    ("name", "secret", "declared", "why"),
    [
        ("alice", "a wild guess", user(), "wrong password for 'alice'"),
        ("mallory", PASSWORD, user(), "there is no user 'mallory'"),
        ("alice", PASSWORD, user(enabled=False), "the user 'alice' is disabled"),
    ],
    ids=["wrong password", "unknown name", "revoked user"],
)
async def test_passwords(mechanism: str, name: str, secret: str, declared: User, why: str, trail: Trail):
    asked = listener(free_base(), authentication=PASSWORDS)
    answer = await refused(asked, mechanism, name, secret, declared)
    assert answer.code == SASL_AUTHENTICATION_FAILED
    (line,) = trail.lines
    assert line.startswith("authentication failed: listener secured")
    assert f"mechanism {mechanism}" in line
    assert why in line
    assert secret not in line
    assert secret not in str(answer)


async def test_a_mechanism_that_is_not_offered(trail: Trail):
    asked = listener(free_base(), authentication={"mechanisms": ["SCRAM-SHA-512"]})
    answer = await refused(asked, "PLAIN", "alice", PASSWORD, user())
    assert answer.code == UNSUPPORTED_SASL_MECHANISM
    (line,) = trail.lines
    assert "expected one of SCRAM-SHA-512; found PLAIN" in line


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (partial(a_token, ends=-1), "exp: expected a token that is valid; found one that expired"),
        (partial(a_token, iss="https://elsewhere.example"), f"iss: expected {ISSUER}"),
        (partial(a_token, aud="another-service"), "aud: expected one of kafka; found 'another-service'"),
        (partial(a_token, team=None), "team: expected payments; found nothing"),
        (partial(a_token, scope="consume"), "scope: expected produce among the scopes"),
        (partial(a_token, sub=None), "sub: expected the principal's name; found nothing"),
        (lambda: a_token(rsa_key("another")), "signature"),
        (unsigned, "none"),
    ],
    ids=["expired", "issuer", "audience", "claim", "scope", "name", "signature", "unsigned"],
)
async def test_tokens(make: Callable[[], str], why: str, tokens: dict[str, Any], trail: Trail):
    bearer = make()
    answer = await refused(listener(free_base(), authentication=tokens), "OAUTHBEARER", "", bearer)
    assert answer.code == SASL_AUTHENTICATION_FAILED
    (line,) = trail.lines
    assert line.startswith("authentication failed: listener secured")
    assert why in line
    assert bearer not in line


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        (
            TokenRevocation.model_validate({"metadata": {"name": "leaked"}, "spec": {"jti": "t-1"}}),
            "falls under TokenRevocation leaked",
        ),
        (User(metadata=Metadata(name="alice"), spec=user(enabled=False).spec), "the user 'alice' is disabled"),
    ],
    ids=["revoked token", "revoked user"],
)
async def test_tokens_that_were_good_once(
    declared: User | TokenRevocation, why: str, tokens: dict[str, Any], trail: Trail
):
    asked = listener(free_base(), authentication=tokens)
    answer = await refused(asked, "OAUTHBEARER", "", a_token(), declared)
    assert answer.code == SASL_AUTHENTICATION_FAILED
    (line,) = trail.lines
    assert line.startswith("authentication failed: listener secured")
    assert why in line


@pytest.mark.parametrize(
    ("whose", "alert", "why"),
    [
        ("expired", "CERTIFICATE_EXPIRED", "certificate has expired"),
        ("stranger", "UNKNOWN_CA", "is not accepted"),
        ("nobody", "CERTIFICATE_REQUIRED", "the client has no certificate"),
    ],
)
async def test_certificates_that_tls_refuses(whose: str, alert: str, why: str, tmp_path: Path, trail: Trail):
    """Kafka has no error for them: the client reads TLS's own."""
    files = Files(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    shown = {
        "expired": files.expired_client("Shop"),
        "stranger": Files(tmp_path / "elsewhere").client("Shop"),
        "nobody": None,
    }[whose]
    base = free_base()
    asked = listener(
        base, tls=files.tls(client_ca=files.ca, client_auth="required"), authentication={"certificate": True}
    )
    async with scripted_broker() as broker:
        async with gateway(cluster(broker), asked), client(base, ca=files.ca, certificate=shown) as one:
            with pytest.raises(ssl.SSLError) as told:
                await one.ask(18, 0, b"")
            assert alert in str(told.value.reason)
        assert broker.arrived == 0
    (line,) = trail.lines
    assert line.startswith("authentication failed: listener secured, peer 127.0.0.1:")
    assert "mechanism TLS" in line
    assert why in line


@pytest.mark.parametrize(
    ("rules", "declared", "why"),
    [
        (["RULE:^CN=Till,.*$/till/"], [], "no principal_mapping_rule applies to 'CN=Shop"),
        (["RULE:^CN=(.*?),.*$/$1/L"], [user("shop", enabled=False)], "User:shop is disabled"),
    ],
    ids=["no rule", "revoked user"],
)
async def test_certificates_of_nobody_whom_the_listener_knows(
    rules: list[str], declared: list[User], why: str, tmp_path: Path, trail: Trail
):
    files, base = Files(tmp_path), free_base()
    tls = files.tls(client_ca=files.ca, client_auth="required", principal_mapping_rules=rules)
    asked = listener(base, tls=tls, authentication={"certificate": True})
    async with scripted_broker() as broker:
        async with gateway(cluster(broker), asked, users=declared):
            async with client(base, ca=files.ca, certificate=files.client("Shop")) as one:
                await one.closed()
        assert broker.arrived == 0
    (line,) = trail.lines
    assert line.startswith("authentication failed: listener secured")
    assert why in line
