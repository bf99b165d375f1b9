"""Kafka's error codes in a message: found wherever it has them, and named."""

from __future__ import annotations

from functools import cache
from operator import itemgetter

from kio.schema.errors import ErrorCode

from appliance.wire.apis import understood
from appliance.wire.errors import Malformed
from appliance.wire.layout import Array, Field, Fixed, Nested, Struct, layout_of
from appliance.wire.walk import Buffer, Walk, walk_of

_NAMES = {int(each.value): each.name.upper() for each in ErrorCode}


def name_of_error(code: int) -> str:
    """Return the name as in Kafka's protocol guide: 6 -> NOT_LEADER_OR_FOLLOWER; OTHER for one that is not known."""
    return _NAMES.get(code, "OTHER")


def errors_in(api_key: int, api_version: int, body: Buffer) -> list[int]:
    """Return the error codes other than 0 of a response, once for each place where one stands.

    None are found in what there is no layout for, or what cannot be read to its end.
    """
    if not understood(api_key, api_version):
        return []
    walk = _walk(api_key, api_version)
    if not walk.wanted:
        return []
    try:
        places = walk.places(body, 0, len(body))
    except Malformed:
        return []
    codes = (int.from_bytes(body[place.start : place.end], "big", signed=True) for place in places)
    return [code for code in codes if code]


@cache
def _walk(api_key: int, api_version: int) -> Walk:
    return walk_of(api_key, api_version, "response", tuple(_paths(layout_of(api_key, api_version, "response"), "")))


def _paths(struct: Struct, prefix: str) -> list[str]:
    found: list[str] = []
    for field in (*struct.fields, *map(itemgetter(1), sorted(struct.tagged.items()))):
        path = prefix + field.name
        inner = _struct_of(field)
        if inner is not None:
            found += _paths(inner, f"{path}.")
        elif isinstance(field, Fixed) and field.name == "error_code":
            found.append(path)
    return found


def _struct_of(field: Field) -> Struct | None:
    inner = field.element if isinstance(field, Array) else field
    return inner.struct if isinstance(inner, Nested) else None
