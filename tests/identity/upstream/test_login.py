"""The gateway's own login at a cluster: nothing that a broker says makes it believe too much."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode
from kio.static.primitive import i64Timedelta

from appliance.identity.errors import IdentityError, UpstreamRefused
from appliance.identity.replies import SASL_AUTHENTICATE, handshake_body
from appliance.identity.steps import Work
from appliance.identity.upstream.login import Ask, LoggedIn, Login
from appliance.wire.apis import Api
from appliance.wire.codec import decode, encode, request_type, response_type
from tests.identity.scene import ALL, REFUSED, Shell, client, policy


def handshake_ok() -> bytes:
    return handshake_body(1, ErrorCode.none, tuple(ALL))


def authenticated(
    token: bytes = b"", error: ErrorCode = ErrorCode.none, message: str | None = None, ms: int = 0
) -> bytes:
    """Encode a broker's answer."""
    lifetime = i64Timedelta.parse(timedelta(milliseconds=ms))
    return encode(
        response_type(SASL_AUTHENTICATE, 1)(
            error_code=error, error_message=message, auth_bytes=token, session_lifetime=lifetime
        )
    )


def token_in(step: Any) -> bytes:
    assert isinstance(step, Ask)
    request: Any = decode(request_type(SASL_AUTHENTICATE, 1), step.body)
    return bytes(request.auth_bytes)


def test_plain_says_name_and_password_and_takes_an_empty_answer():
    login = Login(client("PLAIN"))
    first = login.start()
    assert (first.api_key, first.api_version) == (Api.SASL_HANDSHAKE, 1)
    assert token_in(login.answered(handshake_ok())) == b"\0alice\0correct horse"
    assert login.answered(authenticated(ms=60_000)) == LoggedIn(60.0)


def test_a_session_without_end():
    login = Login(client("PLAIN"))
    login.start()
    login.answered(handshake_ok())
    assert login.answered(authenticated()) == LoggedIn(None)


def test_a_mechanism_that_the_cluster_does_not_offer():
    login = Login(client("SCRAM-SHA-512"))
    login.start()
    with pytest.raises(UpstreamRefused, match="expected the cluster to offer SCRAM-SHA-512; found GSSAPI") as refused:
        login.answered(handshake_body(1, ErrorCode.unsupported_sasl_mechanism, ("GSSAPI",)))
    assert refused.value.code == 33


def test_a_refusal_has_the_clusters_words_made_harmless():
    login = Login(client("PLAIN"))
    login.start()
    login.answered(handshake_ok())
    body = authenticated(error=ErrorCode.sasl_authentication_failed, message="no\n\x1b[31m entry")
    with pytest.raises(UpstreamRefused, match=r"refused the login by PLAIN: no\?\?\[31m entry") as refused:
        login.answered(body)
    assert refused.value.code == REFUSED


def test_oauthbearer_acknowledges_and_repeats_the_status():
    login = Login(client("OAUTHBEARER", secret="abc.def.ghi"))
    login.start()
    assert token_in(login.answered(handshake_ok())) == b"n,,\x01auth=Bearer abc.def.ghi\x01\x01"
    assert token_in(login.answered(authenticated(b'{"status":"invalid_token"}'))) == b"\x01"
    with pytest.raises(UpstreamRefused, match=r'no entry \{"status":"invalid_token"\}'):
        login.answered(authenticated(error=ErrorCode.sasl_authentication_failed, message="no entry"))


def scram_until_the_proof(shell: Shell) -> tuple[Login, bytes]:
    """Return a login that has sent its proof, and the server's good answer to it."""
    login = Login(client("SCRAM-SHA-256"))
    step: Any = login.start()
    while True:
        answer: Any = shell.request(step.api_key, step.api_version, step.body)
        if shell.conversation.principal is not None:
            return login, answer.body
        step = login.answered(answer.body)
        if isinstance(step, Work):
            step = login.resume(step.run())


def test_the_proof_is_work_for_a_thread():
    login, body = scram_until_the_proof(Shell())
    assert isinstance(login.answered(body), LoggedIn)


@pytest.mark.parametrize(
    "signature", [b"", b"v=", b"v=AAAA", b"v=!!", b"e=invalid-proof", b"e=made-up", b"x=y", b"\xff"]
)
def test_a_server_that_cannot_sign_is_not_the_cluster(signature: bytes):
    login, _ = scram_until_the_proof(Shell())
    with pytest.raises(UpstreamRefused, match="expected a good signature of SCRAM-SHA-256"):
        login.answered(authenticated(signature))


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (b"r=other,s=MDEyMzQ1Njc4OTAxMjM0NQ==,i=4096", "expected a good server-first message"),
        (b"r=%s,s=MDEyMzQ1Njc4OTAxMjM0NQ==,i=4096", "expected a good server-first message"),
        (b"r=%sx,s=MDEyMzQ1Njc4OTAxMjM0NQ==,i=1", "expected a good server-first message"),
        (b"r=%sx,s=MDEyMzQ1Njc4OTAxMjM0NQ==,i=9000000", "expected up to 1000000 iterations, found 9000000"),
        (b"r=%sx,s=AA==,i=4096", "expected a good server-first message"),
        (b"", "expected a good server-first message"),
    ],
)
def test_a_server_that_asks_for_too_little_or_too_much(first: bytes, why: str):
    login = Login(client("SCRAM-SHA-256"))
    login.start()
    nonce = token_in(login.answered(handshake_ok())).partition(b"r=")[2]
    with pytest.raises(UpstreamRefused, match=why):
        login.answered(authenticated(first.replace(b"%s", nonce)))


def test_a_login_ends():
    login = Login(client("OAUTHBEARER", secret="abc"))
    login.start()
    login.answered(handshake_ok())
    for _ in range(7):
        login.answered(authenticated(b"more"))
    with pytest.raises(UpstreamRefused, match="after 8 rounds"):
        login.answered(authenticated(b"more"))


@pytest.mark.parametrize(
    ("mechanism", "username", "secret"),
    [
        ("PLAIN", "", "x"),
        ("PLAIN", "a\0b", "x"),
        ("SCRAM-SHA-256", "alice", "gro\u0308ße-hunter2"),
        ("OAUTHBEARER", "", "hunter2 \x01auth=Bearer other"),
        ("GSSAPI", "alice", "hunter2"),
    ],
)
def test_what_a_mechanism_cannot_carry_is_refused_without_being_shown(mechanism: str, username: str, secret: str):
    with pytest.raises(IdentityError) as refused:
        client(mechanism, username, secret)
    assert "hunter2" not in str(refused.value)


def test_secrets_are_not_printed():
    login = Login(client("PLAIN", secret="hunter2"))
    login.start()
    assert "hunter2" not in repr(login.answered(handshake_ok()))


@settings(max_examples=200)
@given(mechanism=st.sampled_from([*ALL, "OAUTHBEARER"]), answers=st.lists(st.binary(max_size=60), max_size=4))
def test_whatever_a_broker_says_only_our_error_comes_out(mechanism: str, answers: list[bytes]):
    login = Login(client(mechanism, secret="abc"))
    login.start()
    step: Any = login.answered(handshake_ok())
    for each in answers:
        try:
            step = login.answered(authenticated(each))
        except UpstreamRefused:
            return
        if isinstance(step, LoggedIn):
            assert mechanism in {"PLAIN", "OAUTHBEARER"}
            return


@given(st.binary(max_size=60), st.booleans())
def test_whatever_bytes_come_as_answers(body: bytes, shaken: bool):
    login = Login(client("SCRAM-SHA-256"))
    login.start()
    if shaken:
        login.answered(handshake_ok())
    try:
        assert isinstance(login.answered(body), Ask | LoggedIn | Work)
    except UpstreamRefused as error:
        assert str(error)  # noqa: PT017 - any message


def test_a_login_is_renewed_on_the_connection_that_stands():
    shell = Shell(policy(session_lifetime="10m"))
    assert shell.log_in(client("SCRAM-SHA-512")) == LoggedIn(600.0)
    shell.now += 480
    assert shell.log_in(client("SCRAM-SHA-512")) == LoggedIn(600.0)
