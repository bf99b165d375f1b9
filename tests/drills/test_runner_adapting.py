from importlib.resources import as_file

import pytest

from appliance.bundled import SCENARIOS
from appliance.drills.adapting import adapt
from appliance.drills.scenario import Lab, Scenario, load_scenario


def _bundled(name: str) -> Scenario:
    with as_file(SCENARIOS / f"{name}.yaml") as path:
        return load_scenario(path)[0]


@pytest.mark.parametrize("kind", ["apache", "docker"])
def test_real_kafka_runs_scenarios_as_they_are(kind):
    scenario = _bundled("planned-switch")
    adapted = adapt(scenario, kind)
    assert adapted.scenario is scenario
    assert not adapted.changes


def test_the_embedded_broker_gets_producers_without_idempotence_and_no_fault_that_needs_it():
    adapted = adapt(_bundled("planned-switch"), "embedded")
    producers = [each.produce for each in adapted.scenario.traffic if each.produce]
    assert all((each.idempotent, each.in_flight) == (False, 1) for each in producers)
    assert adapted.scenario.lab.virtual_cluster.producer_ids == "plain"
    assert all(each.settings["metadata.recovery.strategy"] == "none" for each in producers)
    assert not {"refused", "unconfirmed"} & {step.id for step in adapted.scenario.steps}
    assert "slow-orders" in {step.id for step in adapted.scenario.steps}
    assert not adapted.impossible
    assert any("unconfirmed" in change for change in adapted.changes)


def test_a_scenario_without_a_switchover_keeps_idempotence_but_not_the_tags_of_producer_ids():
    scenario = _bundled("careless-producer")
    assert adapt(scenario, "embedded").scenario is scenario, "this one declares plain ids itself"
    tagged = scenario.model_copy(update={"lab": _tagged(scenario)})
    adapted = adapt(tagged, "embedded")
    assert adapted.scenario == scenario
    assert "not tagged" in adapted.changes[0]


def _tagged(scenario: Scenario) -> Lab:
    virtual = scenario.lab.virtual_cluster.model_copy(update={"producer_ids": "tagged"})
    return scenario.lab.model_copy(update={"virtual_cluster": virtual})


@pytest.mark.parametrize("name", ["classic-hold", "continuous-offsets-off"])
def test_a_scenario_about_offsets_that_differ_is_refused(name):
    assert "orders" in adapt(_bundled(name), "embedded").impossible


def test_a_scenario_about_producer_ids_is_refused():
    assert "apache or docker" in adapt(_bundled("producer-identity"), "embedded").impossible
