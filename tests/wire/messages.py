"""Messages of every kind, made from kio's definitions, and their bytes written a second way: the tests' oracle.

`Written` knows where each field stands because it wrote it there, and can put unknown tagged fields into every tag
section, which kio can neither write nor read.
"""

from __future__ import annotations

import io
import struct
import uuid
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from kio.schema.errors import ErrorCode
from kio.schema.index import schema_name_map
from kio.serial._serialize import get_writer

from appliance.wire.apis import KEYS, NAMES
from appliance.wire.codec import request_type, response_type
from appliance.wire.layout import Direction

_RANGES = {"int8": 2**7, "int16": 2**15, "int32": 2**31, "int64": 2**63}
_CODES = list(ErrorCode)


class Kind(NamedTuple):
    """One of Kafka's kinds of messages."""

    api: str
    version: int
    direction: Direction

    @property
    def key(self) -> int:
        return KEYS[self.api]

    @property
    def type(self) -> type[Any]:
        return (request_type if self.direction == "request" else response_type)(self.key, self.version)


@cache
def kinds_of(api: str) -> tuple[Kind, ...]:
    """Return all versions of an API, requests and responses."""
    versions = sorted(schema_name_map[_snake(api)])
    return tuple(Kind(api, version, direction) for version in versions for direction in ("request", "response"))


APIS = sorted(KEYS)


def _snake(api: str) -> str:
    return next(name for name in schema_name_map if "".join(p.capitalize() for p in name.split("_")) == api)


def generated(kind: type[Any], random: Random, *, full: bool = False) -> Any:
    """Return a message with random values; `full`: nothing null, nothing empty, no tag left out."""
    return kind(**{each.name: _value(each, each.type, random, full=full) for each in fields(kind)})


def _value(source: Any, declared: Any, random: Random, *, full: bool) -> Any:
    tagged = "tag" in source.metadata
    if tagged and not full and source.default is not MISSING and random.random() < 0.5:
        return source.default
    optional, declared = _unwrapped(declared)
    nullable = optional and not (tagged and source.default is not None)
    if nullable and not full and random.random() < 0.3:
        return None
    if get_origin(declared) is tuple:
        element = get_args(declared)[0]
        count = 2 if full else random.choice((0, 1, 1, 2, 3))
        return tuple(_value_of(source, element, random, full=full) for _ in range(count))
    return _value_of(source, declared, random, full=full)


def _value_of(source: Any, declared: Any, random: Random, *, full: bool) -> Any:
    if is_dataclass(declared):
        assert isinstance(declared, type)
        return generated(declared, random, full=full)
    return _primitive(source.metadata["kafka_type"], random)


def _primitive(kafka_type: str, random: Random) -> Any:
    if kafka_type in _RANGES:
        limit = _RANGES[kafka_type]
        return random.choice((random.randint(-limit, limit - 1), random.randint(1, 100)))
    match kafka_type:
        case "string":
            return "".join(random.choice("abc-._ é鯨") for _ in range(random.choice((1, 3, 7, 60, 130))))
        case "bytes" | "records":
            return random.getrandbits(8 * 200).to_bytes(200, "big")[: random.choice((1, 5, 126, 127, 128, 200))]
        case "uuid":
            return uuid.UUID(int=random.getrandbits(128) | 1)
        case "bool":
            return random.random() < 0.5
        case "error_code":
            return random.choice(_CODES)
        case "uint16" | "uint32":
            return random.randint(1, 2**16 - 1)
        case "timedelta_i32":
            return timedelta(milliseconds=random.randint(1, 2**31 - 1))
        case "timedelta_i64":
            return timedelta(milliseconds=random.randint(1, 2**40))
        case "datetime_i64":
            return datetime.fromtimestamp(random.randint(1, 2**31), UTC)
        case "float64":
            return random.random()
    raise AssertionError(f"no values for {kafka_type}")


def _unwrapped(declared: Any) -> tuple[bool, Any]:
    if get_origin(declared) in (UnionType, Union):
        (inner,) = (each for each in get_args(declared) if each is not NoneType)
        return True, inner
    return False, declared


def leaf_paths(kind: type[Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of all fields that are no structs; an array of numbers or strings is one."""
    for each in fields(kind):
        _, declared = _unwrapped(each.type)
        if get_origin(declared) is tuple:
            declared = get_args(declared)[0]
        if is_dataclass(declared):
            assert isinstance(declared, type)
            yield from leaf_paths(declared, f"{prefix}{each.name}.")
        else:
            yield prefix + each.name


class Leaf(NamedTuple):
    path: str
    start: int
    end: int


def uvarint(value: int) -> bytes:
    """Return an unsigned varint, written here once more than in the product."""
    out = b""
    while value >= 128:
        out += bytes((value % 128 + 128,))
        value //= 128
    return out + bytes((value,))


class Written:
    """A message's bytes, and where its leaves stand in them."""

    def __init__(self, message: Any = None, unknown: tuple[tuple[int, bytes], ...] = ()) -> None:
        self._out = bytearray()
        self.leaves: list[Leaf] = []
        self.sections: list[int] = []
        """Where tag sections begin."""
        self._unknown = unknown
        if message is not None:
            self._struct(message, "")

    @property
    def bytes(self) -> bytes:
        return bytes(self._out)

    def _struct(self, message: Any, prefix: str) -> None:
        flexible = message.__flexible__
        tagged: dict[int, Any] = {}
        for each in fields(message):
            if "tag" in each.metadata:
                tagged[each.metadata["tag"]] = each
            else:
                self._field(each, getattr(message, each.name), prefix, flexible=flexible, tagged=False)
        if flexible:
            present = {tag: each for tag, each in tagged.items() if getattr(message, each.name) != _default(each)}
            self.sections.append(len(self._out))
            self._out += uvarint(len(present) + len(self._unknown))
            for tag, each in sorted(present.items()):
                inner = Written(unknown=self._unknown)
                inner._field(each, getattr(message, each.name), prefix, flexible=True, tagged=True)
                self._out += uvarint(tag) + uvarint(len(inner._out))
                behind = len(self._out)
                self.leaves += [Leaf(path, start + behind, end + behind) for path, start, end in inner.leaves]
                self.sections += [at + behind for at in inner.sections]
                self._out += inner._out
            for tag, content in self._unknown:
                self._out += uvarint(tag) + uvarint(len(content)) + content

    def _field(self, source: Any, value: Any, prefix: str, *, flexible: bool, tagged: bool) -> None:
        optional, declared = _unwrapped(source.type)
        path = prefix + source.name
        if get_origin(declared) is tuple:
            self._count(value, compact=flexible)
            for each in value or ():
                if is_dataclass(each):
                    self._struct(each, path + ".")
                else:
                    self._leaf(source, each, path, flexible=flexible, optional=False)
        elif is_dataclass(declared):
            if optional and not tagged:
                self._out += b"\xff" if value is None else b"\x01"
            if value is not None:
                self._struct(value, path + ".")
        else:
            self._leaf(source, value, path, flexible=flexible, optional=optional and not tagged)

    def _count(self, items: Any, *, compact: bool) -> None:
        if compact:
            self._out += uvarint(0 if items is None else len(items) + 1)
        else:
            self._out += struct.pack(">i", -1 if items is None else len(items))

    def _leaf(self, source: Any, value: Any, path: str, *, flexible: bool, optional: bool) -> None:
        out = io.BytesIO()
        get_writer(source.metadata["kafka_type"], flexible, optional)(out, value)
        start = len(self._out)
        self._out += out.getvalue()
        self.leaves.append(Leaf(path, start, len(self._out)))


def _default(source: Any) -> Any:
    if source.default is not MISSING:
        return source.default
    from kio.serial._implicit_defaults import get_tagged_field_default  # noqa: PLC0415 - rare

    return get_tagged_field_default(source)


UNKNOWN_TAGS = ((4711, b""), (70_000, b"from the future" * 20))
"""Tagged fields that no version of Kafka has."""

assert set(NAMES.values()) == set(APIS)
