"""An issuer of tokens with keys of its own: for tokens that no decent issuer would give."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.identity.scene import NOW

URL = "https://login.example/certs"
ISSUER = "https://login.example"
OAUTH: dict[str, Any] = {"issuer": ISSUER, "audience": ["kafka"], "jwks_url": URL}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "kafka",
    "sub": "alice",
    "iat": NOW - 10,
    "exp": NOW + 300,
    "jti": "t-1",
    "scope": "produce consume",
    "realm_access": {"roles": ["shop", "stock"]},
}


@cache
def rsa_key(name: str = "one", bits: int = 2048) -> rsa.RSAPrivateKey:  # noqa: ARG001 - a key per name
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def other_keys() -> dict[str, Any]:
    return {"ES256": ec.generate_private_key(ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate()}


def jwk(key: Any, kid: str | None = "k1", **more: Any) -> dict[str, Any]:
    """Return the public half of a key as JWK."""
    algorithm = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    maker: Any = next((made for kind, made in algorithm.items() if isinstance(key, kind)), OKPAlgorithm)
    return {**json.loads(maker.to_jwk(key.public_key())), **({"kid": kid} if kid else {}), "use": "sig", **more}


def jwks(*keys: dict[str, Any]) -> bytes:
    """Return a key set, of the first RSA key where none is given."""
    return json.dumps({"keys": list(keys) or [jwk(rsa_key())]}).encode()


def token(
    claims: dict[str, Any] | None = None, key: Any = None, algorithm: str = "RS256", kid: str | None = "k1"
) -> str:
    """Return a signed token; claims that are None are left out."""
    whole = {name: value for name, value in {**CLAIMS, **(claims or {})}.items() if value is not None}
    return jwt.encode(whole, key or rsa_key(), algorithm, headers={"kid": kid} if kid else None)


def forged(header: dict[str, Any], claims: dict[str, Any] | None = None, signature: bytes = b"") -> str:
    """Return a token put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps({**CLAIMS, **(claims or {})}).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def public_pem() -> bytes:
    """Return the issuer's public key as anyone can have it."""
    return rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def message(bearer: str, authzid: str = "", extensions: str = "") -> bytes:
    """Return a client's first message of OAUTHBEARER."""
    return f"n,{authzid},\x01auth=Bearer {bearer}\x01{extensions}\x01".encode()
