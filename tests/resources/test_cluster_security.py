"""As whom the gateway comes to a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from appliance.resources.cluster import ClusterSpec
from appliance.resources.cluster_security import PerPrincipal
from appliance.resources.secret import SecretRef

SECRET = {"file": "/secret"}
PLAIN: dict[str, Any] = {"username": "gateway", "password": SECRET}
OAUTH: dict[str, Any] = {"token_endpoint": "https://i.example/token", "client_id": "gateway", "client_secret": SECRET}
EACH: dict[str, Any] = {"mechanism": "SCRAM-SHA-512", "others": {"password": {"file": "/creds/{principal}"}}}


def cluster(**spec: Any) -> ClusterSpec:
    return ClusterSpec.model_validate({"bootstrap": ["b:9093"], **spec})


@pytest.mark.parametrize(
    ("authentication", "mechanism"),
    [
        ({"plain": PLAIN}, "PLAIN"),
        ({"scram": PLAIN}, "SCRAM-SHA-512"),
        ({"scram": {**PLAIN, "mechanism": "SCRAM-SHA-256"}}, "SCRAM-SHA-256"),
        ({"oauthbearer": OAUTH}, "OAUTHBEARER"),
        ({"per_principal": EACH}, "SCRAM-SHA-512"),
    ],
)
def test_the_ways_in(authentication: dict[str, Any], mechanism: str):
    spec = cluster(tls={"ca": "/ca.pem"}, authentication=authentication)
    assert spec.tls is not None
    assert spec.tls.check_server_name
    assert spec.authentication is not None
    assert spec.authentication.mechanism == mechanism
    assert ClusterSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"authentication": {}}, "expected exactly one of plain, scram, oauthbearer, per_principal; found none"),
        ({"authentication": {"plain": PLAIN, "scram": PLAIN}}, "found plain, scram"),
        ({"authentication": {"plain": PLAIN}}, "PLAIN without tls lets others read what proves us"),
        ({"authentication": {"oauthbearer": OAUTH}}, "OAUTHBEARER without tls"),
        ({"authentication": {"plain": {**PLAIN, "password": "hunter2"}}}, "expected where the secret lies"),
        (
            {"authentication": {"per_principal": {"mechanism": "PLAIN"}}},
            "expected principals, others or both; found none",
        ),
        ({"authentication": {"per_principal": {"mechanism": "PLAIN", "others": PLAIN}}}, "it would be one for all"),
        ({"tls": {"certificate": "/c.pem"}}, "certificate and private_key go together"),
        ({"tls": {"private_key_password": SECRET}}, "there is no private_key"),
    ],
)
def test_what_is_refused(spec: dict[str, Any], why: str):
    with pytest.raises(ValidationError) as error:
        cluster(**spec)
    assert why in str(error.value)


def test_without_tls_only_where_it_is_said_or_nothing_is_shown():
    cluster(authentication={"plain": PLAIN, "allow_without_tls": True})
    cluster(authentication={"scram": PLAIN})


def test_each_principal_has_its_own_credentials():
    asked = PerPrincipal.model_validate({**EACH, "principals": {"CN=shop,O=x": PLAIN}})
    assert asked.credentials_of("CN=shop,O=x") == ("gateway", SecretRef(file="/secret"))
    assert asked.credentials_of("alice") == ("alice", SecretRef(file="/creds/alice"))
    with pytest.raises(ValueError, match=r"name its credentials in per_principal\.principals"):
        asked.credentials_of("../../etc/shadow")
    only = PerPrincipal.model_validate({"mechanism": "PLAIN", "principals": {"shop": PLAIN}})
    assert only.credentials_of("alice") is None
