"""What goes wrong in proving who somebody is."""

from __future__ import annotations


class IdentityError(Exception):
    """The root of this ring's errors; the message is fit for an operator's log and holds no secret."""


class Denied(IdentityError):
    """An attempt to authenticate that failed.

    `public` is what the client may know; the message is the reason for the audit trail. `challenge` are SASL bytes that
    the mechanism still sends before its failure is final (OAUTHBEARER's status).
    """

    def __init__(self, reason: str, public: str, challenge: bytes | None = None) -> None:
        super().__init__(reason)
        self.public = public
        self.challenge = challenge


class CertificateError(IdentityError):
    """A client certificate from which no principal follows."""


class KeySetError(IdentityError):
    """A document that is no JSON Web Key Set, or one without a usable key."""


class UpstreamRefused(IdentityError):
    """The cluster did not accept us, or did not prove itself; `code` is its Kafka error code, 0 where it gave none."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class TokenEndpointError(IdentityError):
    """A token endpoint's answer that holds no token."""
