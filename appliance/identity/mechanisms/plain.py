"""PLAIN (RFC 4616): name and password in one token."""

from __future__ import annotations

from functools import partial

from appliance.identity.attempt import Attempt
from appliance.identity.errors import Denied
from appliance.identity.mechanisms.exchange import Outcome, Proven
from appliance.identity.principal import Principal
from appliance.identity.steps import Work

MECHANISM = "PLAIN"
_PUBLIC = "Authentication failed: Invalid username or password"
"""A broker's words for every cause."""
_MAX_FIELD = 4096


class PlainExchange:
    """The one token, then the check of the password as work. For a name that there is not, the work is the same."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._name: str | None = None

    def receive(self, token: bytes, now: float) -> Outcome:
        """See SaslExchange."""
        if self._name is not None:
            raise Denied("expected nothing after the password, found another token", _PUBLIC)
        authorization_id, name, password = _fields(token)
        self._attempt.claim(name, _PUBLIC, now)
        if authorization_id not in {"", name}:
            raise Denied(f"expected no other authorization id than {name!r}, found one", _PUBLIC)
        self._name = name
        check = self._attempt.policy.accounts.password_of(name)
        return Work(partial(check.matches, password.encode()))

    def resume(self, result: object, now: float) -> Outcome:  # noqa: ARG002 - the protocol's
        """See SaslExchange."""
        assert self._name is not None
        name = self._name
        account = self._attempt.policy.accounts.get(name)
        if account is None or account.password is None:
            raise Denied(f"there is no user {name!r} with a password", _PUBLIC)
        if result is not True:
            raise Denied(f"wrong password for {name!r}", _PUBLIC)
        if not account.enabled:
            raise Denied(f"the user {name!r} is disabled", _PUBLIC)
        return Proven(Principal(name, account.groups, MECHANISM))


def _fields(token: bytes) -> tuple[str, str, str]:
    """Return authorization id, name and password. Raises Denied."""
    parts = token.split(b"\0")
    if len(parts) != 3 or not parts[1] or not parts[2] or max(map(len, parts)) > _MAX_FIELD:
        raise Denied("expected [authorization id] NUL name NUL password, found something else", _PUBLIC)
    try:
        authorization_id, name, password = (part.decode() for part in parts)
    except UnicodeDecodeError:
        raise Denied("expected name and password in UTF-8, found other bytes", _PUBLIC) from None
    return authorization_id, name, password
