"""A certificate authority for trying things out: it signs, for a year, what one command needs, and keeps nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ORGANIZATION = "Tidegate development"
_DAYS = 365
_EARLIER = timedelta(hours=1)
"""Clocks of machines differ: a certificate is good from a little before it was made."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its private key, which is an elliptic one (P-256): every client knows it, and it is fast."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as text."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as text (PKCS 8, not encrypted)."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def keystore(self, password: str, chain: Sequence[x509.Certificate]) -> bytes:
        """Return key and chain as PKCS 12, as Java's clients take it."""
        encryption = BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(b"tidegate", self.key, self.certificate, list(chain), encryption)


class Authority:
    """Signs certificates for servers and clients; `now` is the time at which they begin."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"{ORGANIZATION} CA")
        builder = (
            self._builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        self.identity = Identity(builder.sign(key, hashes.SHA256()), key)

    def server(self, hosts: Sequence[str]) -> Identity:
        """Return an identity for these host names (also *.NAME) and addresses. Raises ValueError for other texts."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        return self._leaf(hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, name: str) -> Identity:
        """Return an identity with the subject CN=name,O=..."""
        return self._leaf(name, ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def truststore(self, password: str) -> bytes:
        """Return the authority's certificate as PKCS 12, marked as trusted as Java wants it."""
        return pkcs12.serialize_java_truststore(
            [pkcs12.PKCS12Certificate(self.identity.certificate, b"tidegate-ca")],
            BestAvailableEncryption(password.encode()),
        )

    def _leaf(self, name: str, purpose: x509.ObjectIdentifier, names: x509.SubjectAlternativeName | None) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        signer = self.identity.key
        builder = (
            self._builder(_name(name), self.identity.certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return Identity(builder.sign(signer, hashes.SHA256()), key)

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _EARLIER)
            .not_valid_after(self._now + timedelta(days=_DAYS))
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),  # X.520's limit; the names proper are in the SAN
        ]
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
