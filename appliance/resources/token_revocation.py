"""TokenRevocation: tokens that are not good any more, before they expire."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from appliance.resources.envelope import DeclaredResource, Spec

_Text = Annotated[str, StringConstraints(min_length=1)]


class TokenRevocationSpec(Spec):
    """One token by its id, or all tokens of a subject that were issued before an instant.

    A kind of its own, as it is applied in a hurry, for all listeners at once, and deleted when the tokens have expired.
    """

    jti: _Text | None = None
    """The token's id."""
    subject: _Text | None = None
    """The `sub` of the tokens."""
    issued_before: AwareDatetime | None = Field(default=None, examples=["2026-11-30T12:00:00Z"])
    """Tokens of the subject with an earlier `iat`, or with none, are not good."""
    issuer: _Text | None = None
    """Only tokens of this issuer; any where absent."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.jti is None) == (self.subject is None):
            raise ValueError("expected either jti, or subject and issued_before")
        if (self.subject is None) != (self.issued_before is None):
            raise ValueError("subject and issued_before go together")
        return self


class TokenRevocation(DeclaredResource):
    kind: Literal["TokenRevocation"] = "TokenRevocation"
    spec: TokenRevocationSpec
