from __future__ import annotations

import pytest

from appliance.report import figures


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("duration", "told"), [(0, "0.00 s"), (0.42, "0.42 s"), (9.99, "9.99 s"), (31.24, "31.2 s"), (1250.4, "1,250 s")]
)
def test_seconds(duration: float, told: str) -> None:
    assert _plain(figures.seconds(duration)) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<= 30s", "≤ 30 s"),
        ("11s310ms", "11.31 s"),
        ("1m30s", "90 s"),
        ("= 0 records", "= 0 records"),
        (">= 250ms and <= 2h", "≥ 250 ms and ≤ 7,200 s"),
        ("0s", "0 s"),
        ("0.5%", "0.5 %"),
        ("98.4/s", "98.4/s"),
        ("reader-2m was late", "reader-2m was late"),
    ],
)
def test_bounds(text: str, told: str) -> None:
    assert _plain(figures.bound(text)) == told


@pytest.mark.parametrize(
    ("part", "whole", "told"), [(1, 4, "25.0 %"), (0, 0, figures.NOTHING), (99.99, 100, "> 99.9 %"), (5, 5, "100.0 %")]
)
def test_share_is_never_rounded_up_to_all(part: float, whole: float, told: str) -> None:
    assert _plain(figures.share(part, whole)) == told


@pytest.mark.parametrize(
    ("started", "told"),
    [
        ("2026-08-24T10:02:11Z", "24 August 2026, 10:02:11 UTC"),
        ("2026-08-24T12:02:11+02:00", "24 August 2026, 10:02:11 UTC"),
        ("2026-08-24T10:02:11.123456", "24 August 2026, 10:02:11 UTC"),
        ("yesterday", "yesterday"),
    ],
)
def test_dates_are_utc(started: str, told: str) -> None:
    assert figures.date(started) == told


@pytest.mark.parametrize(("names", "told"), [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_listing(names: str, told: str) -> None:
    assert figures.listing(list(names)) == told
