"""What control refuses; each message is fit for a user and says what to do."""

from __future__ import annotations

from collections.abc import Iterable


class ControlError(Exception):
    """A request that was refused; `problems` has all reasons where there are several."""

    def __init__(self, detail: str, problems: Iterable[str] = ()) -> None:
        self.detail = detail
        self.problems = tuple(problems)
        super().__init__("\n".join([detail, *(f"  {problem}" for problem in self.problems)]))


class UnknownError(ControlError):
    """There is nothing of this name."""


class ConflictError(ControlError):
    """Right in itself, but not in the present state."""


class UnfitError(ControlError):
    """Not right, whatever the state: references to nothing, clashing ports, illegal faults."""


class StateError(ControlError):
    """The state directory cannot be used."""
