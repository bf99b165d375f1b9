"""What conversations are made of: messages of every API and version, and what strangers send to a Kafka port."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any
from uuid import UUID

from kio.schema.errors import ErrorCode

from appliance.exchange.addresses import CARRIERS
from appliance.wire.apis import KEYS, Api, known_versions, response_header_version
from appliance.wire.codec import request_type, response_type
from appliance.wire.headers import request_frame
from appliance.wire.layout import Direction
from tests.exchange.test_addresses import real, with_nodes
from tests.policies.positions.messages import OFFSETS, kinds, message, topics_in
from tests.wire.messages import UNKNOWN_TAGS, Written, generated

REAL_HOST = b".internal"
"""In the names of all brokers that answers carry, and in nothing else."""
ON_EVERY_CONNECTION = (*CARRIERS, Api.API_VERSIONS, Api.INIT_PRODUCER_ID)
"""APIs that are looked into: every other message is one of these."""
EVERY_API = tuple(sorted(KEYS.values()))
SASL = (Api.SASL_HANDSHAKE, KEYS["SaslAuthenticate"], Api.API_VERSIONS)
"""APIs that a client uses before it has proven who it is."""
SASL_TOKENS = (b"\0user\0secret", b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", b"n,,\x01auth=Bearer e30.e30.\x01\x01")
"""A first token of PLAIN, SCRAM and OAUTHBEARER."""
_LARGE = 70_000
"""Bytes of records that make a Fetch response stream."""


@cache
def requests_of(api_key: int, api_version: int) -> tuple[bytes, ...]:
    """Return request frames of a kind, correlation id 0: full, sparse, and one with fields from the future."""
    kind = request_type(api_key, api_version)
    messages = [generated(kind, Random(n), full=n == 0) for n in range(3)]
    if api_key == Api.SASL_HANDSHAKE:
        messages += [replace(messages[0], mechanism=each) for each in ("PLAIN", "SCRAM-SHA-256", "OAUTHBEARER")]
    elif hasattr(messages[0], "auth_bytes"):
        messages += [replace(messages[0], auth_bytes=token) for token in SASL_TOKENS]
    messages += _with_offsets("request", api_key, api_version)
    bodies = _bodies(kind, messages)
    return tuple(request_frame(api_key, api_version, 0, "fuzz", body) for body in bodies)


@cache
def responses_to(api_key: int, api_version: int) -> tuple[bytes, ...]:
    """Return what may follow the correlation id in an answer to such a request; nothing where there is no layout."""
    known = known_versions(api_key)
    if known is None or not known[0] <= api_version <= known[1]:
        return ()
    kind = response_type(api_key, api_version)
    messages = [_plausible(api_key, generated(kind, Random(n), full=n == 0)) for n in range(3)]
    if api_key == Api.FETCH and hasattr(messages[0], "node_endpoints"):
        messages.append(_with_records(messages[0], _LARGE))
    messages += [_plausible(api_key, each) for each in _with_offsets("response", api_key, api_version)]
    tags = b"\0" if response_header_version(api_key, api_version) == 1 else b""
    return tuple(tags + body for body in _bodies(kind, messages))


def _with_offsets(direction: Direction, api_key: int, api_version: int) -> list[Any]:
    """Return messages with offsets that partitions could have, and record batches, of kinds that have any."""
    if api_key not in OFFSETS[direction]:
        return []
    return [message(kind, 1) for kind in kinds(direction) if (kind.key, kind.version) == (api_key, api_version)]


@cache
def partitions() -> tuple[tuple[str, int], ...]:
    """Return topics and partitions of all that carries offsets here."""
    return tuple(sorted({(_name_of(topic), index) for topic, index in _places()}))


@cache
def topics() -> Mapping[bytes, str]:
    """Return the names of topics that messages here know by id."""
    return {topic.bytes: _name_of(topic) for topic, _ in sorted(_places(), key=str) if isinstance(topic, UUID)}


def _name_of(topic: str | UUID) -> str:
    return topic if isinstance(topic, str) else f"topic-{topic}"


@cache
def _places() -> frozenset[tuple[str | UUID, int]]:
    found: set[tuple[str | UUID, int]] = set()
    for direction in OFFSETS:
        for kind in kinds(direction):
            made = [generated(kind.type, Random(n), full=n == 0) for n in range(3)]
            for each in (*made, message(kind, 1)):
                found |= topics_in(each)
    return frozenset(found)


def _bodies(kind: Any, messages: list[Any]) -> list[bytes]:
    bodies = [Written(each).bytes for each in messages]
    if kind.__flexible__:
        bodies.append(Written(messages[0], UNKNOWN_TAGS).bytes)
    return bodies


def _plausible(api_key: int, message: Any) -> Any:
    """Return the message as a broker could have sent it, with hosts that can be recognised."""
    if api_key in CARRIERS:
        message = with_nodes(message, real)
    if hasattr(message, "endpoint_type"):
        message = replace(message, endpoint_type=1)
    if api_key == Api.API_VERSIONS:
        message = replace(message, error_code=ErrorCode.none)
    return message


def _with_records(message: Any, size: int) -> Any:
    topic = message.responses[0]
    partition = replace(topic.partitions[0], records=Random(size).randbytes(size))
    return replace(message, responses=(replace(topic, partitions=(partition,)),))


@cache
def strangers() -> tuple[bytes, ...]:
    """Return what is no Kafka request in the clear: TLS, HTTP, PROXY headers, raw SASL tokens (SaslHandshake v0)."""
    metadata = requests_of(Api.METADATA, 9)[0]
    return (
        _tls_hello("kafka.example"),
        _tls_hello(None),
        b"GET /metrics HTTP/1.1\r\nHost: kafka\r\n\r\n",
        b"POST /topics/orders HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
        *(header + metadata for header in proxy_headers()),
        *(struct.pack(">i", len(token)) + token for token in SASL_TOKENS),
        requests_of(Api.SASL_HANDSHAKE, 0)[0] + struct.pack(">i", len(SASL_TOKENS[0])) + SASL_TOKENS[0],
        requests_of(Api.SASL_HANDSHAKE, 1)[0] + requests_of(KEYS["SaslAuthenticate"], 2)[0],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\0" * 64,
        b"\xff" * 64,
    )


@cache
def proxy_headers() -> tuple[bytes, ...]:
    """Return headers of the PROXY protocol, versions 1 and 2."""
    second = b"\r\n\r\n\0\r\nQUIT\n"
    return (
        b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 9092\r\n",
        b"PROXY TCP6 2001:db8::1 2001:db8::2 40000 9092\r\n",
        b"PROXY UNKNOWN\r\n",
        second + b"\x21\x11\0\x0c" + bytes(8) + b"\x9c\x40\x23\x84",
        second + b"\x21\x21\0\x24" + bytes(32) + b"\x9c\x40\x23\x84",
        second + b"\x20\0\0\0",
    )


def _tls_hello(host: str | None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host)
    try:
        handshake.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a peer cannot end")
