"""How numbers and times are worded: one precision and one unit everywhere in the report.

Durations keep three significant digits or so, because a client that sends ten records a second cannot be seen more
sharply; moments of the run have two decimals, so that columns of them align.
"""

from __future__ import annotations

from datetime import UTC, datetime


def count(number: int) -> str:
    """Word a whole number: `14,820`."""
    return f"{number:,}"


def amount(number: int, singular: str, plural: str = "") -> str:
    """Word a number of things: `1 record`, `14,820 records`."""
    return f"{count(number)} {singular if number == 1 else plural or singular + 's'}"


def seconds(duration: float) -> str:
    """Word a duration in seconds: `0.42 s`, `6.40 s`, `31.2 s`, `1,250 s`."""
    decimals = 2 if abs(duration) < 10 else 1 if abs(duration) < 100 else 0
    return f"{duration:,.{decimals}f} s"


def moment(at: float) -> str:
    """Word a moment of the run, in seconds since its start and without the unit: `30.20`."""
    return f"{at:,.2f}"


def share(part: float, whole: float) -> str:
    """Word a part of a whole: `94.2 %`; a dash where there is no whole. Never rounds up to 100 %."""
    if whole <= 0:
        return "–"
    percent = 100 * part / whole
    if percent > 99.9 and part < whole:
        return "> 99.9 %"
    return f"{percent:.1f} %"


def relation(target: str) -> str:
    """Set the comparison of a target as a reader writes it: `<= 30 s` becomes `≤ 30 s`."""
    return target.replace("<=", "≤").replace(">=", "≥")


def listing(names: list[str]) -> str:
    """Join names as a sentence does: `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def date(started: str) -> str:
    """Word an ISO 8601 time for people, in UTC: `24 August 2026, 10:02:11 UTC`; what is no such time is left as it is."""
    try:
        when = datetime.fromisoformat(started)
    except ValueError:
        return started
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return f"{when.day} {when:%B %Y, %H:%M:%S} UTC"
