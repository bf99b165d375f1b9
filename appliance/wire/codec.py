"""Whole messages as kio's objects: for what the gateway itself asks and answers, never for what merely passes."""

from __future__ import annotations

import io
from functools import cache
from typing import Any, TypeVar

from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer
from kio.serial.errors import SerialError
from kio.static.protocol import Entity

from appliance.wire.errors import Malformed
from appliance.wire.walk import thorough_walk

Message = TypeVar("Message", bound=Entity)


@cache
def request_type(api_key: int, api_version: int) -> type[Any]:
    """Return kio's class for a request body. Raises kio.index.KioIndexError for an unknown kind."""
    return load_request_schema(api_key, api_version)


@cache
def response_type(api_key: int, api_version: int) -> type[Any]:
    """Return kio's class for a response body. Raises kio.index.KioIndexError for an unknown kind."""
    return load_response_schema(api_key, api_version)


def element_type(kind: Any, name: str) -> Any:
    """Return kio's class for the elements of an array field."""
    declared = kind.__dataclass_fields__[name].type
    arguments = getattr(declared, "__args__", ())
    for each in arguments:
        if hasattr(each, "__dataclass_fields__"):
            return each
        if getattr(each, "__args__", ()):
            return each.__args__[0]
    raise AssertionError(f"{kind} has no array {name}")


def encode(message: Any) -> bytes:
    """Return the bytes of a kio message."""
    out = io.BytesIO()
    entity_writer(type(message))(out, message)
    return out.getvalue()


def decode(kind: type[Message], body: bytes | memoryview) -> Message:
    """Read a kio message. Raises Malformed for anything else, tagged fields that kio does not know included.

    kio's reader is native code that allocates what an array's count says before it reads, and ends the process where
    that cannot be had; and it reads null also where there is none. So every message is walked first.
    """
    thorough_walk(kind).places(body, 0, len(body))
    try:
        message, _ = entity_reader(kind)(bytes(body), 0)
    except (SerialError, KeyError, ValueError, IndexError, TypeError) as error:
        raise Malformed(f"expected a {kind.__name__}, found bytes that are none: {error!r}") from error
    return message
