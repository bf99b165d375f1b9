"""Editions of every shape, for hypothesis."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from appliance.control.edition import Edition, FaultInForce, Standing
from appliance.policies.connect.fence import Fence, FenceState
from appliance.policies.positions.offset_map import shifted
from appliance.policies.positions.offset_maps import PositionMaps, TopicId
from appliance.policies.positions.way_back import LogEnds, TopicEnds, WayBack
from appliance.resources.cluster import Cluster
from appliance.resources.fault import FaultSpec
from appliance.resources.listener import Listener
from appliance.resources.virtual_cluster import VirtualCluster

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
SECONDS = st.integers(1, 10**9).map(lambda each: each / 1_000_000)
WORDS = st.text(max_size=8)
ADDRESSES = st.builds("{}:{}".format, NAMES, st.integers(1, 65535))


def _named(kind: Any, spec: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda name, spec: kind.model_validate({"metadata": {"name": name}, "spec": spec}), NAMES, spec)


CLUSTERS = _named(Cluster, st.fixed_dictionaries({"bootstrap": st.lists(ADDRESSES, min_size=1, max_size=3)}))
VIRTUAL_CLUSTERS = _named(
    VirtualCluster, st.fixed_dictionaries({"cluster": NAMES, "standbys": st.lists(NAMES, max_size=2, unique=True)})
)
LISTENERS = _named(
    Listener,
    st.fixed_dictionaries({"bind": st.builds("{}:{}".format, NAMES, st.integers(1, 60000)), "virtual_cluster": NAMES}),
)
TOPIC_IDS = st.binary(min_size=16, max_size=16)
TRIGGERS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"first": st.integers(1, 10**6)}),
    st.fixed_dictionaries({"probability": st.integers(0, 1000).map(lambda each: f"{each / 10:g}%")}),
)
SPECS = st.builds(
    lambda name, delay, trigger, client: FaultSpec.model_validate(
        {
            "virtual_cluster": name,
            "duration": "1m",
            "latency": {"delay": f"{delay}s"},
            "trigger": trigger,
            "select": {"client_id": client},
        }
    ),
    NAMES,
    st.integers(0, 10**5),
    TRIGGERS,
    st.none() | WORDS,
)
FAULTS = st.builds(FaultInForce, name=NAMES, arming=st.integers(1, 2**31), spec=SPECS, seconds_left=SECONDS)

FENCES = st.builds(
    Fence, state=st.sampled_from(get_args(FenceState)), transactions=st.frozensets(st.text(max_size=20), max_size=3)
)
MAPS = st.dictionaries(st.tuples(NAMES, st.integers(0, 9)), st.builds(shifted, st.integers(-99, 99)), max_size=3)
OFFSETS = st.integers(0, 2**62)
ENDS = st.dictionaries(st.integers(0, 9), st.builds(LogEnds, OFFSETS, OFFSETS), max_size=2)
WAYS_BACK = st.builds(
    WayBack, NAMES, NAMES, st.dictionaries(NAMES, st.builds(TopicEnds, TOPIC_IDS, TOPIC_IDS, ENDS), max_size=2)
)
STANDINGS = st.builds(
    Standing,
    serving=NAMES,
    fence=FENCES,
    switches=st.integers(0, 9),
    maps=st.builds(
        lambda maps, way_back, cluster, ids: PositionMaps(maps, way_back=way_back).with_topic_ids(cluster, ids),
        st.dictionaries(NAMES, MAPS, max_size=2),
        st.none() | WAYS_BACK,
        NAMES,
        st.dictionaries(NAMES, st.builds(TopicId, TOPIC_IDS, TOPIC_IDS), max_size=2),
    ),
)


@st.composite
def editions(draw: st.DrawFn) -> Edition:
    """Return an edition whose virtual clusters all stand somehow."""
    virtual_clusters = draw(st.lists(VIRTUAL_CLUSTERS, max_size=3, unique_by=lambda each: each.name))
    return Edition(
        version=draw(st.integers(1, 2**40)),
        resources=(
            *draw(st.lists(CLUSTERS, max_size=3)),
            *virtual_clusters,
            *draw(st.lists(LISTENERS, max_size=3)),
        ),
        virtual_clusters={each.name: draw(STANDINGS) for each in virtual_clusters},
        faults=tuple(draw(st.lists(FAULTS, max_size=3))),
    )
