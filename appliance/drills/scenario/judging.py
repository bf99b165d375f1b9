"""What a drill is judged by: probes of its steady state, objectives, and the bounds that hold for them.

A probe or an objective that concerns several clients takes the worst of them for times, rates and ratios, and
the sum for records. Probes leave out producers that are idle by their own declaration (`rate: 0/s`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, model_validator

from appliance.resources.envelope import Spec
from appliance.resources.units import Duration, Rate, Ratio, format_duration

Glob = Annotated[str, Field(min_length=1)]
"""A client's name, or a glob as in a shell."""
Label = Annotated[str, Field(min_length=1)]
Records = Annotated[StrictInt, Field(ge=0)]
"""A count: the one number that needs no unit."""

RecordsMetric = Literal[
    "lost.records",
    "duplicated.records",
    "reordered.records",
    "redelivered.records",
    "skipped.records",
    "altered.records",
    "indeterminate.records",
]
RecoveryMetric = Literal["recovery.first_success", "recovery.stable", "unavailability.longest"]


def seconds_text(seconds: float) -> str:
    """Return a measured time for people: `12ms`, `6.1s`, `2m30s`; as many digits as tell it from a near bound."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.4g}ms"
    if seconds > 100 and seconds == round(seconds):
        return format_duration(seconds)
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


class _Bounds(Spec, ABC):
    name: Label
    client: Glob = "*"

    def _given(self) -> list[tuple[str, float]]:
        found = ((sign, getattr(self, key, None)) for key, sign in (("ge", ">="), ("le", "<="), ("eq", "=")))
        return [(sign, value) for sign, value in found if value is not None]

    @abstractmethod
    def text(self, value: float) -> str:
        """Return a measured value with its unit, for people."""

    @property
    def target(self) -> str:
        """Return the bound, for people: `<= 30s`."""
        return " and ".join(f"{sign} {self.text(value)}" for sign, value in self._given())

    def met(self, value: float) -> bool:
        """Return whether a measured value keeps the bound."""
        checks = {
            ">=": lambda bound: value >= bound,
            "<=": lambda bound: value <= bound,
            "=": lambda bound: value == bound,
        }
        return all(checks[sign](bound) for sign, bound in self._given())

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not self._given():
            allowed = [key for key in ("ge", "le", "eq") if key in type(self).model_fields]
            raise ValueError(f"expected a bound ({' or '.join(allowed)}), found none")
        return self


class RateProbe(_Bounds):
    """Acknowledged records of a producer, or deliveries to a consumer, per second."""

    probe: Literal["produce.rate", "deliver.rate"]
    ge: Rate | None = None
    le: Rate | None = None

    def text(self, value: float) -> str:
        """Return `98.4/s`."""
        return f"{value:.4g}/s"


class RatioProbe(_Bounds):
    """Writes that failed or were given up, of those that came to an end."""

    probe: Literal["produce.error_ratio"]
    le: Ratio | None = None
    ge: Ratio | None = None

    def text(self, value: float) -> str:
        """Return `0.5%`."""
        return f"{value * 100:.3g}%"


class LatencyProbe(_Bounds):
    """Time from handing a record over to its acknowledgement, 99th percentile."""

    probe: Literal["produce.latency_p99"]
    le: Duration | None = None
    ge: Duration | None = None

    def text(self, value: float) -> str:
        """Return `12ms`."""
        return seconds_text(value)


SteadyState = Annotated[RateProbe | RatioProbe | LatencyProbe, Field(discriminator="probe")]
"""What must hold before the first step (or the drill does not begin) and again after the last."""


class RecordsObjective(_Bounds):
    """A bound on a count of records, summed over the clients concerned."""

    metric: RecordsMetric
    le: Records | None = None
    ge: Records | None = None
    """For the drill that shows a damage on purpose."""
    eq: Records | None = None

    def text(self, value: float) -> str:
        """Return `1 record`, `12 records`."""
        return f"{value:.0f} record{'' if value == 1 else 's'}"


class RecoveryObjective(_Bounds):
    """A bound on a time of recovery, for the worst of the clients concerned."""

    metric: RecoveryMetric
    le: Duration | None = None

    def text(self, value: float) -> str:
        """Return `1.25s`."""
        return seconds_text(value)


Objective = Annotated[RecordsObjective | RecoveryObjective, Field(discriminator="metric")]
Bounded = RateProbe | RatioProbe | LatencyProbe | RecordsObjective | RecoveryObjective
"""Whatever has a `target` and can say whether a value has `met` it."""
