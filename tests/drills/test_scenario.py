"""A scenario is read whole or refused with all that is wrong with it."""

import json
from pathlib import Path

import pytest

from appliance.drills.scenario import Scenario, load_scenario, parse_scenario, scenario_schema
from appliance.resources.documents import Invalid

TEXT = """\
apiVersion: tidegate/v1
kind: Scenario
metadata: {name: planned-switch, title: Planned switch, tags: [dr], controls: [DORA-RTS25]}
seed: 4711
lab:
  clusters: {primary: {brokers: 3}, standby: {}}
  replication: {from: primary, to: standby}
  virtual_cluster: {name: orders, cluster: primary, standbys: [standby]}
  topics: {orders: {partitions: 6}, local: {clusters: [primary, standby]}}
traffic:
  - {name: canary, produce: {topic: orders, rate: 100/s, value_size: 1KiB, partitions: [0, 5]}}
  - {name: older, produce: {topic: orders, rate: 0/s}}
  - {name: younger, produce: {topic: orders, rate: 0/s, starts: alternate}}
  - {name: fixed-reader, consume: {topic: orders}}
  - {name: group-reader, consume: {topic: orders, group: drill, protocol: consumer}}
steady_state:
  - {name: writes flow, probe: produce.rate, client: canary, ge: 80/s}
  - {name: few errors, probe: produce.error_ratio, le: 1%}
  - {name: fast, probe: produce.latency_p99, le: 250ms}
steps:
  - {id: slow, fault: {latency: {delay: 200ms}, select: {topic: ord*, client_id: can*}, duration: 5s}}
  - {id: gone, fault: {outage: {cluster: primary, mode: blackhole}, duration: 10s}, background: true}
  - {id: die, lab: {kill: primary, brokers: [1]}}
  - {id: halt, lab: {stop_replication: {}}}
  - {id: switch, switchover: {to: standby, mode: unplanned, hold: 20s}}
  - {id: alternate, turns: {clients: [older, younger], partition: 3}}
  - {id: pause, wait: 1s}
  - {id: back, observe: {until: stable}}
  - {id: look, observe: {for: 2s}}
objectives:
  - {name: rpo, metric: lost.records, le: 0}
  - {name: rto, metric: recovery.stable, le: 30s, client: canary}
"""


def problems(*changes: tuple[str, str]) -> list[str]:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(Invalid) as caught:
        parse_scenario(text, "drill.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def scenario() -> Scenario:
    return parse_scenario(TEXT, "drill.yaml")


def test_a_scenario_is_read_with_its_units_and_defaults(scenario):
    assert scenario.metadata.revision == 1
    assert scenario.baseline == 5.0
    assert scenario.client("canary").produce.value_size == 1024
    assert scenario.client("canary").produce.delivery_timeout == 60.0
    assert scenario.client("canary").produce.acks == "all"
    assert scenario.client("older").produce.idle
    assert [client.role for client in scenario.traffic[-2:]] == ["assigned-consumer", "group-consumer"]
    assert scenario.expected_survivor == "standby"
    assert scenario.lab.clusters_of("orders") == ["primary"]
    assert scenario.lab.clusters_of("local") == ["primary", "standby"]
    assert scenario.lab.virtual_cluster_spec().replication == "mirrormaker"


def test_steps_say_what_they_do(scenario):
    slow, gone, die, halt, *_, back, look = scenario.steps
    assert (slow.fault.type, slow.fault.disruptive) == ("latency", False)
    assert (gone.fault.type, gone.fault.disruptive, gone.background) == ("outage", True, True)
    assert (die.lab.verb, die.lab.cluster, die.lab.brokers) == ("kill", "primary", [1])
    assert (halt.lab.verb, halt.lab.cluster) == ("stop-replication", None)
    assert (back.observe.longest, look.observe.longest) == (60.0, 2.0)


def test_a_fault_becomes_the_spec_that_the_gateway_is_given(scenario):
    spec = scenario.steps[0].fault.spec("orders", seed=7)
    assert (spec.virtual_cluster, spec.duration, spec.seed, spec.latency.delay) == ("orders", 5.0, 7, 0.2)


def test_bounds_say_their_target_and_whether_a_value_keeps_it(scenario):
    assert [each.target for each in scenario.steady_state] == [">= 80/s", "<= 1%", "<= 250ms"]
    assert [each.target for each in scenario.objectives] == ["<= 0 records", "<= 30s"]
    assert scenario.objectives[1].met(30.0)
    assert not scenario.objectives[1].met(30.1)


def test_everything_wrong_is_listed_at_once_with_its_line():
    found = problems(
        ("cluster: primary, standbys", "cluster: primry, standbys"),
        ("le: 1%", "le: 1"),
        ("[older, younger]", "[older, yunger]"),
        ("wait: 1s", "wait: 1, colour: red"),
        ("client: canary, ge", "client: fixed-reader, ge"),
        (
            "{latency: {delay: 200ms}, select: {topic: ord*, client_id: can*}, duration: 5s}",
            "{latency: {delay: 200ms}}",
        ),
    )
    assert found == [
        "drill.yaml:8: lab.virtual_cluster.cluster: unknown cluster primry; there are primary, standby",
        "drill.yaml:17: steady_state.0.client: produce.rate is measured on producers, and fixed-reader matches none",
        "drill.yaml:18: steady_state.1.le: expected a percentage up to 100%, such as 0.5%; found 1",
        "drill.yaml:21: steps.0.fault.duration: is missing",
        "drill.yaml:26: steps.5.turns.clients.1: unknown client yunger; there are canary, older, younger, "
        "fixed-reader, group-reader",
        "drill.yaml:27: steps.6.wait: expected a duration with its unit, such as 250ms, 5s or 1m30s; found 1",
        "drill.yaml:27: steps.6.colour: unknown key",
    ]


@pytest.mark.parametrize(
    ("old", "new", "path", "said"),
    [
        ("to: standby}", "to: nowhere}", "lab.replication.to", "unknown cluster nowhere"),
        ("to: standby}", "to: primary}", "lab.replication.to", "to itself"),
        ("standbys: [standby]", "standbys: [standby, primary]", "lab.virtual_cluster.standbys.1", "serves already"),
        ("clusters: [primary, standby]", "clusters: [prim]", "lab.topics.local.clusters.0", "unknown cluster prim"),
        ("topic: orders, rate: 100/s", "topic: ordres, rate: 100/s", "traffic.0.produce.topic", "unknown topic ordres"),
        ("partitions: [0, 5]", "partitions: [0, 6]", "traffic.0.produce.partitions.1", "partitions 0 to 5"),
        ("starts: alternate", "starts: alternat", "traffic.2.produce.starts", "unknown step alternat"),
        ("starts: alternate", "starts: pause", "steps.5.turns.clients.1", "starts later"),
        ("value_size: 1KiB", "acks: 1", "traffic.0.produce", "needs acks: all"),
        ("value_size: 1KiB", "retries: 0", "traffic.0.produce", "needs retries"),
        ("value_size: 1KiB", "in_flight: 6", "traffic.0.produce", "at most 5"),
        ("value_size: 1KiB", "settings: {client.id: me}", "traffic.0.produce.settings", "it is the client's name"),
        ("group: drill, ", "", "traffic.4.consume", "say group"),
        ("name: younger", "name: older", "traffic.2.name", "stands already in traffic.1"),
        ("id: pause", "id: slow", "steps.6.id", "stands already in steps.0"),
        ("id: pause", "id: baseline", "steps.6.id", "choose another id"),
        ("name: rto", "name: rpo", "objectives.1.name", "stands already in objectives.0"),
        ("cluster: primary, mode", "cluster: main, mode", "steps.1.fault.outage.cluster", "unknown cluster main"),
        ("mode: blackhole}", "mode: blackhole}, apply: after", "steps.1.fault", "takes no apply"),
        ("mode: blackhole}", "mode: blackhole}, select: {topic: orders}", "steps.1.fault", "takes no select.topic"),
        ("topic: ord*", "topic: pay*", "steps.0.fault.select.topic", "unknown topic pay*"),
        ("client_id: can*", "client_id: cat*", "steps.0.fault.select.client_id", "unknown client cat*"),
        ("delay: 200ms}", "delay: 200ms}, error: {code: X}", "steps.0.fault", "exactly one of latency, error, outage"),
        ("kill: primary, ", "kill: primary, pause: standby, ", "steps.2.lab", "found kill, pause"),
        ("kill: primary, ", "kill: prim, ", "steps.2.lab.kill", "unknown cluster prim"),
        ("stop_replication: {}", "stop_replication: {}, brokers: [1]", "steps.3.lab", "concerns no brokers"),
        (
            "  replication: {from: primary, to: standby}\n",
            "",
            "steps.3.lab.stop_replication",
            "there is no replication",
        ),
        ("switchover: {to: standby", "switchover: {to: primary", "steps.4.switchover.to", "serves already"),
        ("standbys: [standby]", "standbys: []", "steps.4.switchover.to", "not a standby of orders"),
        ("partition: 3", "partition: 6", "steps.5.turns.partition", "partitions 0 to 5"),
        ("[older, younger]", "[older, older]", "steps.5.turns.clients.1", "its turn already"),
        ("[older, younger]", "[older, younger, canary]", "steps.5.turns.clients.2", "rate: 0/s"),
        ("[older, younger]", "[older, fixed-reader]", "steps.5.turns.clients.1", "only producers"),
        ("[older, younger]", "[younger]", "traffic.1.produce.rate", "would never write"),
        ("wait: 1s", "wait: 1s, background: true", "steps.6", "only a fault"),
        ("wait: 1s", "wait: 1s, observe: {for: 1s}", "steps.6", "found wait, observe"),
        ("{until: stable}", "{until: stable, for: 1s}", "steps.7.observe", "exactly one of until, for"),
        ("{for: 2s}", "{for: 2s, timeout: 3s}", "steps.8.observe", "belongs to until"),
        ("lost.records, le: 0", "lost.records, le: 0.5", "objectives.0.le", "integer"),
        ("lost.records, le: 0", "lost.records, le: 0 records", "objectives.0.le", "integer"),
        ("lost.records, le: 0", "lost.records", "objectives.0", "expected a bound (ge or le or eq)"),
        ("le: 30s", "le: 30", "objectives.1.le", "expected a duration"),
        ("le: 30s, client: canary", "le: 30s, client: canaries", "objectives.1.client", "unknown client canaries"),
        ("lost.records, le: 0", "skipped.records, le: 0, client: canary", "objectives.0.client", "on consumers"),
        ("metric: recovery.stable", "metric: recovery.stabel", "objectives.1", "recovery.stable"),
        ("ge: 80/s", "ge: 80", "steady_state.0.ge", "expected a rate"),
        ("seed: 4711", "sed: 4711", "sed", "unknown key"),
    ],
)
def test_a_mistake_is_a_problem_at_its_place(old, new, path, said):
    found = [each.split(": ", 1)[1] for each in problems((old, new))]
    assert any(each.startswith(path) and said in each for each in found), found


def test_one_mistake_is_one_problem():
    assert len(problems(("topic: orders, rate: 100/s", "topic: ordres, rate: 100/s"))) == 1
    assert len(problems(("le: 30s", "le: 30"))) == 1


def test_a_file_is_given_back_with_its_text(tmp_path):
    file = tmp_path / "drill.yaml"
    file.write_text(TEXT)
    scenario, text = load_scenario(file)
    assert (scenario.name, text) == ("planned-switch", TEXT)


def test_what_cannot_be_read_is_invalid_too(tmp_path):
    file = tmp_path / "drill.yaml"
    with pytest.raises(Invalid, match="cannot be read"):
        load_scenario(file)
    file.write_bytes(b"\xff")
    with pytest.raises(Invalid, match="not UTF-8"):
        load_scenario(file)
    file.write_text(TEXT + "---\n" + TEXT)
    with pytest.raises(Invalid, match="found 2 documents"):
        load_scenario(file)
    with pytest.raises(Invalid):
        parse_scenario("[what]", "drill.yaml")


def test_the_committed_schema_is_the_models():
    committed = Path("docs/schemas/scenario.json").read_text(encoding="utf-8")
    assert committed == scenario_schema(), "run: python -m appliance.drills.scenario > docs/schemas/scenario.json"


def test_the_schema_takes_what_the_model_takes():
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("yaml")
    jsonschema.validate(yaml.safe_load(TEXT), json.loads(scenario_schema()))
