"""That a virtual cluster was switched: which time it was, and when."""

from __future__ import annotations

from typing import NamedTuple


class Switched(NamedTuple):
    times: int = 0
    """How often; 0: never. Outlives restarts."""
    at: float = float("-inf")
    """When the last one was, by the data path's own clock; long ago where that was in an earlier process."""


NEVER = Switched()
