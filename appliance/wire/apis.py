"""Kafka's APIs: keys, names, the versions that we have layouts for, and which of them are flexible (KIP-482)."""

from __future__ import annotations

from enum import IntEnum
from functools import cache, lru_cache

from kio.index import load_request_schema
from kio.schema.index import api_key_map, schema_name_map


class Api(IntEnum):
    """The APIs that the gateway itself has a word about; all others are only keys."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    DESCRIBE_GROUPS = 15
    LIST_GROUPS = 16
    SASL_HANDSHAKE = 17
    API_VERSIONS = 18
    DELETE_RECORDS = 21
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28
    DESCRIBE_ACLS = 29
    DESCRIBE_CONFIGS = 32
    SASL_AUTHENTICATE = 36
    DESCRIBE_QUORUM = 55
    DESCRIBE_CLUSTER = 60
    DESCRIBE_TRANSACTIONS = 65
    LIST_TRANSACTIONS = 66
    CONSUMER_GROUP_HEARTBEAT = 68
    SHARE_GROUP_HEARTBEAT = 76
    SHARE_FETCH = 78
    SHARE_ACKNOWLEDGE = 79
    STREAMS_GROUP_HEARTBEAT = 88
    DESCRIBE_SHARE_GROUP_OFFSETS = 90
    ALTER_SHARE_GROUP_OFFSETS = 91


SASL = frozenset({Api.SASL_HANDSHAKE, Api.SASL_AUTHENTICATE})
"""Those by which a client tells who it is."""

GROUP_HEARTBEATS = frozenset({Api.CONSUMER_GROUP_HEARTBEAT, Api.SHARE_GROUP_HEARTBEAT, Api.STREAMS_GROUP_HEARTBEAT})
"""Those by which members of the newer group protocols join, live and leave (KIP-848, KIP-932, KIP-1071)."""

NAMES: dict[int, str] = {
    key: "".join(part.capitalize() for part in name.split("_")) for key, name in api_key_map.items()
}
"""API key -> name as in Kafka's protocol guide: 0 -> Produce, 18 -> ApiVersions."""

KEYS: dict[str, int] = {name: key for key, name in NAMES.items()}


KINDS = 4096
"""More kinds of message than Kafka has; kinds are numbers from the wire, so what is remembered of them has a limit."""


def name_of(api_key: int) -> str:
    """Return the API's name, or `api 4711` for a key from the future."""
    return NAMES.get(api_key, f"api {api_key}")


def kind_in_words(api_key: int, api_version: int) -> str:
    """Return what a kind of message is called: `Fetch version 18`."""
    return f"{name_of(api_key)} version {api_version}"


@cache
def known_versions(api_key: int) -> tuple[int, int] | None:
    """Return the lowest and highest version that there are layouts for, None for an unknown API."""
    name = api_key_map.get(api_key)
    if name is None:
        return None
    versions = schema_name_map[name].keys()
    return min(versions), max(versions)


@lru_cache(maxsize=KINDS)
def understood(api_key: int, api_version: int) -> bool:
    """Return whether there is a layout for messages of this kind."""
    known = known_versions(api_key)
    return known is not None and known[0] <= api_version <= known[1]


@lru_cache(maxsize=KINDS)
def request_header_version(api_key: int, api_version: int) -> int:
    """Return the version of the request header (KIP-482): 2 where the API version is flexible, otherwise 1.

    An API from the future is taken for flexible: all new ones are.
    """
    known = known_versions(api_key)
    if known is None or api_version > known[1]:
        return 2
    if api_version < known[0]:
        return 1
    return int(load_request_schema(api_key, api_version).__header_schema__.__version__)


@lru_cache(maxsize=KINDS)
def response_header_version(api_key: int, api_version: int) -> int:
    """Return the version of the response header: 1 where flexible, but always 0 for ApiVersions (KIP-511)."""
    if api_key == Api.API_VERSIONS:
        return 0
    return 1 if request_header_version(api_key, api_version) == 2 else 0
