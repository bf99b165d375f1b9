"""Secrets are pointed to, never written down."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from appliance.resources.secret import SecretRef

BAO: dict[str, Any] = {
    "address": "https://bao.example:8200",
    "path": "secret/data/kafka/orders",
    "field": "password",
    "token": {"file": "/run/token"},
}


@pytest.mark.parametrize("where", [{"file": "/etc/p"}, {"env": "KAFKA_PASSWORD"}, {"openbao": BAO}])
def test_a_secret_lies_in_one_place(where: dict[str, Any]):
    ref = SecretRef.model_validate(where)
    assert SecretRef.model_validate_json(ref.model_dump_json()) == ref


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ({}, "expected exactly one of file, env, openbao; found none"),
        ({"file": "/a", "env": "B"}, "found file, env"),
        ("hunter2", "expected where the secret lies"),
        ({"value": "hunter2"}, "extra_forbidden"),
        ({"env": "hunter2!"}, "expected the name of an environment variable"),
        ({"openbao": {**BAO, "token": {}}}, "expected exactly one of file, env; found none"),
        ({"openbao": {**BAO, "address": "bao.example"}}, "expected a URL without user and password"),
        (
            {"openbao": {**BAO, "address": "https://root:hunter2@bao.example"}},
            "expected a URL without user and password",
        ),
        ({"openbao": {**BAO, "address": "http://bao.example"}}, "expected https, as secrets or keys go this way"),
    ],
)
def test_what_points_nowhere(where: Any, why: str):
    with pytest.raises(ValidationError) as error:
        SecretRef.model_validate(where)
    assert why in str(error.value)
    shown = "\n".join(each["msg"] for each in error.value.errors())
    assert "hunter2" not in shown


@pytest.mark.parametrize("address", ["https://b", "http://127.0.0.1:8200", "http://localhost", "http://[::1]:8200/x"])
def test_plain_http_stays_on_this_machine(address: str):
    SecretRef.model_validate({"openbao": {**BAO, "address": address}})


def test_a_secret_per_principal():
    ref = SecretRef(file="/creds/{principal}/password")
    assert ref.per_principal
    assert ref.for_principal("alice@example.com") == SecretRef(file="/creds/alice@example.com/password")
    bao = SecretRef.model_validate({"openbao": {**BAO, "path": "secret/data/{principal}"}})
    found = bao.for_principal("alice").openbao
    assert found is not None
    assert found.path == "secret/data/alice"
    assert SecretRef(env="A").for_principal("../x") == SecretRef(env="A")


@given(st.text())
def test_a_name_never_leads_out_of_its_folder(name: str):
    ref = SecretRef(file="/creds/{principal}")
    try:
        found = ref.for_principal(name).file
    except ValueError as error:
        assert "name its credentials in per_principal.principals" in str(error)  # noqa: PT017
        return
    assert found == f"/creds/{name}"
    assert "/" not in name
    assert not name.startswith(".")
