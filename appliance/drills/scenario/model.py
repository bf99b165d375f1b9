"""The whole of a scenario."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from appliance.drills.scenario.judging import Objective, SteadyState
from appliance.drills.scenario.lab import Lab
from appliance.drills.scenario.steps import Step
from appliance.drills.scenario.traffic import Client
from appliance.resources.envelope import Name, Spec
from appliance.resources.units import Duration


class ScenarioMetadata(Spec):
    """Who it is, for people and for auditors."""

    name: Name
    revision: int = Field(default=1, ge=1)
    title: str = ""
    """One line; the name where empty."""
    description: str = ""
    """What is rehearsed and what it shows."""
    tags: list[str] = Field(default_factory=list)
    controls: list[str] = Field(default_factory=list)
    """Controls that a run is evidence for: DORA-RTS25, SOC2-A1.3."""


class Scenario(Spec):
    """One drill: what runs, what happens to it, and what must hold."""

    model_config = ConfigDict(populate_by_name=True)

    api_version: Literal["tidegate/v1"] = Field(default="tidegate/v1", alias="apiVersion")
    kind: Literal["Scenario"] = "Scenario"
    metadata: ScenarioMetadata
    seed: int = 0
    """Of every generator in the run; `--seed` overrides it."""
    lab: Lab
    traffic: list[Client] = Field(min_length=1)
    steady_state: list[SteadyState] = Field(default_factory=list)
    baseline: Duration = 5.0
    """How long steady traffic is watched before the first step, and again, up to three times, until it is steady."""
    steps: list[Step] = Field(min_length=1)
    settle: Duration = 3.0
    """How long clients go on undisturbed after the last step, before they stop and the logs are read."""
    objectives: list[Objective] = Field(min_length=1)

    @property
    def name(self) -> str:
        """Return the name from the metadata."""
        return self.metadata.name

    @property
    def title(self) -> str:
        """Return the title, or the name where there is none."""
        return self.metadata.title or self.metadata.name

    @property
    def expected_survivor(self) -> str:
        """Return the cluster that serves at the end if every switchover succeeds: its log is judged."""
        targets = [step.switchover.to for step in self.steps if step.switchover]
        return targets[-1] if targets else self.lab.virtual_cluster.cluster

    def client(self, name: str) -> Client:
        """Return the client of this name. Raises KeyError where there is none."""
        for client in self.traffic:
            if client.name == name:
                return client
        raise KeyError(name)
