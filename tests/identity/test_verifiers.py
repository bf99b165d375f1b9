"""What is kept of a password."""

from __future__ import annotations

import base64

import pytest
import scramp
from hypothesis import given
from hypothesis import strategies as st

from appliance.identity.verifiers import ScramCheck, ScramSecrets, ScryptCheck, make_scram, make_scrypt, usable
from appliance.resources.user import DIGEST_BYTES, ScramMechanism

SALT = b"0123456789abcdef"


@pytest.mark.parametrize("mechanism", DIGEST_BYTES)
@given(password=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_a_verifier_is_the_one_that_another_library_makes(mechanism: ScramMechanism, password: str):
    made = make_scram(mechanism, password, SALT, 4096)
    _, stored_key, server_key, iterations = scramp.ScramMechanism(mechanism).make_auth_info(password, 4096, SALT)
    assert (base64.b64decode(made.stored_key), base64.b64decode(made.server_key)) == (stored_key, server_key)
    assert made.iterations == iterations


def test_a_check_passes_the_password_alone():
    scram = ScramCheck("SCRAM-SHA-512", ScramSecrets.of(make_scram("SCRAM-SHA-512", "pencil", SALT)))
    scrypt = ScryptCheck.of(make_scrypt("pencil", SALT))
    for check in (scram, scrypt):
        assert check.matches(b"pencil")
        assert not check.matches(b"Pencil")
        assert not check.matches(b"")


def test_keys_and_hashes_are_not_printed():
    made = make_scram("SCRAM-SHA-256", "pencil", SALT)
    assert made.stored_key not in repr(made)
    assert repr(ScramSecrets.of(made).stored_key) not in repr(ScramSecrets.of(made))
    hashed = make_scrypt("pencil", SALT)
    assert hashed.hash not in repr(hashed)


@pytest.mark.parametrize("password", ["pencil", "with space", "größe", "日本"])
def test_passwords_that_all_clients_send_alike(password: str):
    assert usable(password)


@pytest.mark.parametrize("password", ["", "gro\u0308ße", "a\u00a0b", "\u2168", "a\u00ad", "tab\t", "\u0627\u0031"])
def test_passwords_that_some_clients_change(password: str):
    assert not usable(password)
