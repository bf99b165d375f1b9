"""What can go wrong between a client and the control API; every message is fit for a terminal."""

from __future__ import annotations


class RemoteError(Exception):
    """The API did not do what was asked."""


class UnreachableError(RemoteError):
    """Nobody answers at the address."""


class WrongTokenError(RemoteError):
    """The API does not know the token."""


class RefusedError(RemoteError):
    """The API refused; `status` is the HTTP status, `problems` all that it finds wrong."""

    def __init__(self, status: int, detail: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join([detail, *(f"  {problem}" for problem in problems)]))
        self.status = status
        self.detail = detail
        self.problems = problems
