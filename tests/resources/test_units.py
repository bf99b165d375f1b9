"""Values carry their unit, or are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from appliance.resources.units import (
    Duration,
    Rate,
    Ratio,
    Size,
    format_duration,
    parse_duration,
    parse_rate,
    parse_ratio,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("5s", 5),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("10us", 1e-5),
        ("0s", 0),
        ("1s1s", 2),
    ],
)
def test_durations(text: str, seconds: float):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "per_second"), [("20/s", 20), ("30/m", 0.5), ("36/h", 0.01), ("0.5/s", 0.5)])
def test_rates(text: str, per_second: float):
    assert parse_rate(text) == pytest.approx(per_second)


@pytest.mark.parametrize(("text", "share"), [("0%", 0), ("0.5%", 0.005), ("100%", 1)])
def test_ratios(text: str, share: float):
    assert parse_ratio(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0B", 0), ("64KiB", 65_536), ("1MB", 1_000_000), ("2GiB", 2**31), ("7KB", 7000), ("3MiB", 3 * 2**20)],
)
def test_sizes(text: str, size: int):
    assert parse_size(text) == size


EVERYTHING = [(Duration, "duration"), (Rate, "rate"), (Ratio, "percentage"), (Size, "size")]


@pytest.mark.parametrize(("unit", "word"), EVERYTHING, ids=[word for _, word in EVERYTHING])
@pytest.mark.parametrize(
    "found",
    [
        5,
        0,
        0.25,
        True,
        None,
        "",
        "5",
        "0",
        "s",
        "-5s",
        "5 s",
        " 5s",
        "5s ",
        "5S",
        "5s\n",
        "1e3s",
        "5x",
        ".5s",
        "\N{ARABIC-INDIC DIGIT FIVE}s",
        ["5s"],
    ],
)
def test_a_bare_number_or_anything_else_is_refused_with_an_example(unit: Any, word: str, found: object):
    with pytest.raises(ValidationError, match=rf"expected a {word}.* such as .*; found") as refusal:
        TypeAdapter(unit).validate_python(found)
    assert repr(found) in str(refusal.value)


@pytest.mark.parametrize("found", ["100.1%", "1000%", "-1%", "0.5"])
def test_a_share_is_at_most_all(found: str):
    with pytest.raises(ValueError, match="percentage up to 100%"):
        parse_ratio(found)


@pytest.mark.parametrize("found", ["1.5KiB", "1kb", "1K"])
def test_sizes_are_whole(found: str):
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(found)


@given(st.integers(0, 10**15))
def test_a_duration_is_read_as_it_was_written(microseconds: int):
    text = format_duration(microseconds / 1_000_000)
    assert round(parse_duration(text) * 1_000_000) == microseconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (90, "1m30s"), (0.25, "250ms"), (86_400, "1d"), (3661.000001, "1h1m1s1us")]
)
def test_durations_are_written_shortly(seconds: float, text: str):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(("unit", "text"), [(Duration, "1m30s"), (Rate, "20/s"), (Ratio, "0.5%"), (Size, "64B")])
def test_values_leave_as_they_came(unit: Any, text: str):
    adapter: TypeAdapter[Any] = TypeAdapter(unit)
    assert adapter.dump_python(adapter.validate_python(text)) == text


@given(st.integers(0, 2**60))
def test_a_size_is_read_as_it_was_written(size: int):
    adapter: TypeAdapter[Any] = TypeAdapter(Size)
    assert adapter.validate_python(adapter.dump_python(size)) == size
