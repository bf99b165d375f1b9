"""Which documents are key sets, and which keys in them are good."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.identity.errors import KeySetError
from appliance.identity.keys import KeySet, KeySets, parse_keys
from tests.identity.issuer import URL, jwk, jwks, other_keys, rsa_key
from tests.identity.scene import NOW


def test_keys_for_encryption_secrets_and_what_nobody_knows_are_left_out():
    document = jwks(
        jwk(rsa_key(), "good"),
        jwk(rsa_key("two"), "enc", use="enc"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        {"kty": "RSA", "kid": "broken", "n": "!!", "e": "AQAB"},
        {"kty": "future", "kid": "f"},
        jwk(other_keys()["EdDSA"], "ed"),
    )
    assert [each.kid for each in parse_keys(document)] == ["good", "ed"]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1, null]}',
        b"[" * 100_000,
        jwks({"kty": "oct", "k": "c2VjcmV0"}),
        jwks(*[jwk(rsa_key())] * 65),
    ],
)
def test_what_is_no_key_set(document: bytes):
    with pytest.raises(KeySetError, match=r"^expected "):
        parse_keys(document)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"]),
        st.sampled_from(["RSA", "EC", "OKP", "sig", "AQAB", "P-256", "Ed25519", "RS256", "", 1, None, [], {}]),
    )
)
def test_whatever_stands_in_a_key_only_our_error_comes_out(entry: dict[str, object]):
    with pytest.raises(KeySetError):
        parse_keys(json.dumps({"keys": [entry]}).encode())


def test_fetches_are_restrained():
    keys = KeySet(URL)
    assert keys.due(NOW)
    keys.failed("connection refused", NOW)
    assert (keys.due(NOW + 9), keys.due(NOW + 10)) == (False, True)
    keys.load(jwks(), NOW + 10)
    assert (keys.attempts, keys.failure) == (2, None)
    assert (keys.due(NOW + 3600), keys.due(NOW + 3610)) == (False, True)
    keys.load(b"<html>", NOW + 3610)
    assert keys.failure is not None
    assert list(keys.find("k1", "RSA")), "what was there stays"


def test_a_source_has_one_key_set():
    key_sets = KeySets()
    assert key_sets.of(URL) is key_sets.of(URL) is not key_sets.of("/etc/keys.json")
