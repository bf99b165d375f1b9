"""Where logs ended at a switch, written down and read again."""

from __future__ import annotations

import pytest

from appliance.policies.positions.offset_maps import NO_MAPS, PositionMaps
from appliance.policies.positions.way_back import LogEnds, TopicEnds, WayBack

ORDERS = TopicEnds(bytes(range(16)), bytes(range(16, 32)), {0: LogEnds(10, 110), 11: LogEnds(0, 0)})
WAY = WayBack("standby", "primary", {"orders": ORDERS, "a.b": ORDERS._replace(partitions={})})


def test_it_is_written_down_with_the_maps_and_read_again():
    maps = PositionMaps(way_back=WAY)
    assert PositionMaps.of_json(maps.as_json()) == maps
    assert PositionMaps.of_json(NO_MAPS.as_json()) == NO_MAPS


def test_maps_written_before_there_was_any_know_none():
    assert PositionMaps.of_json({"clusters": {}, "beginnings": {}, "topic_ids": {}}).way_back is None


@pytest.mark.parametrize(
    "damaged",
    [
        7,
        {"source": "standby", "target": "primary"},
        {"source": "standby", "target": "primary", "topics": {"orders": ["a", "b", {}]}},
        {"source": "standby", "target": "primary", "topics": {"orders": ["00" * 16, "00" * 16, {"0": [1]}]}},
        {"source": "standby", "target": "primary", "topics": {"orders": [7]}},
    ],
)
def test_damaged_it_is_refused(damaged: object):
    with pytest.raises(ValueError, match="expected"):
        PositionMaps.of_json({"clusters": {}, "beginnings": {}, "way_back": damaged})
