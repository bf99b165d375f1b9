"""The software of a client, as it says itself in ApiVersions 3 and newer (KIP-511)."""

from __future__ import annotations

import re
from typing import NamedTuple

from appliance.resources.consumer_switching import LEGAL_SOFTWARE
from appliance.wire.apis import Api, understood
from appliance.wire.editing import string_at
from appliance.wire.errors import Malformed
from appliance.wire.walk import Buffer, walk_of

_FIRST_VERSION = 3
_FIELDS = ("client_software_name", "client_software_version")
_LEGAL = re.compile(LEGAL_SOFTWARE)


class Software(NamedTuple):
    """`apache-kafka-java` 4.3.1, `librdkafka` 2.16.0; empty where a client did not say."""

    name: str
    version: str


UNTOLD = Software("", "")


def software_in(api_version: int, body: Buffer) -> Software:
    """Return what an ApiVersions request says; UNTOLD where it says nothing, or nothing legal (the broker will object
    to that)."""
    if api_version < _FIRST_VERSION or not understood(Api.API_VERSIONS, api_version):
        return UNTOLD
    try:
        places = walk_of(Api.API_VERSIONS, api_version, "request", _FIELDS).places(body, 0, len(body))
    except Malformed:
        return UNTOLD
    name, version = (string_at(body, start, end, compact=True) for _, start, end in places)
    return Software(name, version) if _LEGAL.fullmatch(name) and _LEGAL.fullmatch(version) else UNTOLD
