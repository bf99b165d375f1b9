"""How numbers and times are worded: one precision and one unit everywhere in the report.

Durations keep three significant digits or so, because a client that sends ten records a second cannot be seen
more sharply; moments of the run have two decimals, so that columns of them align.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

NOTHING = "\N{EN DASH}"
"""Stands where there is no figure."""
_SPACE = "\N{NO-BREAK SPACE}"
"""Between a number and its unit."""

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"(\d+(?:\.\d+)?)(us|ms|[smhd])"
_DURATION = re.compile(rf"(?<![\w.-])(?:{_PART})+(?![\w/])")


def count(number: int) -> str:
    """Word a whole number: `14,820`."""
    return f"{number:,}"


def amount(number: int, singular: str, plural: str = "") -> str:
    """Word a number of things: `1 record`, `14,820 records`."""
    return f"{count(number)} {singular if number == 1 else plural or singular + 's'}"


def seconds(duration: float) -> str:
    """Word a duration in seconds: `0.42 s`, `6.40 s`, `31.2 s`, `1,250 s`."""
    decimals = 2 if abs(duration) < 10 else 1 if abs(duration) < 100 else 0
    return f"{duration:,.{decimals}f}{_SPACE}s"


def moment(at: float) -> str:
    """Word a moment of the run, in seconds since its start and without the unit: `30.20`."""
    return f"{at:,.2f}"


def share(part: float, whole: float) -> str:
    """Word a part of a whole: `94.2 %`; a dash where there is no whole. Never rounds up to 100 %."""
    if whole <= 0:
        return NOTHING
    percent = 100 * part / whole
    if percent > 99.9 and part < whole:
        return f">{_SPACE}99.9{_SPACE}%"
    return f"{percent:.1f}{_SPACE}%"


def relation(text: str) -> str:
    """Set comparisons as readers write them: `<=` becomes `≤`."""
    return text.replace("<=", "≤").replace(">=", "≥")


def bound(text: str) -> str:
    """Set a bound or a measured value as readers write it.

    Durations become one number: `<= 1m30s` is `≤ 90 s`, `11s310ms` is `11.31 s`, `5%` is `5 %`.
    """
    return re.sub(r"(?<=\d)%", f"{_SPACE}%", _DURATION.sub(_one_number, relation(text)))


def _one_number(duration: re.Match[str]) -> str:
    total = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, duration[0]))
    value, unit = (total, "s") if total >= 1 or not total else (total * 1000, "ms")
    return f"{value:,.3f}".rstrip("0").rstrip(".") + _SPACE + unit


def listing(names: list[str]) -> str:
    """Join names as a sentence does: `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def date(started: str) -> str:
    """Word an ISO 8601 time for people: `24 August 2026, 10:02:11 UTC`; what is no such time is left as it is."""
    try:
        when = datetime.fromisoformat(started)
    except ValueError:
        return started
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return f"{when.day} {when:%B %Y, %H:%M:%S} UTC"
