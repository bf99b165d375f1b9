"""Tokens that are not good any more, ready to be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from appliance.resources.token_revocation import TokenRevocation


class Revocations:
    """All revocations at one moment; immutable."""

    def __init__(self, declared: Iterable[TokenRevocation] = ()) -> None:
        self._ids: dict[str, list[TokenRevocation]] = {}
        self._subjects: dict[str, list[TokenRevocation]] = {}
        for each in declared:
            if each.spec.jti is not None:
                self._ids.setdefault(each.spec.jti, []).append(each)
            elif each.spec.subject is not None:
                self._subjects.setdefault(each.spec.subject, []).append(each)

    def of(self, claims: Mapping[str, object]) -> str | None:
        """Return the name of a revocation that a token with these claims falls under, None where there is none."""
        for each in (*_under(self._ids, claims.get("jti")), *_under(self._subjects, claims.get("sub"))):
            if each.spec.issuer not in {None, claims.get("iss")}:
                continue
            if each.spec.issued_before is None or _before(claims.get("iat"), each.spec.issued_before.timestamp()):
                return each.name
        return None


def _under(revocations: Mapping[str, list[TokenRevocation]], value: object) -> list[TokenRevocation]:
    return revocations.get(value, []) if isinstance(value, str) else []


def _before(issued_at: object, instant: float) -> bool:
    """Return whether a token is older; one that does not say when it was issued counts as older."""
    return not isinstance(issued_at, int | float) or issued_at < instant
