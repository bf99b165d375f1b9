"""PLAIN: name and password in one token."""

from __future__ import annotations

import pytest

from appliance.identity.steps import Accepted
from tests.identity.scene import PASSWORD, REFUSED, Shell, answer, plain_token, policy, user


def said(token: bytes, shell: Shell | None = None) -> Shell:
    shell = shell or Shell()
    shell.handshake("PLAIN")
    shell.authenticate(token)
    return shell


def test_the_authorization_id_may_be_the_name_itself():
    assert isinstance(said(plain_token(authzid="alice")).steps[-1], Accepted)


def test_nobody_acts_for_another():
    shell = said(plain_token(authzid="bob"))
    assert shell.failure.reason == "expected no other authorization id than 'alice', found one"
    assert not shell.work


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"\0",
        b"\0\0",
        b"alice",
        b"\0alice",
        b"\0alice\0",
        b"\0\0pw",
        b"\0a\0b\0c",
        b"\0\xff\0pw",
        b"\0" + b"a" * 5000,
    ],
)
def test_what_is_no_such_token(token: bytes):
    shell = said(token)
    assert answer(shell.steps[-1]).error_code.value == REFUSED
    assert shell.failure.reason.startswith("expected ")
    assert not shell.work


def test_all_causes_read_the_same_for_the_client():
    texts = {
        answer(said(token, Shell(policy([user(), user("dave", enabled=False)]))).steps[-1]).error_message
        for token in (
            plain_token(password="wrong"),
            plain_token("mallory"),
            plain_token("dave"),
            plain_token(authzid="bob"),
            b"nonsense",
        )
    }
    assert texts == {"Authentication failed: Invalid username or password"}


@pytest.mark.parametrize("name", ["alice", "mallory"])
def test_the_check_is_work_for_a_thread_whether_the_name_is_known_or_not(name: str):
    assert len(said(plain_token(name, "wrong")).work) == 1


def test_a_user_without_a_password_cannot_have_guessed_it():
    shell = said(plain_token("shop"), Shell(policy([user("shop", scram={}, scrypt=None)])))
    assert shell.failure.reason == "there is no user 'shop' with a password"


def test_a_password_in_any_script_comes_through():
    assert isinstance(
        said(plain_token(password="größe 日本"), Shell(policy([user(password="größe 日本")]))).steps[-1], Accepted
    )


def test_the_password_is_asked_once():
    shell = Shell()
    shell.handshake("PLAIN")
    step = shell.conversation.request(36, 0, len(plain_token()).to_bytes(4, "big") + plain_token(), shell.now)
    assert PASSWORD not in repr(step)
