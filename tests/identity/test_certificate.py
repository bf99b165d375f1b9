"""Whom a client's certificate speaks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from appliance.identity.authority import Authority
from appliance.identity.certificate import CertificateMapping, distinguished_name, read_certificate
from appliance.identity.errors import CertificateError
from appliance.identity.policy import why_invalid
from appliance.resources.listener_tls import ListenerTls
from tests.identity.scene import policy, user

BEGIN = datetime(2026, 8, 1, tzinfo=UTC)
FILES = {"certificate": "c", "private_key": "k", "client_ca": "ca", "client_auth": "required"}
ALICE = Authority(BEGIN).client("alice").certificate.public_bytes(Encoding.DER)


def name(*parts: tuple[ObjectIdentifier, str] | list[tuple[ObjectIdentifier, str]]) -> x509.Name:
    relative = [part if isinstance(part, list) else [part] for part in parts]
    return x509.Name(
        [x509.RelativeDistinguishedName([x509.NameAttribute(oid, text) for oid, text in part]) for part in relative]
    )


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        (
            name(
                (NameOID.COUNTRY_NAME, "DE"),
                (NameOID.STATE_OR_PROVINCE_NAME, "Bavaria"),
                (NameOID.LOCALITY_NAME, "Munich"),
                (NameOID.ORGANIZATION_NAME, 'Example, Inc. + "Co" <x>; a=b\\c'),
                (NameOID.ORGANIZATIONAL_UNIT_NAME, "#1"),
                (NameOID.COMMON_NAME, "alice"),
            ),
            r"CN=alice,OU=\#1,O=Example\, Inc. \+ \"Co\" \<x\>\; a\=b\\c,L=Munich,ST=Bavaria,C=DE",
        ),
        (name((NameOID.COMMON_NAME, " lead and trail  ")), r"CN=\ lead and trail\ \ "),
        (name((NameOID.COMMON_NAME, "größe 日本")), "CN=größe 日本"),
        (
            name(
                (NameOID.DOMAIN_COMPONENT, "com"),
                (NameOID.DOMAIN_COMPONENT, "example"),
                [(NameOID.COMMON_NAME, "multi"), (NameOID.USER_ID, "42")],
            ),
            "CN=multi+UID=42,DC=example,DC=com",
        ),
        (
            name((NameOID.EMAIL_ADDRESS, "a@b.c"), (NameOID.SERIAL_NUMBER, "77"), (NameOID.COMMON_NAME, "x")),
            "CN=x,2.5.4.5=#13023737,1.2.840.113549.1.9.1=#16056140622e63",
        ),
        (name((NameOID.STREET_ADDRESS, "Main 1"), (NameOID.COMMON_NAME, "s")), "CN=s,STREET=Main 1"),
        (name((ObjectIdentifier("1.2.3.4"), "z" * 200)), f"1.2.3.4=#0c81c8{'7a' * 200}"),
        (name((NameOID.COMMON_NAME, "nul\0x")), r"CN=nul\00x"),
        (name((NameOID.COMMON_NAME, " ")), r"CN=\ "),
        (name(), ""),
    ],
)
def test_names_are_written_as_java_writes_them(subject: x509.Name, text: str):
    """Every expectation was made with X500Principal.getName() of Java 25."""
    assert distinguished_name(subject) == text


def test_a_certificate_gives_a_principal_until_it_expires():
    principal = CertificateMapping(ListenerTls.model_validate(FILES)).principal_of(ALICE, policy())
    assert str(principal) == "User:CN=alice,O=Tidegate development"
    assert principal.expires_at == (BEGIN + timedelta(days=365)).timestamp()
    assert why_invalid(principal, policy([]), principal.expires_at - 1) is None
    assert why_invalid(principal, policy([]), principal.expires_at) is not None


def mapped(*rules: str, **more: object) -> CertificateMapping:
    return CertificateMapping(ListenerTls.model_validate({**FILES, "principal_mapping_rules": list(rules), **more}))


def test_rules_and_groups():
    known = policy([user(groups=["shop"])])
    principal = mapped("RULE:^CN=([^,]+),.*$/$1/").principal_of(ALICE, known)
    assert (str(principal), principal.groups, principal.mechanism) == ("User:alice", frozenset({"shop"}), "TLS")


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("RULE:^OU=(.*)$/$1/", "no principal_mapping_rule applies to 'CN=alice,O=Tidegate development'"),
        ("RULE:.*//", "expected a name of 1 to 1024 characters; found 0"),
    ],
)
def test_without_a_name_nobody_is_there(rule: str, why: str):
    with pytest.raises(CertificateError, match=f"^{why}$"):
        mapped(rule).principal_of(ALICE, policy())


def test_a_disabled_user_does_not_come_in_by_certificate():
    with pytest.raises(CertificateError, match="User:alice is disabled"):
        mapped("RULE:^CN=([^,]+),.*$/$1/").principal_of(ALICE, policy([user(enabled=False)]))


def test_a_dns_name_can_name_the_client():
    authority = Authority(BEGIN)
    one = authority.server(["shop.example"]).certificate.public_bytes(Encoding.DER)
    two = authority.server(["shop.example", "stock.example"]).certificate.public_bytes(Encoding.DER)
    by_dns = mapped(principal_from="dns_name")
    assert str(by_dns.principal_of(one, policy())) == "User:shop.example"
    assert read_certificate(two).dns_names == ("shop.example", "stock.example")
    with pytest.raises(CertificateError, match=r"with one DNS name.*found shop\.example, stock\.example"):
        by_dns.principal_of(two, policy())
    with pytest.raises(CertificateError, match="found none"):
        by_dns.principal_of(ALICE, policy())


def test_control_characters_are_no_part_of_a_name():
    key = ec.generate_private_key(ec.SECP256R1())
    odd = name((NameOID.COMMON_NAME, "a\nUser:admin"))
    builder = x509.CertificateBuilder().subject_name(odd).issuer_name(odd).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(BEGIN).not_valid_after(BEGIN + timedelta(days=1))
    with pytest.raises(CertificateError, match="without control characters"):
        mapped().principal_of(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER), policy())


# cryptography warns of a serial number that is not positive, and will refuse it (ValueError) one day.
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(der=st.binary(max_size=200), place=st.integers(0, len(ALICE) - 1), byte=st.integers(0, 255))
def test_whatever_bytes_come_only_our_error_comes_out(der: bytes, place: int, byte: int):
    for each in (der, ALICE[:place] + bytes([byte]) + ALICE[place + 1 :]):
        try:
            mapped().principal_of(each, policy([]))
        except CertificateError as error:
            assert str(error)  # noqa: PT017 - any message
