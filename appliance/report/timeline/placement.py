"""Where bars and labels go: into as few rows as possible such that nothing overlaps anything.

A label stands inside its bar if it fits, else to the right of it, else to the left. Widths of text are estimated,
on the wide side: the fonts of whoever opens the report are not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.report.timeline.lanes import Item

CHARACTER = 6.5
"""Width in units of the drawing that a character of a label is given (labels are set in 11 units)."""
LONGEST = 44
"""Characters of a label; longer ones are cut, and whole in the hover title."""
SHORTEST_BAR = 3.0
MARK = 9.0
_PAD = 5.0
_APART = 8.0

Side = Literal["inside", "right", "left"]


@dataclass(frozen=True)
class Scale:
    """The map from seconds of the run to units of the drawing."""

    left: float
    right: float
    end: float

    def x(self, at: float) -> float:
        """Return the place of a moment, kept within the drawing."""
        return self.left + (self.right - self.left) * min(max(at / self.end, 0.0), 1.0)


@dataclass(frozen=True)
class Placed:
    """An item with its row, its box from `x` to `x + width`, and its label."""

    item: Item
    row: int
    x: float
    width: float
    label: str
    side: Side
    label_x: float
    """Start of the label, or its end where it stands to the left."""


def shorten(text: str, longest: int = LONGEST) -> str:
    """Cut a label to what is legible; control characters become spaces."""
    flat = "".join(each if each.isprintable() else " " for each in text)
    return flat if len(flat) <= longest else flat[: longest - 1].rstrip() + "…"


def place(items: list[Item], scale: Scale) -> list[Placed]:
    """Give each item a row and a side for its label, in order of their starts."""
    rows: list[list[tuple[float, float]]] = []
    placed = []
    for item in sorted(items, key=lambda each: (each.start, each.end)):
        choices = _choices(item, scale)
        row, (side, label_x, box, extent) = _first_fit(choices, rows)
        if row == len(rows):
            rows.append([])
        rows[row].append(extent)
        placed.append(Placed(item, row, box[0], box[1] - box[0], shorten(item.label), side, label_x))
    return placed


_Choice = tuple[Side, float, tuple[float, float], tuple[float, float]]
"""Side, start (or end) of the label, the bar's box, what is taken of the row: bars may touch, labels may not."""


def _choices(item: Item, scale: Scale) -> list[_Choice]:
    box = _box(item, scale)
    width = len(shorten(item.label)) * CHARACTER
    if not item.is_mark and width + 2 * _PAD <= box[1] - box[0]:
        return [("inside", box[0] + _PAD, box, box)]
    choices: list[_Choice] = []
    if box[1] + _PAD + width <= scale.right:
        choices.append(("right", box[1] + _PAD, box, (box[0], box[1] + _PAD + width + _APART)))
    if box[0] - _PAD - width >= scale.left:
        choices.append(("left", box[0] - _PAD, box, (box[0] - _PAD - width - _APART, box[1])))
    return choices or [("right", box[1] + _PAD, box, (box[0], max(scale.right, box[1] + _PAD + width)))]


def _box(item: Item, scale: Scale) -> tuple[float, float]:
    start, stop = scale.x(item.start), scale.x(item.end)
    if item.is_mark:
        return start - MARK / 2, start + MARK / 2
    return min(start, scale.right - SHORTEST_BAR), max(stop, min(start, scale.right - SHORTEST_BAR) + SHORTEST_BAR)


def _first_fit(choices: list[_Choice], rows: list[list[tuple[float, float]]]) -> tuple[int, _Choice]:
    for number, taken in enumerate(rows):
        for choice in choices:
            start, stop = choice[3]
            if all(stop <= other[0] or other[1] <= start for other in taken):
                return number, choice
    return len(rows), choices[0]
