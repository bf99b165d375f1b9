"""The order of bytes in a message: kio's message classes, reduced to what a walk over the bytes must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field as DataclassField
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import EllipsisType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from kio.index import load_request_schema, load_response_schema
from kio.static.protocol import Entity

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
    nullable: bool = False


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
    nullable: bool = False


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
    return struct_of(load(api_key, api_version))


@cache
def struct_of(entity: type[Entity]) -> Struct:
    """Return the layout of what this class of kio's stands for."""
    plain: list[Field] = []
    tagged: dict[int, Field] = {}
    for each in fields(entity):
        tag = each.metadata.get("tag")
        if tag is None:
            plain.append(_field(each, each.type))
        else:
            tagged[tag] = _field(each, each.type, in_tag=True)
    return Struct(tuple(plain), tagged, entity.__flexible__)


def paths_to(struct: Struct, name: str) -> tuple[str, ...]:
    """Return the dotted paths of all fields of this name, in the order in which they stand."""
    found: list[str] = []
    for field in (*struct.fields, *struct.tagged.values()):
        inner = field.element if isinstance(field, Array) else field
        if isinstance(inner, Nested):
            found += (f"{field.name}.{path}" for path in paths_to(inner.struct, name))
        elif field.name == name:
            found.append(name)
    return tuple(found)


def _field(source: DataclassField[Any], declared: Any, *, nullable: bool = False, in_tag: bool = False) -> Field:
    origin = get_origin(declared)
    if origin in (UnionType, Union):
        (inner,) = (each for each in get_args(declared) if each is not NoneType)
        return _field(source, inner, nullable=True, in_tag=in_tag)
    if origin is tuple:
        inner, dots = get_args(declared)
        assert isinstance(dots, EllipsisType)
        return Array(source.name, _field(source, inner), nullable)
    if is_dataclass(declared):
        assert isinstance(declared, type)
        # A tagged struct is null by being absent, not by a marker.
        return Nested(source.name, struct_of(declared), nullable and not in_tag)
    kind = source.metadata["kafka_type"]
    if kind in ("string", "bytes", "records"):
        return Sized(source.name, "string" if kind == "string" else "bytes", nullable)
    return Fixed(source.name, _SIZES[kind])
