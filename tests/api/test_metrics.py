"""What Prometheus reads: valid, complete, and as the page about it says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import httpx
import pytest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from appliance import __version__
from appliance.api.metric_definitions import ALL, Metric
from appliance.api.metrics import make_metrics_app
from appliance.exchange.measures import Latency, Measures
from appliance.exchange.meters import BOUNDS
from tests.api.scene import Scene, scene, transport
from tests.control.world import fault

API = ("orders", "Produce")
ODD = 'a "quoted"\nname\\'
MEASURED = Measures(
    requests=((API, 7),),
    responses=((API, 6),),
    bytes_in=((API, 7000),),
    bytes_out=((API, 600),),
    gateway_times=((API, Latency((4, 0, 1, *[0] * (len(BOUNDS) - 3), 1), 31.5)),),
    upstream_times=((API, Latency((0,) * len(BOUNDS) + (0,), 0.0)),),
    errors=(((*API, "NOT_LEADER_OR_FOLLOWER"), 2),),
    accepted=((("plain", "orders"), 3),),
    refused=((("plain", "orders", "limit"), 1), (("plain", ODD, "tls"), 1)),
    authentications=((("plain", "PLAIN", "refused"), 4),),
    open=((("plain", "orders"), 2),),
    in_flight=((("orders",), 1),),
    buffered=((("plain",), 1000),),
)


async def scraped(here: Scene, **headers: str) -> httpx.Response:
    here.world.measured = MEASURED
    response = await here.http.get("/metrics", headers=headers)
    assert response.status_code == 200
    return response


async def families(here: Scene) -> Mapping[str, Family]:
    response = await scraped(here)
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {each.name: each for each in text_string_to_metric_families(response.text)}


def value(found: Mapping[str, Family], name: str, **labels: str) -> float:
    (sample,) = (each for each in samples(found) if each.name == name and labels.items() <= each.labels.items())
    return sample.value


def samples(found: Mapping[str, Family]) -> Iterator[Sample]:
    for family in found.values():
        yield from family.samples


def stem(metric: Metric) -> str:
    return metric.name.removesuffix("_total")


async def test_all_metrics_that_are_listed_are_shown_with_their_labels_and_no_others():
    async with scene() as here:
        here.plane.put_fault(fault())
        found = await families(here)
    assert found.keys() == {stem(each) for each in ALL}
    for metric in ALL:
        family = found[stem(metric)]
        assert family.type == {"info": "gauge"}.get(metric.kind, metric.kind)
        assert family.documentation == metric.meaning
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == set(metric.labels)


async def test_values_are_those_that_were_measured():
    async with scene() as here:
        found = await families(here)
    assert value(found, "tidegate_requests_total", virtual_cluster="orders", api="Produce") == 7
    assert value(found, "tidegate_response_errors_total", error="NOT_LEADER_OR_FOLLOWER") == 2
    assert value(found, "tidegate_connections_refused_total", reason="limit") == 1
    assert value(found, "tidegate_connections_refused_total", virtual_cluster=ODD) == 1
    assert value(found, "tidegate_connections", listener="plain") == 2
    assert value(found, "tidegate_build_info", version=__version__) == 1


async def test_gauges_stand_at_zero_where_there_is_nothing_to_count():
    async with scene() as here:
        here.world.measured = Measures()
        text = (await here.http.get("/metrics")).text
        found = {each.name: each for each in text_string_to_metric_families(text)}
        listeners = set(here.plane.catalogue.listeners)
    assert listeners
    assert {each.labels["listener"] for each in found["tidegate_connections"].samples} == listeners
    assert {each.labels["listener"] for each in found["tidegate_buffered_bytes"].samples} == listeners
    assert value(found, "tidegate_requests_in_flight", virtual_cluster="orders") == 0
    assert {each.value for each in found["tidegate_connections"].samples} == {0}


async def test_buckets_are_cumulative_as_prometheus_wants_them():
    async with scene() as here:
        found = await families(here)
    bounds = [f"{bound:g}" for bound in BOUNDS]
    assert value(found, "tidegate_gateway_seconds_bucket", le="0.0001") == 4
    assert value(found, "tidegate_gateway_seconds_bucket", le="0.0005") == 5
    assert value(found, "tidegate_gateway_seconds_bucket", le="30.0") == 5
    assert value(found, "tidegate_gateway_seconds_bucket", le="+Inf") == 6
    assert value(found, "tidegate_gateway_seconds_count") == 6
    assert value(found, "tidegate_gateway_seconds_sum") == 31.5
    shown = [each.labels["le"] for each in found["tidegate_gateway_seconds"].samples if "le" in each.labels]
    assert [f"{float(each):g}" for each in shown] == [*bounds, "inf"]


async def test_openmetrics_for_those_who_ask_for_it():
    async with scene() as here:
        response = await scraped(here, accept="application/openmetrics-text; version=1.0.0")
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {each.name for each in openmetrics.text_string_to_metric_families(response.text)}
    assert names == {stem(each) for each in ALL}


async def test_live_state_is_shown():
    async with scene() as here:
        here.plane.put_fault(fault())
        here.plane.start_switchover(
            "orders", "standby", mode="planned", hold=20.0, dry_run=True, leave_records_behind=False
        )
        found = await families(here)
        state = here.plane.switchover("orders")
        assert state is not None
        assert value(found, "tidegate_switchover_state", state=state.state) == 1
        assert sum(each.value for each in found["tidegate_switchover_state"].samples) == 1
    assert value(found, "tidegate_fault_active", fault="slow", type="latency", virtual_cluster="orders") == 1
    assert value(found, "tidegate_fault_matched_total", fault="slow") == 0
    assert value(found, "tidegate_virtual_cluster_serving", cluster="primary") == 1
    assert value(found, "tidegate_virtual_cluster_fenced") == 0
    assert value(found, "tidegate_edition") == value(found, "tidegate_worker_edition", worker="1")
    assert value(found, "tidegate_cluster_known", cluster="primary") == 1


async def test_the_api_asks_for_its_token():
    async with scene() as here, here.stranger() as stranger:
        assert (await stranger.get("/metrics")).status_code == 401


async def test_a_port_of_its_own_has_metrics_and_probes_for_anyone_and_nothing_else():
    async with scene() as here:
        app = make_metrics_app(here.plane, here.world, lambda: True)
        async with httpx.AsyncClient(transport=transport(app), base_url="http://test") as stranger:
            answers = {path: (await stranger.get(path)).status_code for path in ("/metrics", "/livez", "/readyz")}
            assert answers == {"/metrics": 200, "/livez": 200, "/readyz": 200}
            for path in ("/v1/status", "/v1/clusters", "/openapi.json", "/docs", "/"):
                assert (await stranger.get(path)).status_code == 404


@pytest.mark.parametrize("metric", ALL, ids=lambda each: each.name)
def test_names_keep_to_prometheus_conventions(metric: Metric):
    assert re.fullmatch(r"tidegate_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind != "histogram" or metric.name.endswith("_seconds")
    assert metric.meaning.endswith(".")
