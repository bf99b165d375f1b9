"""Which versions a client may use through the gateway: ApiVersions answers, limited only where the gateway must decode.

An API whose messages nobody here needs to read keeps the broker's range, future versions and unknown APIs included.
"""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

from kio.schema.api_versions.v0.response import ApiVersion, ApiVersionsResponse
from kio.schema.errors import ErrorCode
from kio.static.primitive import i16, i32Timedelta

from appliance.exchange.addresses import CARRIERS
from appliance.exchange.retired import RETIRED
from appliance.wire.apis import SASL, Api, known_versions
from appliance.wire.codec import element_type, encode, response_type
from appliance.wire.editing import int_at
from appliance.wire.errors import Malformed
from appliance.wire.walk import Buffer, walk_of

_WANTED = ("error_code", "api_keys.api_key", "api_keys.min_version", "api_keys.max_version")

_OFFSETS = {
    Api.LIST_OFFSETS,
    Api.OFFSET_COMMIT,
    Api.OFFSET_FETCH,
    Api.DELETE_RECORDS,
    Api.OFFSET_FOR_LEADER_EPOCH,
    Api.TXN_OFFSET_COMMIT,
    Api.DESCRIBE_SHARE_GROUP_OFFSETS,
    Api.ALTER_SHARE_GROUP_OFFSETS,
}
"""Read once a virtual cluster was switched. A client settles its versions when it connects, and must not have to go
back on them in the middle of a switch: so they are limited before."""
_GROUPS = {
    Api.SYNC_GROUP,
    Api.HEARTBEAT,
    Api.LEAVE_GROUP,
    Api.CONSUMER_GROUP_HEARTBEAT,
    Api.SHARE_GROUP_HEARTBEAT,
    Api.STREAMS_GROUP_HEARTBEAT,
}

DECODED: frozenset[int] = frozenset({*CARRIERS, *_OFFSETS, *_GROUPS, Api.API_VERSIONS, Api.INIT_PRODUCER_ID})
"""APIs with messages that the gateway reads, now or when a virtual cluster is switched."""


def newest_api_versions() -> int:
    """Return the highest version of ApiVersions that there is a layout for."""
    known = known_versions(Api.API_VERSIONS)
    assert known is not None
    return known[1]


def limited(api_version: int, body: Buffer, start: int, end: int) -> bytes:
    """Return the ApiVersions body with the ranges of decoded APIs cut to what there are layouts for. Raises Malformed.

    Produce is offered from 0 on, as brokers do: see `retired`.
    A broker answers a version that it does not know in version 0 (KIP-511): recognised by the error code.
    """
    if int_at(body, start, start + 2) == ErrorCode.unsupported_version.value:
        api_version = 0
    if not 0 <= api_version <= newest_api_versions():
        raise Malformed(f"expected the answer to ApiVersions version {api_version} to be UNSUPPORTED_VERSION")
    out = bytearray(body[start:end])
    api_key = low = 0
    for field, first, last in walk_of(Api.API_VERSIONS, api_version, "response", _WANTED).places(out, 0, len(out)):
        value = int_at(out, first, last)
        if field == 1:
            api_key = value
        elif field == 2:
            low = value
            if api_key == Api.PRODUCE and value <= RETIRED.stop:
                out[first:last] = RETIRED.start.to_bytes(2, "big")
        elif field == 3 and api_key in DECODED and (known := known_versions(api_key)) and known[1] < value:
            # Where the broker's lowest is above ours there is no common version: its lowest stays, and using it is
            # refused.
            out[first:last] = max(known[1], low).to_bytes(2, "big")
    return bytes(out)


def answer(api_version: int, offered: Any) -> tuple[int, bytes]:
    """Return the version and body of the answer to an ApiVersions request that does not go upstream.

    `offered` is what the cluster said of itself, an ApiVersionsResponse of kio's in any version; the ranges of SASL are
    the gateway's own.
    """
    if api_version > newest_api_versions():
        return 0, unsupported()
    ranges = {int(each.api_key): (int(each.min_version), int(each.max_version)) for each in offered.api_keys}
    for api_key in SASL:
        ranges[api_key] = known_versions(api_key) or (0, 0)
    kind: Any = response_type(Api.API_VERSIONS, api_version)
    range_kind = element_type(kind, "api_keys")
    fields: dict[str, Any] = {
        "error_code": ErrorCode.none,
        "api_keys": tuple(
            range_kind(api_key=i16(key), min_version=i16(low), max_version=i16(high))
            for key, (low, high) in sorted(ranges.items())
        ),
    }
    for feature in ("supported_features", "finalized_features"):
        if feature in kind.__dataclass_fields__:
            element = element_type(kind, feature)
            fields[feature] = tuple(
                element(**{field.name: getattr(each, field.name) for field in dataclasses.fields(element)})
                for each in getattr(offered, feature, ())
            )
    for name in ("finalized_features_epoch", "zk_migration_ready"):
        if name in kind.__dataclass_fields__ and hasattr(offered, name):
            fields[name] = getattr(offered, name)
    if "throttle_time" in kind.__dataclass_fields__:
        fields["throttle_time"] = i32Timedelta.parse(timedelta(0))
    body = encode(kind(**fields))
    return api_version, limited(api_version, body, 0, len(body))


def unsupported() -> bytes:
    """Return the body (version 0) that answers an ApiVersions request newer than the gateway knows (KIP-511)."""
    low, high = known_versions(Api.API_VERSIONS) or (0, 0)
    own = ApiVersion(api_key=i16(Api.API_VERSIONS), min_version=i16(low), max_version=i16(high))
    return encode(ApiVersionsResponse(error_code=ErrorCode.unsupported_version, api_keys=(own,)))
