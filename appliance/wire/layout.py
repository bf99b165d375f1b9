"""The order of bytes in a message: kio's message classes, reduced to what a walk over the bytes must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field as DataclassField
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import EllipsisType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from kio.index import load_request_schema, load_response_schema

Direction = Literal["request", "response"]

_SIZES = {
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "uint16": 2,
    "error_code": 2,
    "int32": 4,
    "timedelta_i32": 4,
    "uint32": 4,
    "int64": 8,
    "timedelta_i64": 8,
    "datetime_i64": 8,
    "float64": 8,
    "uuid": 16,
}


@dataclass(frozen=True)
class Fixed:
    """A field of always the same size, in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class Sized:
    """A field that carries its length: a string (int16) or bytes (int32); a varint of length + 1 where compact."""

    name: str
    kind: Literal["string", "bytes"]


@dataclass(frozen=True)
class Nested:
    """A struct in a struct; a nullable one is led by one byte, -1 for null (KIP-893)."""

    name: str
    struct: Struct
    nullable: bool


@dataclass(frozen=True)
class Array:
    """An array, led by its count: int32, or a varint of count + 1 where compact."""

    name: str
    element: Field


Field = Fixed | Sized | Nested | Array


@dataclass(frozen=True)
class Struct:
    """Fields in order; a flexible struct ends with tagged fields (KIP-482), those we know by their number."""

    fields: tuple[Field, ...]
    tagged: Mapping[int, Field]
    flexible: bool


@cache
def layout_of(api_key: int, api_version: int, direction: Direction) -> Struct:
    """Return the layout of a body (without header). Raises kio.index.KioIndexError for an unknown kind of message."""
    load = load_request_schema if direction == "request" else load_response_schema
    return _struct(load(api_key, api_version))


@cache
def _struct(entity: type[Any]) -> Struct:
    plain: list[Field] = []
    tagged: dict[int, Field] = {}
    for each in fields(entity):
        tag = each.metadata.get("tag")
        if tag is None:
            plain.append(_field(each, each.type, nullable=False))
        else:
            tagged[tag] = _field(each, each.type, nullable=False, in_tag=True)
    return Struct(tuple(plain), tagged, entity.__flexible__)


def _field(source: DataclassField[Any], declared: Any, *, nullable: bool, in_tag: bool = False) -> Field:
    origin = get_origin(declared)
    if origin in (UnionType, Union):
        (inner,) = (each for each in get_args(declared) if each is not NoneType)
        # A tagged field is null by being absent, not by a marker.
        return _field(source, inner, nullable=not in_tag, in_tag=in_tag)
    if origin is tuple:
        inner, dots = get_args(declared)
        assert isinstance(dots, EllipsisType)
        return Array(source.name, _field(source, inner, nullable=False))
    if is_dataclass(declared):
        assert isinstance(declared, type)
        return Nested(source.name, _struct(declared), nullable)
    kind = source.metadata["kafka_type"]
    if kind in ("string", "bytes", "records"):
        return Sized(source.name, "string" if kind == "string" else "bytes")
    return Fixed(source.name, _SIZES[kind])
