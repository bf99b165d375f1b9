"""SASL on a client's connection, as a broker holds it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.identity.conversation import HOLD, MAX_TOKEN
from appliance.identity.errors import UpstreamRefused
from appliance.identity.principal import Principal
from appliance.identity.replies import SASL_AUTHENTICATE
from appliance.identity.steps import Accepted, Failed, Reply
from appliance.identity.throttle import Throttle, ThrottleSettings
from appliance.wire.apis import Api
from tests.identity.scene import (
    ALL,
    NOW,
    OUT_OF_ORDER,
    REFUSED,
    UNSUPPORTED,
    Shell,
    answer,
    client,
    handshake_answer,
    plain_token,
    policy,
    user,
)

# -- the way in


@pytest.mark.parametrize("mechanism", ALL)
def test_a_known_user_comes_in(mechanism: str):
    shell = Shell(policy([user(groups=["shop"])]))
    assert shell.log_in(client(mechanism)).session_lifetime is None
    accepted = shell.steps[-1]
    assert isinstance(accepted, Accepted)
    assert not accepted.reauthenticated
    assert accepted.principal == Principal("alice", frozenset({"shop"}), mechanism)
    assert str(shell.conversation.principal) == "User:alice"


@pytest.mark.parametrize("mechanism", ALL)
@pytest.mark.parametrize(("name", "secret"), [("alice", "horse correct"), ("mallory", "correct horse")])
def test_anyone_else_does_not(mechanism: str, name: str, secret: str):
    shell = Shell()
    with pytest.raises(UpstreamRefused) as refused:
        shell.log_in(client(mechanism, name, secret))
    assert refused.value.code == REFUSED
    failure = shell.failure
    assert (failure.claimed, failure.mechanism, failure.close, failure.hold) == (name, mechanism, True, HOLD)
    assert secret not in failure.reason
    assert shell.conversation.principal is None


@pytest.mark.parametrize("api_version", [0, 1, 2])
def test_every_version_of_sasl_authenticate_is_answered(api_version: int):
    shell = Shell(policy(session_lifetime="1h"))
    shell.handshake("PLAIN")
    response = answer(shell.authenticate(plain_token(), api_version), api_version)
    assert response.error_code.value == 0
    if api_version:
        assert response.session_lifetime.total_seconds() == 3600


def test_a_handshake_tells_what_is_offered():
    assert handshake_answer(Shell().handshake("PLAIN")) == (0, tuple(ALL))


@pytest.mark.parametrize("api_version", [0, 1])
@pytest.mark.parametrize("mechanism", ["GSSAPI", "OAUTHBEARER", "plain", "", "Ω" * 100])
def test_what_is_not_offered_is_refused_with_what_is(api_version: int, mechanism: str):
    shell = Shell()
    step = shell.handshake(mechanism, api_version)
    assert handshake_answer(step, api_version) == (UNSUPPORTED, tuple(ALL))
    assert shell.failure.close
    assert "expected one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512" in shell.failure.reason
    assert shell.failure.reason.isascii()


# -- bare tokens


def test_after_handshake_0_tokens_are_bare():
    shell = Shell()
    assert not shell.conversation.bare_tokens
    assert handshake_answer(shell.handshake("PLAIN", 0), 0) == (0, tuple(ALL))
    assert shell.conversation.bare_tokens
    step = shell.token(plain_token())
    assert isinstance(step, Accepted)
    assert step.body == b""
    assert not shell.conversation.bare_tokens, "requests follow"


def test_a_wrong_bare_password_ends_the_connection_without_an_answer():
    shell = Shell()
    shell.handshake("PLAIN", 0)
    assert shell.token(plain_token(password="wrong")) == shell.failure
    assert (shell.failure.body, shell.failure.close) == (None, True)


def test_a_bare_token_is_not_taken_for_a_request():
    shell = Shell()
    shell.handshake("PLAIN", 0)
    step = shell.authenticate(plain_token())
    assert isinstance(step, Failed)
    assert step.body is None
    assert shell.conversation.principal is None


def test_a_bare_token_where_none_is_expected_ends_the_connection():
    step = Shell().token(plain_token())
    assert isinstance(step, Failed)
    assert (step.code, step.close) == (OUT_OF_ORDER, True)


# -- order


def test_a_token_before_a_handshake_is_out_of_order():
    step = Shell().authenticate(plain_token())
    assert answer(step).error_code.value == OUT_OF_ORDER
    assert isinstance(step, Failed)
    assert step.close


def test_a_handshake_within_an_authentication_is_out_of_order():
    shell = Shell()
    shell.handshake("SCRAM-SHA-256")
    assert handshake_answer(shell.handshake("PLAIN"))[0] == OUT_OF_ORDER
    assert isinstance(shell.authenticate(plain_token()), Failed), "and there is no way back"
    assert shell.conversation.principal is None


def test_after_a_failure_nothing_more_is_taken():
    shell = Shell()
    shell.handshake("PLAIN")
    shell.authenticate(plain_token(password="wrong"))
    assert answer(shell.authenticate(plain_token())).error_code.value == OUT_OF_ORDER
    assert handshake_answer(shell.handshake("PLAIN"))[0] == OUT_OF_ORDER


def test_other_requests_are_not_a_conversations():
    step = Shell().request(Api.METADATA, 12, b"")
    assert isinstance(step, Failed)
    assert (step.body, step.close) == (None, True)
    assert step.reason == "expected a SASL request, found Metadata"


@pytest.mark.parametrize(("api_key", "api_version"), [(17, 2), (17, -1), (36, 3), (36, 99)])
def test_versions_that_there_are_not(api_key: int, api_version: int):
    shell = Shell()
    if api_key == SASL_AUTHENTICATE:
        shell.handshake("PLAIN")
    step = shell.request(api_key, api_version, b"\0\0")
    assert isinstance(step, Failed)
    assert (step.code, step.close) == (OUT_OF_ORDER, True)


# -- sessions


def test_a_session_has_the_configured_end():
    shell = Shell(policy(session_lifetime="10m"))
    assert shell.log_in(client("PLAIN")).session_lifetime == 600
    assert shell.conversation.session_ends == NOW + 600
    assert not shell.conversation.expired(NOW + 599)
    assert shell.conversation.expired(NOW + 600)


def test_who_is_there_can_authenticate_again_and_gets_a_new_session():
    shell = Shell(policy(session_lifetime="10m"))
    shell.log_in(client("SCRAM-SHA-512"))
    shell.now += 500
    shell.policy = policy([user(groups=["new"])], session_lifetime="10m")
    shell.log_in(client("SCRAM-SHA-512"))
    accepted = shell.steps[-1]
    assert isinstance(accepted, Accepted)
    assert (accepted.reauthenticated, accepted.session_ends) == (True, NOW + 1100)
    assert accepted.principal.groups == {"new"}, "today's policy holds"


def test_nobody_becomes_somebody_else():
    shell = Shell(policy([user(), user("bob", "another one")]))
    shell.log_in(client("PLAIN"))
    shell.now += 60
    with pytest.raises(UpstreamRefused, match="Cannot change principals during re-authentication"):
        shell.log_in(client("PLAIN", "bob", "another one"))
    assert "from User:alice to User:bob" in shell.failure.reason
    assert shell.failure.close
    assert str(shell.conversation.principal) == "User:alice"


def test_nobody_changes_the_mechanism():
    shell = Shell()
    shell.log_in(client("SCRAM-SHA-256"))
    shell.now += 60
    with pytest.raises(UpstreamRefused, match="'PLAIN' requested by client is not supported for re-authentication"):
        shell.log_in(client("PLAIN"))
    assert not shell.work, "the password was not looked at"


def test_not_more_than_once_a_second():
    shell = Shell()
    shell.log_in(client("PLAIN"))
    shell.log_in(client("PLAIN"))
    shell.now += 0.5
    assert handshake_answer(shell.handshake("PLAIN"))[0] == OUT_OF_ORDER
    assert not shell.failure.close, "it stays who it is"
    shell.now += 0.5
    shell.log_in(client("PLAIN"))


def test_a_failed_reauthentication_ends_the_connection():
    shell = Shell()
    shell.log_in(client("PLAIN"))
    shell.now += 60
    with pytest.raises(UpstreamRefused):
        shell.log_in(client("PLAIN", secret="wrong"))
    assert shell.failure.close


def test_a_user_disabled_meanwhile_does_not_come_in_again():
    shell = Shell()
    shell.log_in(client("SCRAM-SHA-256"))
    shell.now += 60
    shell.policy = policy([user(enabled=False)])
    with pytest.raises(UpstreamRefused):
        shell.log_in(client("SCRAM-SHA-256"))
    assert shell.failure.reason == "the user 'alice' is disabled"


# -- guessing


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_guesses_are_slowed_down_without_work_and_without_telling(mechanism: str):
    throttle = Throttle(ThrottleSettings(free=2, first=10))
    texts = set()
    for _ in range(3):
        shell = Shell(throttle=throttle)
        with pytest.raises(UpstreamRefused) as refused:
            shell.log_in(client(mechanism, secret="wrong"))
        texts.add(str(refused.value))
    blocked = Shell(throttle=throttle)
    with pytest.raises(UpstreamRefused) as refused:
        blocked.log_in(client(mechanism))
    texts.add(str(refused.value))
    assert len(texts) == 1, "a client reads the same as for a wrong password"
    assert not blocked.work
    assert blocked.failure.reason.startswith("too many failures")
    later = Shell(throttle=throttle, now=NOW + 11)
    later.log_in(client(mechanism))


# -- bytes of all kinds


@settings(max_examples=200)
@given(
    mechanism=st.sampled_from(ALL),
    bare=st.booleans(),
    tokens=st.lists(st.binary(max_size=60) | st.sampled_from([plain_token(), b"n,,n=alice,r=abc", b"c=biws,r=abc"])),
)
def test_whatever_tokens_come_a_step_comes_back(mechanism: str, bare: bool, tokens: list[bytes]):
    shell = Shell()
    shell.handshake(mechanism, 0 if bare else 1)
    for token in tokens:
        step = shell.token(token) if bare and shell.conversation.bare_tokens else shell.authenticate(token)
        assert isinstance(step, Reply | Accepted | Failed)
        if isinstance(step, Failed):
            assert step.close
            break
        if isinstance(step, Accepted):
            assert token == plain_token()
            break


@settings(max_examples=200)
@given(api_key=st.sampled_from([17, 36]), api_version=st.integers(-3, 5), body=st.binary(max_size=80))
def test_whatever_requests_come_nobody_gets_in(api_key: int, api_version: int, body: bytes):
    shell = Shell()
    for _ in range(3):
        step = shell.request(api_key, api_version, body)
        assert isinstance(step, Reply | Failed)
    assert shell.conversation.principal is None


def test_a_token_has_a_limit():
    shell = Shell()
    shell.handshake("PLAIN")
    shell.authenticate(b"x" * (MAX_TOKEN + 1))
    assert shell.failure.reason == f"expected a token of up to {MAX_TOKEN} bytes, found {MAX_TOKEN + 1}"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_what_a_stranger_says_is_cut_short_for_the_audit_trail(mechanism: str):
    shell = Shell()
    shell.handshake(mechanism)
    name = "a" * 3000
    shell.authenticate(plain_token(name) if mechanism == "PLAIN" else f"n,,n={name},r=abc".encode())
    assert shell.failure.claimed == "a" * 255
    assert shell.failure.reason == "expected a name of up to 255 characters, found 3000"
    odd = Shell()
    odd.request(17, 1, b"\x7f\xff" + b"\xff" * 0x7FFF)
    assert len(odd.failure.reason) <= 300


def test_a_failure_shows_no_bytes_when_it_is_printed():
    shell = Shell()
    shell.handshake("PLAIN")
    shell.authenticate(plain_token(password="hunter2hunter2"))
    assert "hunter2" not in repr(shell.steps)
    assert "hunter2" not in repr(shell.work)
    assert replace(shell.failure, code=0).code == 0
