"""What a listener may ask of its clients, and what is refused before it is unsafe."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from appliance.resources.documents import check_resource, parse_documents
from appliance.resources.listener import Listener, ListenerSpec

BASE: dict[str, Any] = {"bind": "127.0.0.1:9092", "virtual_cluster": "orders"}
TLS: dict[str, Any] = {"certificate": "/c.pem", "private_key": "/k.pem"}
MUTUAL: dict[str, Any] = {**TLS, "client_ca": "/ca.pem", "client_auth": "required"}
OAUTH: dict[str, Any] = {"issuer": "https://i.example", "audience": ["kafka"], "jwks_url": "https://i.example/certs"}
SNI: dict[str, Any] = {"bootstrap": "orders.kafka.example", "broker": "b{node_id}.orders.kafka.example"}


def listener(**spec: Any) -> ListenerSpec:
    return ListenerSpec.model_validate({**BASE, **spec})


def test_a_listener_as_people_write_it():
    text = """
kind: Listener
metadata: {name: orders}
spec:
  bind: 0.0.0.0:9093
  virtual_cluster: orders
  tls: {certificate: /c.pem, private_key: /k.pem, min_version: 1.3}
  sni: {bootstrap: Orders.Kafka.example, broker: "b{node_id}.orders.kafka.example", port: 443}
  proxy_protocol: required
  authentication:
    mechanisms: [SCRAM-SHA-512, OAUTHBEARER]
    session_lifetime: 1h
    oauthbearer: {issuer: https://i.example, audience: [kafka], jwks_file: /keys.json, groups_claim: realm_access.roles}
"""
    (document,) = parse_documents(text, "f.yaml")
    found = check_resource(document)
    assert isinstance(found, Listener)
    assert found.spec.tls is not None
    assert found.spec.tls.min_version == "1.3"
    assert found.spec.advertised(None) == ("orders.kafka.example", 443)
    assert found.spec.advertised(7) == ("b7.orders.kafka.example", 443)
    assert Listener.model_validate_json(found.model_dump_json(by_alias=True)) == found


@pytest.mark.parametrize(
    ("advertise", "bootstrap", "broker"),
    [
        (None, ("127.0.0.1", 9092), ("127.0.0.1", 9100)),
        ("kafka.example", ("kafka.example", 9092), ("kafka.example", 9100)),
        ("b{node_id}.kafka.example", ("127.0.0.1", 9092), ("b7.kafka.example", 9100)),
    ],
)
def test_what_clients_are_told(advertise: str | None, bootstrap: tuple[str, int], broker: tuple[str, int]):
    spec = listener(advertise=advertise)
    assert spec.advertised(None) == bootstrap
    assert spec.advertised(7) == broker


@pytest.mark.parametrize(
    "authentication",
    [
        None,
        {"anonymous": True},
        {"delegated": True},
        {"mechanisms": ["SCRAM-SHA-256"]},
        {"mechanisms": ["PLAIN"], "allow_without_tls": True},
    ],
)
def test_ways_that_need_no_tls(authentication: dict[str, Any] | None):
    listener(authentication=authentication)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"authentication": {}}, "expected exactly one of anonymous, delegated, certificate, mechanisms; found none"),
        ({"authentication": {"anonymous": True, "delegated": True}}, "found anonymous, delegated"),
        ({"authentication": {"anonymous": False}}, "anonymous"),
        ({"authentication": {"mechanisms": []}}, "mechanisms"),
        ({"authentication": {"mechanisms": ["GSSAPI"]}}, "mechanisms"),
        ({"authentication": {"mechanisms": ["SCRAM-SHA-256", "SCRAM-SHA-256"]}}, "one is said twice"),
        ({"authentication": {"mechanisms": ["OAUTHBEARER"]}, "tls": TLS}, "OAUTHBEARER and oauthbearer"),
        ({"authentication": {"delegated": True, "oauthbearer": OAUTH}}, "OAUTHBEARER and oauthbearer"),
        ({"authentication": {"delegated": True, "session_lifetime": "1h"}}, "session_lifetime: goes with mechanisms"),
        ({"authentication": {"mechanisms": ["SCRAM-SHA-256", "PLAIN"]}}, "PLAIN without tls lets others read"),
        ({"authentication": {"mechanisms": ["OAUTHBEARER"], "oauthbearer": OAUTH}}, "OAUTHBEARER without tls"),
        ({"authentication": {"certificate": True}}, "needs tls with client_auth: required"),
        ({"authentication": {"certificate": True}, "tls": TLS}, "needs tls with client_auth: required"),
        (
            {"authentication": {"mechanisms": ["OAUTHBEARER"], "oauthbearer": {**OAUTH, "jwks_file": "/f"}}},
            "exactly one of jwks_url",
        ),
        (
            {"authentication": {"mechanisms": ["OAUTHBEARER"], "oauthbearer": {**OAUTH, "algorithms": ["HS256"]}}},
            "algorithms",
        ),
        (
            {"authentication": {"mechanisms": ["OAUTHBEARER"], "oauthbearer": {**OAUTH, "algorithms": ["none"]}}},
            "algorithms",
        ),
        ({"authentication": {"mechanisms": ["OAUTHBEARER"], "oauthbearer": {**OAUTH, "audience": []}}}, "audience"),
        ({"tls": {**TLS, "client_auth": "required"}}, "client_auth and client_ca go together"),
        ({"tls": {**TLS, "client_ca": "/ca.pem"}}, "client_auth and client_ca go together"),
        ({"tls": {**MUTUAL, "principal_mapping_rules": ["RULE:x"]}}, "expected DEFAULT or RULE:PATTERN"),
        ({"tls": {**TLS, "min_version": 1.1}}, "min_version"),
        ({"tls": {**TLS, "private_key_password": "hunter2"}}, "expected where the secret lies"),
        ({"sni": SNI}, "sni: host names are told in the TLS handshake: add tls"),
        ({"sni": SNI, "tls": TLS, "broker_ports": {"first": 9000}}, "broker_ports and sni"),
        ({"sni": SNI, "tls": TLS, "advertise": "x.example"}, "advertise and sni"),
        ({"advertise": "b{nodeid}.example"}, "with {node_id} once"),
        ({"proxy_protocol": "maybe"}, "proxy_protocol"),
    ],
)
def test_what_is_refused(spec: dict[str, Any], why: str):
    with pytest.raises(ValidationError) as error:
        listener(**spec)
    assert why in str(error.value)


def test_a_certificate_speaks_for_a_client():
    found = listener(
        tls={**MUTUAL, "principal_mapping_rules": ["RULE:^CN=(.*?),.*$/$1/L", "DEFAULT"]},
        authentication={"certificate": True},
    )
    assert found.authentication is not None
    assert found.authentication.certificate


def test_a_listener_with_host_names_needs_no_room_for_broker_ports():
    assert listener(bind="0.0.0.0:65535", sni=SNI, tls=TLS).sni is not None
