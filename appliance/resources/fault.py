"""Fault: a disturbance with a lease."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from appliance.resources.envelope import DeclaredResource, Name, Spec
from appliance.resources.units import Duration, Ratio


class Select(Spec):
    """Which requests a fault may strike. Absent means any; globs as in a shell."""

    client_id: str | None = None
    apis: list[str] | None = None
    """Names as in Kafka's protocol: Produce, Fetch, Metadata, ..."""
    topic: str | None = None
    partitions: list[int] | None = None


class Trigger(Spec):
    """Which of the matching requests are struck; exactly one of the fields, `always` where none is given."""

    first: int | None = Field(default=None, ge=1)
    """The first n."""
    nth: int | None = Field(default=None, ge=1)
    """Only the n-th."""
    every: int | None = Field(default=None, ge=1)
    """Every n-th."""
    probability: Ratio | None = None
    """Each with this chance, by a generator seeded from (seed, fault, client, ordinal)."""

    @property
    def counts(self) -> bool:
        """Return whether it goes by how many requests have matched."""
        return self.first is not None or self.nth is not None or self.every is not None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("first", "nth", "every", "probability") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"expected one trigger, found {', '.join(given)}")
        return self


class LatencySpec(Spec):
    """Hold each struck frame; frames behind it on the same connection wait too, as they would behind a slow
    broker."""

    delay: Duration
    jitter: Duration = Field(default=0.0, json_schema_extra={"default": "0s"})
    """Uniform, added to the delay."""


class ErrorSpec(Spec):
    """Answer the struck partitions with an error that a broker could have given."""

    code: str
    """Kafka's name of the error: NOT_ENOUGH_REPLICAS."""


class OutageSpec(Spec):
    """Make one cluster unreachable through the gateway."""

    cluster: Name
    mode: Literal["refuse", "reset", "blackhole"]
    """refuse: connections to it fail at once and those that stand are closed; reset: the same with a TCP
    reset towards the client; blackhole: connections stand, bytes go nowhere."""


class FaultSpec(Spec):
    """A disturbance with a lease. Exactly one of `latency`, `error`, `outage`."""

    virtual_cluster: Name
    select: Select = Select()
    trigger: Trigger = Trigger()
    apply: Literal["before", "after"] = "before"
    """Strike before the request goes upstream (the broker never sees it) or after the broker has applied
    it."""
    starts_in: Duration = Field(default=0.0, json_schema_extra={"default": "0s"})
    duration: Duration
    """How long it lasts at the most; also a fault whose runner has died ends then."""
    lease: Duration = Field(default=15.0, json_schema_extra={"default": "15s"})
    """It lapses when it has not been renewed for this long."""
    seed: int = 0
    latency: LatencySpec | None = None
    error: ErrorSpec | None = None
    outage: OutageSpec | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("latency", "error", "outage") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of latency, error, outage; found {', '.join(given) or 'none'}")
        return self

    @property
    def type(self) -> Literal["latency", "error", "outage"]:
        """Return which of the three it is."""
        return "latency" if self.latency else "error" if self.error else "outage"


class Fault(DeclaredResource):
    kind: Literal["Fault"] = "Fault"
    spec: FaultSpec
