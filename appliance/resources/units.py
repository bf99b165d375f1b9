"""Values that carry a unit: `250ms`, `1m30s`, `20/s`, `0.5%`, `64KiB`. A bare number is an error, never a
guess."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)", re.ASCII)
_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|m|h)", re.ASCII)
_RATIO = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)
_SIZE = re.compile(r"(\d+)(B|KB|MB|GB|KiB|MiB|GiB)", re.ASCII)


def parse_duration(text: object) -> float:
    """Return seconds. Raises ValueError for anything but a number with a unit (us, ms, s, m, h, d), or
    several in a row."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError(f"expected a duration with its unit, such as 250ms, 5s or 1m30s; found {text!r}")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def parse_rate(text: object) -> float:
    """Return events per second. Raises ValueError for anything but a number per s, m or h."""
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"expected a rate with its unit, such as 20/s or 5/m; found {text!r}")
    return float(match[1]) / _SECONDS[match[2]]


def parse_ratio(text: object) -> float:
    """Return a share between 0 and 1. Raises ValueError for anything but a percentage up to 100%."""
    match = _RATIO.fullmatch(text) if isinstance(text, str) else None
    if match is None or float(match[1]) > 100:
        raise ValueError(f"expected a percentage up to 100%, such as 0.5%; found {text!r}")
    return float(match[1]) / 100


def parse_size(text: object) -> int:
    """Return bytes. Raises ValueError for anything but a whole number with a unit (B, KB, KiB, ...)."""
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"expected a size with its unit, such as 64KiB or 1MB; found {text!r}")
    return int(match[1]) * _BYTES[match[2]]


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads as the same whole microseconds: `1m30s`,
    `250ms`."""
    left = round(seconds * 1_000_000)
    parts = []
    for unit, size in (
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
        ("us", 1),
    ):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["250ms", "1m30s"]}),
]
"""Seconds, written with a unit."""
Rate = Annotated[
    float,
    BeforeValidator(parse_rate),
    PlainSerializer(lambda per_second: f"{per_second:g}/s", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["20/s"]}),
]
"""Events per second, written with a unit."""
Ratio = Annotated[
    float,
    BeforeValidator(parse_ratio),
    PlainSerializer(lambda share: f"{share * 100:g}%", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["0.5%"]}),
]
"""A share between 0 and 1, written as a percentage."""
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(lambda size: f"{size}B", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["64KiB"]}),
]
"""Bytes, written with a unit."""
