"""Users are declared without their passwords."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from appliance.resources.documents import Invalid, check_resource, parse_documents
from appliance.resources.token_revocation import TokenRevocationSpec
from appliance.resources.user import User, UserSpec

KEY = base64.b64encode(b"k" * 32).decode()
SCRAM: dict[str, Any] = {"salt": KEY, "iterations": 4096, "stored_key": KEY, "server_key": KEY}
SCRYPT: dict[str, Any] = {"salt": KEY, "n": 32768, "r": 8, "p": 1, "hash": KEY}


def problems(text: str) -> str:
    (document,) = parse_documents(text, "f.yaml")
    with pytest.raises(Invalid) as invalid:
        check_resource(document)
    return str(invalid.value)


def test_a_password_is_refused_with_the_command_that_makes_a_verifier_and_not_repeated():
    found = problems("kind: User\nmetadata: {name: alice}\nspec: {password: hunter2, groups: [a]}")
    assert "a password never stands in a resource; make its verifiers: tidegate user NAME" in found
    assert found.startswith("f.yaml:3: spec")
    assert "hunter2" not in found


def test_a_user_says_the_resources_name_or_another():
    plain = User.model_validate({"metadata": {"name": "alice"}, "spec": {}})
    other = User.model_validate({"metadata": {"name": "alice"}, "spec": {"username": "alice@example.com"}})
    assert (plain.username, other.username) == ("alice", "alice@example.com")
    assert plain.spec.enabled


def test_a_whole_user():
    spec = UserSpec.model_validate(
        {"scram": {"SCRAM-SHA-256": SCRAM}, "scrypt": SCRYPT, "groups": ["a"], "enabled": False}
    )
    assert spec.scram["SCRAM-SHA-256"].iterations == 4096


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"scram": {"SCRAM-SHA-1": SCRAM}}, "SCRAM-SHA-256"),
        ({"scram": {"SCRAM-SHA-512": SCRAM}}, "SCRAM-SHA-512.stored_key: expected 64 bytes, found 32"),
        ({"scram": {"SCRAM-SHA-256": {**SCRAM, "iterations": 1000}}}, "greater than or equal to 4096"),
        ({"scram": {"SCRAM-SHA-256": {**SCRAM, "salt": "AAAA"}}}, "salt: expected at least 12 bytes"),
        (
            {"scram": {"SCRAM-SHA-256": {**SCRAM, "stored_key": "!"}}},
            "expected base64, as `tidegate user NAME` writes it",
        ),
        ({"scrypt": {**SCRYPT, "n": 30000}}, "n: expected a power of two, found 30000"),
        ({"scrypt": {**SCRYPT, "n": 2**20, "r": 64}}, "at most 256 MiB"),
        ({"scrypt": {**SCRYPT, "hash": "AAAA"}}, "a hash of at least 32"),
        ({"username": "a\nb"}, "username"),
        ({"groups": [""]}, "groups"),
    ],
)
def test_what_is_no_user(spec: dict[str, Any], why: str):
    with pytest.raises(ValidationError) as error:
        UserSpec.model_validate(spec)
    assert why in str(error.value)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"jti": "a", "subject": "b", "issued_before": "2026-11-30T12:00:00Z"},
        {"subject": "b"},
        {"issued_before": "2026-11-30T12:00:00Z"},
        {"jti": "a", "issued_before": "2026-11-30T12:00:00Z"},
        {"subject": "b", "issued_before": "2026-11-30T12:00:00"},
    ],
)
def test_what_is_no_revocation(spec: dict[str, Any]):
    with pytest.raises(ValidationError):
        TokenRevocationSpec.model_validate(spec)
