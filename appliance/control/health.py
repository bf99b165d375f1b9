"""Is a cluster healthy? n of the last m tries, with hysteresis. Pure: a value that each try folds into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.resources.failover_policy import OutOf

Standing = Literal["unknown", "healthy", "unhealthy"]
"""`unknown` until there were enough tries for either; a cluster that was never healthy is not lost, it is not there
yet, or the canary is wrong."""


@dataclass(frozen=True)
class Try:
    """One try of the canary."""

    at: float
    failure: str = ""
    """Why it failed; empty: it did not."""


@dataclass(frozen=True)
class Health:
    """What is known of a cluster's health."""

    standing: Standing = "unknown"
    since: float = 0.0
    """When it came to stand so."""
    tries: tuple[Try, ...] = ()
    """The last ones, the newest last."""
    failing_since: float | None = None
    """When the present run of failures began, however long ago; None where the last try did not fail."""

    @property
    def failure(self) -> str:
        """Why the last try failed; empty: it did not."""
        return self.tries[-1].failure if self.tries else ""

    @property
    def failed_share(self) -> float:
        """The share of failures among the last tries."""
        return sum(bool(each.failure) for each in self.tries) / len(self.tries) if self.tries else 0.0

    def with_try(self, new: Try, *, unhealthy: OutOf, healthy: OutOf) -> Health:
        """Return the health after one more try."""
        tries = (*self.tries, new)[-max(unhealthy.of, healthy.of) :]
        failed = sum(bool(each.failure) for each in tries[-unhealthy.of :])
        succeeded = sum(not each.failure for each in tries[-healthy.of :])
        standing = self.standing
        if failed >= unhealthy.tries:
            standing = "unhealthy"
        elif succeeded >= healthy.tries:
            standing = "healthy"
        return Health(
            standing,
            new.at if standing != self.standing else self.since,
            tries,
            None if not new.failure else new.at if self.failing_since is None else self.failing_since,
        )
