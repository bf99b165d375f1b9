"""The bearer token of the control API: read from a file, or made once and kept beside the state. Never
shown."""

from __future__ import annotations

import secrets
from pathlib import Path

from appliance.control.errors import StateError
from appliance.control.statedir import StateDir

FILE = "token"
SHORTEST = 16


def read_token(path: Path) -> str:
    """Return the token in a file. Raises StateError for one that cannot be read or is too short to be one."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise StateError(f"the token file {path} cannot be read: {reason}") from error
    return checked_token(token, str(path))


def checked_token(token: str, source: str) -> str:
    """Return the token if it can be one. Raises StateError, which names the source, not the token."""
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise StateError(f"the token in {source} is not fit: expected at least {SHORTEST} letters, digits or dashes")
    return token


def kept_token(state: StateDir) -> tuple[str, Path]:
    """Return the token of a state directory, made at the first start, and its file (mode 0600). Raises
    StateError."""
    path = state.path / FILE
    if path.exists():
        return read_token(path), path
    token = secrets.token_urlsafe(32)
    try:
        state.write(FILE, token + "\n")
    except OSError as error:
        raise StateError(f"the token file {path} cannot be written: {error.strerror}") from error
    return token, path
