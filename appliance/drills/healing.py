"""What must be undone, whatever happens: a stack that is played back in reverse, always and to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

Undo = Callable[[], Awaitable[None]]

UNDO_SECONDS = 60.0
"""For one remedy: a broker that starts again after a kill replays its log first."""


@dataclass
class Healing:
    """The remedies that a run owes. A step owes one from before it does harm until the harm is undone."""

    _owed: dict[str, tuple[str, Undo]] = field(default_factory=dict)

    def owe(self, key: str, description: str, undo: Undo) -> None:
        """Promise a remedy; call it before the harm is done.

        `undo` must bear being called when there is nothing to undo.
        """
        self._owed[key] = (description, undo)

    def paid(self, key: str) -> None:
        """Note that the harm is undone already: a fault's step ended, a step started the broker again."""
        self._owed.pop(key, None)

    def owed(self) -> list[str]:
        """Return what would be done now, in the order in which it would be."""
        return [description for description, _ in reversed(self._owed.values())]

    async def heal(self, tell: Callable[[str], None]) -> list[str]:
        """Play back all remedies in reverse order, shielded from cancellation; return what went wrong.

        A remedy that fails or takes longer than UNDO_SECONDS does not keep the others from being played.
        """
        failures = []
        with trio.CancelScope(shield=True):
            while self._owed:
                key = next(reversed(self._owed))
                description, undo = self._owed.pop(key)
                tell(description)
                try:
                    with trio.fail_after(UNDO_SECONDS):
                        await undo()
                except Exception as error:  # noqa: BLE001 - whatever it is, the others must still be healed
                    failures.append(f"{description}: {type(error).__name__}: {error}".rstrip(": "))
        return failures
