"""The principal of a client's TLS certificate: its subject as Java writes it, mapped by Kafka's rules (KIP-371)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from appliance.identity.errors import CertificateError
from appliance.identity.policy import IdentityPolicy
from appliance.identity.principal import TLS, Principal
from appliance.resources.listener_tls import ListenerTls
from appliance.resources.principal_rules import parse_rules, principal_name

_KEYWORDS = {
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.LOCALITY_NAME: "L",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.STREET_ADDRESS: "STREET",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.USER_ID: "UID",
}
"""The attributes that X500Principal.getName() names; all others stand as numbers, with their value in hex."""
_ESCAPED = frozenset(',=+<>#;"\\')
_PADDING = frozenset(" \r")
_LONGEST_NAME = 1024


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What a client's certificate says of it."""

    subject: str
    """The distinguished name as in RFC 2253: CN=alice,OU=orders,O=Example."""
    dns_names: tuple[str, ...]
    not_after: float
    """Unix seconds."""


def read_certificate(der: bytes) -> PeerCertificate:
    """Read a certificate (DER, as ssl gives it). Raises CertificateError."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return PeerCertificate(
            distinguished_name(certificate.subject),
            tuple(_dns_names(certificate)),
            certificate.not_valid_after_utc.timestamp(),
        )
    except (
        ValueError,
        TypeError,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise CertificateError(f"expected a certificate, found one that cannot be read: {error}") from None


def _dns_names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.DNSName)


class CertificateMapping:
    """How a listener names those whom a certificate speaks for; made once per snapshot."""

    def __init__(self, tls: ListenerTls) -> None:
        self._from = tls.principal_from
        self._rules = parse_rules(tls.principal_mapping_rules)

    def principal_of(self, der: bytes, policy: IdentityPolicy) -> Principal:
        """Return the principal of a certificate that the handshake has verified. Raises CertificateError."""
        certificate = read_certificate(der)
        raw = certificate.subject
        if self._from == "dns_name":
            if len(certificate.dns_names) != 1:
                found = ", ".join(certificate.dns_names[:5]) or "none"
                raise CertificateError(f"expected a certificate with one DNS name to call its holder by; found {found}")
            raw = certificate.dns_names[0]
        name = principal_name(raw, self._rules)
        if name is None:
            raise CertificateError(f"no principal_mapping_rule applies to {raw!r}")
        if not 0 < len(name) <= _LONGEST_NAME:
            raise CertificateError(f"expected a name of 1 to {_LONGEST_NAME} characters; found {len(name)}")
        if not name.isprintable():
            raise CertificateError(f"expected a name without control characters; found {name!r}")
        if policy.accounts.is_disabled(name):
            raise CertificateError(f"User:{name} is disabled")
        return Principal(name, policy.accounts.groups_of(name), TLS, expires_at=certificate.not_after)


def distinguished_name(name: x509.Name) -> str:
    """Return a name as Java's X500Principal.getName() does (RFC 2253), last part first."""
    parts = ("+".join(map(_attribute, relative)) for relative in reversed(name.rdns))
    return ",".join(parts)


def _attribute(attribute: x509.NameAttribute[str | bytes]) -> str:
    keyword = _KEYWORDS.get(attribute.oid)
    if keyword is None or not isinstance(attribute.value, str):
        return f"{keyword or attribute.oid.dotted_string}=#{_value_der(attribute).hex()}"
    return f"{keyword}={''.join(_escaped(attribute.value))}"


def _escaped(value: str) -> Iterator[str]:
    """Escape what RFC 2253 gives a meaning to, and blanks at the ends."""
    first = len(value) - len(value.lstrip("".join(_PADDING)))
    last = len(value.rstrip("".join(_PADDING)))
    for place, character in enumerate(value):
        if character == "\0":
            yield "\\00"
        elif character in _ESCAPED or not first <= place < last:
            yield f"\\{character}"
        else:
            yield character


def _value_der(attribute: x509.NameAttribute[str | bytes]) -> bytes:
    """Return the value with its type and length: what is left of SEQUENCE { SET { SEQUENCE { type, value } } }."""
    der = x509.Name([attribute]).public_bytes()
    for _ in range(3):
        der = der[_header_size(der) :]
    return der[_header_size(der) + _length(der) :]


def _header_size(der: bytes) -> int:
    return 2 + (der[1] & 0x7F if der[1] & 0x80 else 0)


def _length(der: bytes) -> int:
    return int.from_bytes(der[2 : _header_size(der)], "big") if der[1] & 0x80 else der[1]
