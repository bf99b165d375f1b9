"""What several processes have measured adds up to what one would have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from appliance.exchange.measures import Latency, Measures, merged
from appliance.exchange.meters import BOUNDS

LABELS = st.tuples(st.sampled_from(["orders", "payments"]), st.sampled_from(["Fetch", "Produce"]))
SERIES = st.dictionaries(LABELS, st.integers(0, 1000)).map(lambda each: tuple(each.items()))
LATENCY = st.builds(
    Latency,
    st.lists(st.integers(0, 9), min_size=len(BOUNDS) + 1, max_size=len(BOUNDS) + 1).map(tuple),
    st.integers(0, 1000).map(float),
)
LATENCIES = st.dictionaries(LABELS, LATENCY).map(lambda each: tuple(each.items()))
MEASURES = st.builds(Measures, requests=SERIES, open=SERIES, gateway_times=LATENCIES)


def test_what_two_processes_count_is_summed_by_labels():
    one = Measures(requests=((("orders", "Fetch"), 2), (("orders", "Produce"), 1)))
    other = Measures(requests=((("orders", "Fetch"), 3),), open=((("plain", "orders"), 4),))
    together = merged([one, other])
    assert dict(together.requests) == {("orders", "Fetch"): 5, ("orders", "Produce"): 1}
    assert dict(together.open) == {("plain", "orders"): 4}


def test_times_are_summed_bucket_by_bucket():
    one = Measures(gateway_times=((("orders", "Fetch"), Latency((1, 0, 2), 0.5)),))
    other = Measures(gateway_times=((("orders", "Fetch"), Latency((0, 3, 1), 0.25)),))
    assert dict(merged([one, other]).gateway_times) == {("orders", "Fetch"): Latency((1, 3, 3), 0.75)}


def test_of_a_process_that_is_gone_the_counters_stay():
    gone = Measures(requests=((("orders", "Fetch"), 2),), open=((("plain", "orders"), 4),)).without_gauges()
    assert (gone.requests, gone.open) == (((("orders", "Fetch"), 2),), ())


@given(st.lists(MEASURES, max_size=4))
def test_it_does_not_matter_in_which_order_they_are_merged(several: list[Measures]):
    step_by_step = Measures()
    for each in reversed(several):
        step_by_step = merged([step_by_step, each])
    at_once = merged(several)
    assert dict(step_by_step.requests) == dict(at_once.requests)
    assert dict(step_by_step.gateway_times) == dict(at_once.gateway_times)


@given(MEASURES)
def test_measures_travel_as_json(measures: Measures):
    adapter = TypeAdapter(Measures)
    assert adapter.validate_json(adapter.dump_json(measures)) == measures
