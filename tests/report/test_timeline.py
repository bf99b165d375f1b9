from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.journal.events import Event
from appliance.report.timeline.drawing import draw_timeline
from appliance.report.timeline.lanes import Item, lanes
from appliance.report.timeline.placement import CHARACTER, Placed, Scale, place
from tests.report import rehearsal
from tests.report.variants import VARIANTS

SCALE = Scale(100.0, 900.0, 80.0)


def _taken(each: Placed) -> list[tuple[float, float]]:
    """Return the extents of the bar and of a label that stands outside it."""
    width = len(each.label) * CHARACTER
    bar, label_x = (each.x, each.x + each.width), each.label_x
    label = {"inside": bar, "right": (label_x, label_x + width), "left": (label_x - width, label_x)}
    return [bar, label[each.side]] if each.side != "inside" else [bar]


@given(
    st.lists(
        st.builds(
            lambda start, length, label: Item(start, start + length, label, "fault", label),
            st.floats(0, 80),
            st.one_of(st.just(0.0), st.floats(0, 40)),
            st.text(st.characters(codec="ascii"), max_size=60),
        ),
        max_size=25,
    )
)
def test_nothing_overlaps(items: list[Item]) -> None:
    placed = place(items, SCALE)
    assert len(placed) == len(items)
    for one, other in combinations(placed, 2):
        if one.row == other.row:
            for start, stop in _taken(one):
                assert all(stop <= low + 1e-6 or high <= start + 1e-6 for low, high in _taken(other))


@pytest.mark.parametrize(("start", "side"), [(1.0, "right"), (79.9, "left")])
def test_labels_of_short_bars_stand_beside_them_and_within_the_picture(start: float, side: str) -> None:
    (placed,) = place([Item(start, start + 0.01, "a label", "fault", "")], SCALE)
    assert placed.side == side
    assert placed.width >= 3
    for low, high in _taken(placed):
        assert low >= SCALE.left - 1e-6
        assert high <= SCALE.right + 1e-6


def test_faults_that_overlap_in_time_stack() -> None:
    (faults,) = [each for each in lanes(rehearsal.events(), rehearsal.summary()) if each.name == "Faults"]
    rows = {each.item.label.split()[0]: each.row for each in place(faults.items, SCALE)}
    assert len({rows["slow-orders"], rows["refuse-writes"]}) == 2
    assert len({rows["refuse-writes"], rows["lost-ack"]}) == 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_drawing_is_xml_with_a_name_for_everything(variant: str) -> None:
    summary, events = VARIANTS[variant]()
    text = draw_timeline(summary, events).replace("\x1b", "")
    root = ElementTree.fromstring(text)
    titles = [each.text or "" for each in root.iter("title")]
    for each in summary.availability:
        for span in each.spans:
            assert any(title.startswith(f"{each.client} {span.state}".replace("\x1b", "")) for title in titles)
    assert any("seconds since start" in (each.text or "") for each in root.iter("text"))


def test_what_began_and_never_ended_lasts_to_the_end() -> None:
    happened: list[Event] = [event for event in rehearsal.events() if event.at < 45 and event.kind != "fault.ended"]
    found = lanes(happened, rehearsal.summary())
    (faults,) = [each for each in found if each.name == "Faults"]
    assert {item.end for item in faults.items} == {75.21}
