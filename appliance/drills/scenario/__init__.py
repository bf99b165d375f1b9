"""What a drill is made of, as a user writes it: a lab, traffic, steps, and the objectives that decide.

    lab         real clusters, what replicates between them, the virtual cluster in front, topics
    traffic     the drill's own clients
    steps       what happens, in order
    judging     steady state and objectives: what is measured, and the bound that holds
    model       the whole: `Scenario`
    references  names that must exist, and rules between parts
    loading     from a file to a `Scenario`, with every problem listed at once

Knows units and faults from `resources`; knows neither clock nor client. The runner plays it, `judge` judges
by it.
"""

from appliance.drills.scenario.judging import (
    Bounded,
    Objective,
    RecordsObjective,
    RecoveryObjective,
    SteadyState,
)
from appliance.drills.scenario.lab import ClusterPlan, Lab, Replication, TopicPlan, VirtualClusterPlan
from appliance.drills.scenario.loading import load_scenario, parse_scenario, scenario_schema
from appliance.drills.scenario.model import Scenario, ScenarioMetadata
from appliance.drills.scenario.steps import FaultAction, LabAction, Observe, Step, Switchover, Turns
from appliance.drills.scenario.traffic import Client, Consume, Produce

__all__ = [
    "Bounded",
    "Client",
    "ClusterPlan",
    "Consume",
    "FaultAction",
    "Lab",
    "LabAction",
    "Objective",
    "Observe",
    "Produce",
    "RecordsObjective",
    "RecoveryObjective",
    "Replication",
    "Scenario",
    "ScenarioMetadata",
    "SteadyState",
    "Step",
    "Switchover",
    "TopicPlan",
    "Turns",
    "VirtualClusterPlan",
    "load_scenario",
    "parse_scenario",
    "scenario_schema",
]
