"""Draw the timeline: svg.py elements with classes; colours and fonts are the style sheet's.

svg.py writes text and attributes as they are, so everything that comes from a run passes `_safe` first.
"""

from __future__ import annotations

from html import escape

import svg

from appliance.journal.events import Event
from appliance.report.figures import moment, seconds
from appliance.report.summary import Availability, Span, Summary
from appliance.report.timeline.lanes import Lane, disruption, horizon, lanes
from appliance.report.timeline.placement import CHARACTER, MARK, SHORTEST_BAR, Placed, Scale, place, shorten

WIDTH = 960.0
_GUTTER = 132.0
_RIGHT = 12.0
_HEAD = 44.0
_ROW = 20.0
_BAR = 14.0
_LANE_GAP = 12.0
_CLIENT = 30.0
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_HEIGHTS = {"ok": 6.0, "degraded": 12.0, "down": 18.0}
"""Of a client's spans: the states differ in height and texture, not in colour alone."""


def draw_timeline(summary: Summary, events: list[Event]) -> str:
    """Return the SVG element of a run, ready to stand inside an HTML page."""
    scale = Scale(_GUTTER, WIDTH - _RIGHT, horizon(events, summary))
    body: list[svg.Element] = []
    y = _HEAD
    for lane in lanes(events, summary):
        y = _lane(body, lane, scale, y)
    for each in summary.availability:
        y = _client(body, each, scale, y)
    ground = [*_axis(scale, y), *_disruption(disruption(summary), scale, y)]
    picture = svg.SVG(
        xmlns=None,
        viewBox=svg.ViewBoxSpec(0, 0, WIDTH, y + 4),
        class_=["timeline"],
        extra={"role": "img", "aria-labelledby": "timeline-title timeline-text"},
        elements=[
            svg.Title(id="timeline-title", text="Timeline of the run"),
            svg.Desc(id="timeline-text", text=_safe(_described(summary))),
            _hatch(),
            *ground,
            *body,
        ],
    )
    return picture.as_str()


def _described(summary: Summary) -> str:
    shown = f"{seconds(summary.duration_seconds)} of phases, steps, faults and clients."
    clients = "; ".join(f"{each.client} was down for {seconds(_down(each))}" for each in summary.availability)
    return f"{shown} {clients}. The tables that follow say the same."


def _down(availability: Availability) -> float:
    return sum(span.end - span.start for span in availability.spans if span.state == "down")


def _lane(body: list[svg.Element], lane: Lane, scale: Scale, y: float) -> float:
    placed = place(lane.items, scale)
    body.append(_text(0, y + _BAR - 3, lane.name, "lane"))
    body.extend(_item(each, y + each.row * _ROW) for each in placed)
    bottom = y + (1 + max(each.row for each in placed)) * _ROW
    return _rule(body, bottom, scale)


def _rule(body: list[svg.Element], y: float, scale: Scale) -> float:
    at = y + _LANE_GAP / 2 - 3
    body.append(svg.Line(class_=["rule"], x1=0, x2=_round(scale.right), y1=at, y2=at))
    return y + _LANE_GAP


def _item(placed: Placed, y: float) -> svg.Element:
    item, middle = placed.item, y + _BAR / 2
    shape: svg.Element
    if item.is_mark:
        centre, half = placed.x + placed.width / 2, MARK / 2
        corners = [(centre, middle - half), (centre + half, middle), (centre, middle + half), (centre - half, middle)]
        points = [svg.Point(_round(x), _round(y)) for x, y in corners]
        shape = svg.Polygon(class_=["mark", item.kind], points=points)
    else:
        shape = svg.Rect(class_=["bar", item.kind], x=_round(placed.x), y=y, width=_round(placed.width), height=_BAR)
    classes = {"inside": "label in", "right": "label", "left": "label end"}[placed.side]
    label = _text(placed.label_x, y + _BAR - 3.2, placed.label, classes)
    return svg.G(elements=[svg.Title(text=_safe(item.title)), shape, label])


def _client(body: list[svg.Element], availability: Availability, scale: Scale, y: float) -> float:
    name = svg.G(elements=[svg.Title(text=_safe(availability.client))])
    assert name.elements is not None
    name.elements.append(_text(0, y + 13, shorten(availability.client, int(_GUTTER / CHARACTER) - 1), "lane"))
    body.append(name)
    body.extend(_span(span, availability.client, scale, y) for span in availability.spans)
    if not availability.spans:
        body.append(_text(scale.left, y + 13, "nothing measured", "label"))
    return y + _CLIENT


def _span(span: Span, client: str, scale: Scale, y: float) -> svg.Element:
    height = _HEIGHTS[span.state]
    x, end = scale.x(span.start), scale.x(span.end)
    x = min(x, scale.right - SHORTEST_BAR)
    width = max(end - x, 1.0 if span.state == "ok" else SHORTEST_BAR)
    length = seconds(span.end - span.start)
    told = f"{client} {span.state}, {moment(span.start)} to {moment(span.end)} s ({length})"
    top = y + (18 - height) / 2
    parts: list[svg.Element] = [
        svg.Title(text=_safe(told)),
        svg.Rect(class_=["span", span.state], x=_round(x), y=top, width=_round(width), height=height),
    ]
    if span.state == "down" and len(length) * CHARACTER + 4 <= width:
        parts.append(_text(x + width / 2, y + 13, length, "on"))
    return svg.G(elements=parts)


def _axis(scale: Scale, bottom: float) -> list[svg.Element]:
    step = next((each for each in _STEPS if scale.end / each <= 11), scale.end / 10)
    elements: list[svg.Element] = [_text(0, _HEAD - 14, "seconds since start", "tick start")]
    ticks = int(scale.end / step + 1e-9) + 1
    for number in range(ticks):
        x = _round(scale.x(number * step))
        elements.append(svg.Line(class_=["grid"], x1=x, x2=x, y1=_HEAD - 9, y2=bottom - 6))
        elements.append(_text(x, _HEAD - 14, f"{number * step:,.1f}" if step < 1 else f"{number * step:,.0f}", "tick"))
    return elements


def _disruption(at: float | None, scale: Scale, bottom: float) -> list[svg.Element]:
    if at is None:
        return []
    x = _round(scale.x(at))
    label = f"first disruption at {moment(at)} s"
    half = len(label) * CHARACTER / 2
    centre = min(max(x, scale.left + half), scale.right - half)
    line = svg.Line(class_=["disrupted"], x1=x, x2=x, y1=14, y2=bottom - 6)
    return [line, _text(centre, 10, label, "struck")]


def _hatch() -> svg.Element:
    stripe = svg.Rect(class_=["stripe"], x=0, y=0, width=2.5, height=5)
    ground = svg.Rect(class_=["ground"], x=0, y=0, width=5, height=5)
    pattern = svg.Pattern(
        id="hatch",
        width=5,
        height=5,
        patternUnits="userSpaceOnUse",
        patternTransform=[svg.Rotate(45)],
        elements=[ground, stripe],
    )
    return svg.Defs(elements=[pattern])


def _text(x: float, y: float, text: str, classes: str) -> svg.Element:
    return svg.Text(class_=classes.split(), x=_round(x), y=_round(y), text=_safe(text))


def _safe(text: str) -> str:
    return escape(text)


def _round(number: float) -> float:
    return round(number, 1)
