"""OAUTHBEARER: tokens of a real issuer over HTTP, and tokens that nobody should accept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.identity.errors import UpstreamRefused
from appliance.identity.keys import KeySets
from appliance.identity.steps import Accepted, Failed, Reply
from appliance.identity.throttle import Throttle, ThrottleSettings
from appliance.resources.envelope import Metadata
from appliance.resources.token_revocation import TokenRevocation, TokenRevocationSpec
from tests.identity.issuer import (
    CLAIMS,
    OAUTH,
    URL,
    forged,
    jwk,
    jwks,
    message,
    other_keys,
    public_pem,
    rsa_key,
    token,
)
from tests.identity.scene import NOW, REFUSED, Shell, answer, client, policy, user


def bearer_shell(document: Callable[[str], bytes] = lambda _: jwks(), users=(), revocations=(), **more: Any) -> Shell:
    """Return a shell at a listener that takes tokens."""
    rules = {**OAUTH, **more.pop("oauthbearer", {})}
    made = policy(users, revocations, more.pop("key_sets", None), mechanisms=["OAUTHBEARER"], oauthbearer=rules, **more)
    return Shell(made, fetch=document)


def said(shell: Shell, first: bytes) -> Any:
    """Return the answer to a token."""
    shell.handshake("OAUTHBEARER")
    return answer(shell.authenticate(first))


def refused(shell: Shell, bearer: str) -> Failed:
    """Return the failure that a token leads to; a client goes through all of it."""
    with pytest.raises(UpstreamRefused) as error:
        shell.log_in(client("OAUTHBEARER", secret=bearer))
    assert error.value.code == REFUSED
    assert shell.conversation.principal is None
    return shell.failure


# -- a real issuer

PROVIDER = """
import sys
from oidc_provider_mock import run_server_in_thread
with run_server_in_thread() as server:
    print(server.server_port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def provider():
    """The URL of an issuer in a process of its own: it says its port, and ends when its standard input does."""
    command = [sys.executable, "-W", "ignore", "-c", PROVIDER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield f"http://localhost:{port}"
        process.communicate()


def issued(provider: str, subject: str, **claims: Any) -> str:
    """Let a person log in at the issuer and return the token that its client gets."""
    with httpx.Client(base_url=provider) as browser:
        browser.put(f"/users/{subject}", json=claims).raise_for_status()
        asked = {
            "client_id": "kafka",
            "redirect_uri": "https://app.example/back",
            "response_type": "code",
            "scope": "openid profile email",
        }
        back = browser.post("/oauth2/authorize", params=asked, data={"sub": subject})
        (code,) = parse_qs(urlsplit(back.headers["location"]).query)["code"]
        grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": asked["redirect_uri"]}
        tokens = browser.post("/oauth2/token", data=grant, auth=("kafka", "secret")).raise_for_status().json()
    return str(tokens["id_token"])


def over_http(url: str) -> bytes:
    try:
        return httpx.get(url).raise_for_status().content
    except httpx.HTTPError as error:
        raise OSError(str(error)) from error


def test_a_token_of_a_real_issuer_is_checked_with_keys_fetched_from_it(provider: str):
    bearer = issued(provider, "alice", email="alice@example.com")
    about = httpx.get(f"{provider}/.well-known/openid-configuration").json()
    rules = {"issuer": about["issuer"], "jwks_url": about["jwks_uri"], "principal_claim": "email"}
    shell = bearer_shell(over_http, oauthbearer=rules)
    claims = jwt.decode(bearer, options={"verify_signature": False})
    shell.now = claims["iat"] + 1
    lifetime = shell.log_in(client("OAUTHBEARER", secret=bearer)).session_lifetime
    assert str(shell.conversation.principal) == "User:alice@example.com"
    assert lifetime == claims["exp"] - claims["iat"] - 1 + 30, "to the token's end, and the clock skew"

    strangers = bearer_shell(over_http, oauthbearer={**rules, "audience": ["other"]})
    strangers.now = shell.now
    assert refused(strangers, bearer).reason == "aud: expected one of other; found ['kafka']"


def test_an_issuer_that_is_down_is_named(provider: str):
    shell = bearer_shell(over_http, oauthbearer={"jwks_url": "http://127.0.0.1:1/jwks"})
    reason = refused(shell, issued(provider, "bob")).reason
    assert "http://127.0.0.1:1/jwks" in reason
    assert "the last fetch failed" in reason


# -- good tokens


def test_groups_come_from_a_claim_and_from_the_user():
    shell = bearer_shell(users=[user(groups=["declared"])], oauthbearer={"groups_claim": "realm_access.roles"})
    shell.log_in(client("OAUTHBEARER", secret=token()))
    assert shell.conversation.principal is not None
    assert shell.conversation.principal.groups == {"declared", "shop", "stock"}
    assert shell.conversation.principal.claims["jti"] == "t-1"


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_other_kinds_of_keys(algorithm: str):
    key = other_keys()[algorithm]
    shell = bearer_shell(lambda _: jwks(jwk(rsa_key(), "r"), jwk(key, "k1")))
    shell.log_in(client("OAUTHBEARER", secret=token(key=key, algorithm=algorithm)))


def test_a_session_ends_with_its_token_or_before():
    shell = bearer_shell(session_lifetime="1m")
    assert shell.log_in(client("OAUTHBEARER", secret=token())).session_lifetime == 60
    shell = bearer_shell(session_lifetime="1h")
    assert shell.log_in(client("OAUTHBEARER", secret=token())).session_lifetime == 330


def test_a_client_brings_a_new_token_before_the_old_one_ends():
    shell = bearer_shell()
    shell.log_in(client("OAUTHBEARER", secret=token()))
    shell.now += 250
    shell.log_in(client("OAUTHBEARER", secret=token({"exp": NOW + 900, "jti": "t-2"})))
    accepted = shell.steps[-1]
    assert isinstance(accepted, Accepted)
    assert (accepted.reauthenticated, accepted.session_ends) == (True, NOW + 930)


@pytest.mark.parametrize(
    "first", [message(token(), "a=alice"), message(token(), extensions="logicalCluster=lkc-1\x01")]
)
def test_authorization_id_and_extensions_of_kafka_clients(first: bytes):
    shell = bearer_shell()
    assert said(shell, first).error_code.value == 0
    assert shell.conversation.principal is not None


def test_one_key_without_ids_needs_no_choice():
    shell = bearer_shell(lambda _: jwks(jwk(rsa_key(), None)))
    shell.log_in(client("OAUTHBEARER", secret=token(kid=None)))


@pytest.mark.parametrize("scope", [{"scope": "a produce"}, {"scope": None, "scp": ["produce"]}])
def test_a_required_scope(scope: dict[str, Any]):
    bearer_shell(oauthbearer={"required_scopes": ["produce"]}).log_in(client("OAUTHBEARER", secret=token(scope)))


# -- tokens that are not good

RULES = {"required_scopes": ["produce"], "required_claims": {"tenant": "blue"}}


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": NOW - 31}, "exp: expected a token that is valid; found one that expired 31 s ago"),
        ({"exp": None}, "exp: expected when the token expires, found nothing"),
        ({"exp": "tomorrow"}, "exp: expected seconds since 1970; found 'tomorrow'"),
        ({"exp": True}, "exp: expected seconds since 1970; found True"),
        ({"nbf": NOW + 31}, "nbf: expected a token that is valid; found one from 31 s ahead"),
        ({"iat": NOW + 60}, "iat: expected a token that is valid; found one from 60 s ahead"),
        ({"aud": "other"}, "aud: expected one of kafka; found 'other'"),
        ({"aud": None}, "aud: expected one of kafka; found nothing"),
        ({"iss": "https://evil.example"}, "iss: expected https://login.example; found 'https://evil.example'"),
        ({"iss": None}, "iss: expected https://login.example; found nothing"),
        ({"tenant": None}, "tenant: expected blue; found nothing"),
        ({"tenant": "red"}, "tenant: expected blue; found 'red'"),
        ({"scope": "consume"}, "scope: expected produce among the scopes, found none of it"),
        ({"sub": None}, "sub: expected the principal's name; found nothing"),
        ({"sub": ""}, "sub: expected the principal's name; found ''"),
        ({"sub": "a\nb"}, "sub: expected the principal's name; found 'a\\nb'"),
        ({"sub": "a" * 256}, f"sub: expected the principal's name; found '{'a' * 119}"),
    ],
)
def test_claims_that_are_not_good(claims: dict[str, Any], reason: str):
    assert refused(bearer_shell(oauthbearer=RULES), token({"tenant": "blue", **claims})).reason == reason


def test_the_same_token_without_its_fault_is_good():
    bearer_shell(oauthbearer=RULES).log_in(client("OAUTHBEARER", secret=token({"tenant": "blue"})))


def hmac_with_the_public_key() -> str:
    unsigned = forged({"alg": "HS256", "kid": "k1"}).rpartition(".")[0]
    signature = hmac.digest(public_pem(), unsigned.encode(), hashlib.sha256)
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGERIES: dict[str, Callable[[], str]] = {
    "no signature": lambda: forged({"alg": "none", "kid": "k1"}),
    "no signature, other spelling": lambda: forged({"alg": "NONE", "kid": "k1"}),
    "no algorithm": lambda: forged({"kid": "k1"}),
    "HMAC with the public key": hmac_with_the_public_key,
    "a stranger's key": lambda: token(key=rsa_key("stranger")),
    "a stranger's key in the token": lambda: jwt.encode(
        {"sub": "x"}, rsa_key("stranger"), "RS256", headers={"kid": "k1", "jwk": jwk(rsa_key("stranger"))}
    ),
    "an allowed algorithm of another kind of key": lambda: token(key=other_keys()["ES256"], algorithm="ES256"),
    "an algorithm that is not allowed": lambda: token(algorithm="RS512"),
    "a kid that is no text": lambda: forged({"alg": "RS256", "kid": 7}),
    "an empty signature": lambda: forged({"alg": "RS256", "kid": "k1"}),
    "a changed claim": lambda: ".".join(
        (token().split(".")[0], forged({}, {"sub": "admin"}).split(".")[1], token().split(".")[2])
    ),
    "a detached payload": lambda: forged({"alg": "RS256", "kid": "k1", "b64": False, "crit": ["b64"]}),
    "no token": lambda: "abc",
    "two parts": lambda: "YQ.YQ",
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_forged_tokens(kind: str):
    failure = refused(bearer_shell(), FORGERIES[kind]())
    assert failure.reason.startswith("expected ")
    assert failure.claimed is None, "nothing is believed of it"


def test_a_key_that_is_too_short_proves_nothing():
    weak = rsa_key("weak", 1024)
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        bearer = token(key=weak)
    assert "InvalidKeyError" in refused(bearer_shell(lambda _: jwks(jwk(weak))), bearer).reason


def test_a_key_is_good_for_the_algorithm_that_it_is_bound_to():
    shell = bearer_shell(lambda _: jwks(jwk(rsa_key(), alg="RS512")))
    assert "k1" in refused(shell, token()).reason


def revoked(**spec: Any) -> TokenRevocation:
    return TokenRevocation(metadata=Metadata(name="leaked"), spec=TokenRevocationSpec.model_validate(spec))


@pytest.mark.parametrize("spec", [{"jti": "t-1"}, {"subject": "alice", "issued_before": "2027-01-15T08:00:00Z"}])
def test_revoked_tokens(spec: dict[str, Any]):
    failure = refused(bearer_shell(revocations=[revoked(**spec)]), token())
    assert failure.reason == "the token of 'alice' falls under TokenRevocation leaked"
    assert failure.claimed == "alice"


def test_a_disabled_user_does_not_come_in_with_a_good_token():
    shell = bearer_shell(users=[user(enabled=False)])
    assert refused(shell, token()).reason == "the user 'alice' is disabled"


def test_the_authorization_id_is_the_tokens():
    shell = bearer_shell()
    said(shell, message(token(), "a=admin"))
    assert shell.failure.reason == "expected no other authorization id than 'alice', found one"


# -- how a refusal is told


@pytest.mark.parametrize(
    ("claims", "status"), [({"exp": NOW - 60}, "invalid_token"), ({"scope": "x"}, "insufficient_scope")]
)
def test_a_refusal_is_told_in_json_then_acknowledged_then_final(claims: dict[str, Any], status: str):
    shell = bearer_shell(oauthbearer={"required_scopes": ["produce"]})
    response = said(shell, message(token(claims)))
    assert (response.error_code.value, json.loads(response.auth_bytes)) == (0, {"status": status})
    assert not shell.failure.close
    final = shell.authenticate(b"\x01")
    assert isinstance(final, Reply)
    assert final.close
    assert answer(final).error_code.value == REFUSED
    assert answer(final).error_message == "Authentication failed: the token is not accepted"


def test_after_a_refusal_no_better_token_is_taken():
    shell = bearer_shell()
    said(shell, message(token({"exp": NOW - 60})))
    assert answer(shell.authenticate(message(token()))).error_code.value == REFUSED
    assert shell.conversation.principal is None


def test_an_address_that_fails_too_often_is_not_heard():
    throttle = Throttle(ThrottleSettings(free=1, first=10))
    for _ in range(2):
        shell = bearer_shell()
        shell.conversation._throttle = throttle
        refused(shell, token({"exp": NOW - 60}))
    shell = bearer_shell()
    shell.conversation._throttle = throttle
    with pytest.raises(UpstreamRefused):
        shell.log_in(client("OAUTHBEARER", secret=token()))
    assert shell.failure.reason.startswith("too many failures")


# -- keys


def counting(documents: list[bytes]) -> tuple[Callable[[str], bytes], list[str]]:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return documents[min(len(asked), len(documents)) - 1]

    return fetch, asked


def test_keys_are_fetched_once_for_many_and_again_when_they_are_old():
    fetch, asked = counting([jwks()])
    key_sets = KeySets()
    for now in (NOW, NOW + 1, NOW + 200):
        shell = bearer_shell(fetch, key_sets=key_sets)
        shell.now = now
        shell.log_in(client("OAUTHBEARER", secret=token()))
    assert asked == [URL]
    later = bearer_shell(fetch, key_sets=key_sets)
    later.now = NOW + 3600
    later.log_in(client("OAUTHBEARER", secret=token({"exp": NOW + 4000})))
    assert asked == [URL, URL]


def test_a_new_key_of_the_issuer_is_found():
    new = rsa_key("new")
    fetch, asked = counting([jwks(), jwks(jwk(rsa_key()), jwk(new, "k2"))])
    key_sets = KeySets()
    bearer_shell(fetch, key_sets=key_sets).log_in(client("OAUTHBEARER", secret=token()))
    later = bearer_shell(fetch, key_sets=key_sets)
    later.now += 60
    later.log_in(client("OAUTHBEARER", secret=token(key=new, kid="k2")))
    assert len(asked) == 2


def test_invented_key_ids_do_not_become_load_on_the_issuer():
    fetch, asked = counting([jwks()])
    key_sets = KeySets()
    for number in range(20):
        shell = bearer_shell(fetch, key_sets=key_sets)
        shell.now = NOW + number / 10
        assert f"invented-{number}" in refused(shell, token(kid=f"invented-{number}")).reason
    assert len(asked) == 1


def test_an_issuer_that_fails_later_does_not_end_what_its_keys_vouch_for():
    key_sets = KeySets()
    bearer_shell(key_sets=key_sets).log_in(client("OAUTHBEARER", secret=token()))

    def down(_: str) -> bytes:
        raise OSError("connection refused")

    for document in (down, lambda _: b"<html>", lambda _: b'{"keys": []}'):
        shell = bearer_shell(document, key_sets=key_sets)
        shell.now = NOW + 7200
        shell.log_in(client("OAUTHBEARER", secret=token({"exp": NOW + 8000})))


# -- bytes of all kinds


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n,,",
        b"n,,\x01\x01",
        b"n,,\x01auth=Bearer \x01\x01",
        b"n,,\x01auth=Basic YTpi\x01\x01",
        b"n,,\x01auth=Bearer a b\x01\x01",
        b"y,,\x01auth=Bearer abc\x01\x01",
        b"n,,\x01auth=Bearer abc\x01",
        b"n,,\x01auth=Bearer abc\x01auth=Bearer def\x01\x01",
        b"n,,\x01auth=Bearer \xff\x01\x01",
        b"\x01",
    ],
)
def test_what_is_no_first_message(first: bytes):
    shell = bearer_shell()
    assert said(shell, first).error_code.value == REFUSED
    assert shell.failure.close


@settings(max_examples=300, deadline=None)
@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "b64", "crit", "jku", "x"]),
        st.sampled_from(["RS256", "ES256", "EdDSA", "none", "k1", "", None, 1, [], {}, False, ["b64"]]),
    ),
    payload=st.binary(max_size=30),
    signature=st.binary(max_size=300),
    cut=st.integers(0, 3),
)
def test_whatever_stands_in_a_token_only_a_refusal_comes_out(
    header: dict[str, Any], payload: bytes, signature: bytes, cut: int
):
    parts = [
        base64.urlsafe_b64encode(each).rstrip(b"=").decode()
        for each in (json.dumps(header).encode(), payload, signature)
    ]
    shell = bearer_shell()
    shell.handshake("OAUTHBEARER")
    step = shell.authenticate(message(".".join(parts)[cut:] or "a"))
    assert isinstance(step, Failed)


@settings(max_examples=200, deadline=None)
@given(
    claims=st.dictionaries(
        st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "scope", "scp", "jti", "realm_access"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=5)
        | st.lists(st.text(max_size=3) | st.none(), max_size=3)
        | st.dictionaries(st.text(max_size=3), st.none()),
    )
)
def test_whatever_a_signed_token_claims_only_a_step_comes_out(claims: dict[str, Any]):
    shell = bearer_shell(oauthbearer={"groups_claim": "realm_access.roles", "required_scopes": ["produce"]})
    shell.handshake("OAUTHBEARER")
    bearer = jwt.api_jws.encode(json.dumps({**CLAIMS, **claims}).encode(), rsa_key(), "RS256", headers={"kid": "k1"})
    assert isinstance(shell.authenticate(message(bearer)), Failed | Accepted)
