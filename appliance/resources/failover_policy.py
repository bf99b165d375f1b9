"""FailoverPolicy: when a cluster counts as lost, and what is to happen then."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from appliance.resources.envelope import DeclaredResource, Name, Spec
from appliance.resources.units import Duration

Check = Literal["metadata", "produce", "fetch", "coordinator"]


class Canary(Spec):
    """What is tried on each cluster, again and again, by a client of the gateway's own."""

    topic: str = Field(min_length=1, max_length=249)
    """A topic for nothing else, on every cluster that is watched; best with a short retention and a partition per
    broker, which are tried in turn. It is not replicated."""
    every: Duration = Field(default=1.0, ge=0.1, json_schema_extra={"default": "1s"})
    timeout: Duration = Field(default=3.0, ge=0.1, json_schema_extra={"default": "3s"})
    """How long all checks of one try may take together."""
    checks: list[Check] = Field(default=["metadata", "produce", "fetch", "coordinator"], min_length=1)
    """`produce` appends a record with acks=all, `fetch` reads it back, `coordinator` asks for a group's coordinator."""


class OutOf(Spec):
    """So many of the last tries."""

    tries: int = Field(ge=1, le=1000)
    of: int = Field(ge=1, le=1000)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.tries > self.of:
            raise ValueError(f"expected at most {self.of} tries of {self.of}; found {self.tries}")
        return self


class FailoverPolicySpec(Spec):
    """Watches a cluster and its possible successors."""

    cluster: Name
    """The cluster that is watched."""
    to: list[Name] = Field(min_length=1)
    """Who may take its place, the preferred one first."""
    canary: Canary
    unhealthy: OutOf = OutOf(tries=3, of=5)
    """A cluster that was healthy becomes unhealthy when so many tries failed."""
    healthy: OutOf = OutOf(tries=5, of=5)
    """A cluster becomes healthy when so many tries succeeded."""
    hold_down: Duration = Field(default=600.0, json_schema_extra={"default": "10m"})
    """After a switchover of a virtual cluster, whoever asked for it, the policy leaves it alone for so long."""
    rpo: Duration = Field(default=30.0, json_schema_extra={"default": "30s"})
    """How far a successor may have been behind when the cluster failed: it must have had everything that the cluster
    had at most this long before."""
    unknown_lag: Literal["refuse", "accept"] = "refuse"
    """What to do about a successor whose lag was never measured."""
    action: Literal["alert", "switch"] = "alert"
    """`alert`: status and log say that it is time to switch. `switch`: an unplanned switchover of all virtual clusters
    that the cluster serves and the successor may serve."""

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        if self.unhealthy.tries + self.healthy.tries <= max(self.unhealthy.of, self.healthy.of):
            raise ValueError(
                "expected `unhealthy` and `healthy` to exclude each other: their tries together above the larger `of`; "
                f"found {self.unhealthy.tries} of {self.unhealthy.of} and {self.healthy.tries} of {self.healthy.of}"
            )
        return self


class FailoverPolicy(DeclaredResource):
    kind: Literal["FailoverPolicy"] = "FailoverPolicy"
    spec: FailoverPolicySpec
