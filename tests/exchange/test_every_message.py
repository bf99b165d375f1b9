"""Every message of Kafka, in every version, however its bytes come: the same goes on, and nobody is told real hosts."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from appliance.exchange.addresses import CARRIERS, carries_addresses
from appliance.exchange.interceptor import Interceptor
from appliance.policies.standard import standard_interceptors
from appliance.resources.virtual_cluster import VirtualClusterSpec
from appliance.wire.apis import KEYS, NAMES, Api, known_versions
from appliance.wire.errors import Malformed
from tests.exchange.shell import Scripted, Shell
from tests.fuzz.corpus import REAL_HOST, requests_of, responses_to

LARGEST = 20_000
"""A larger Fetch response streams, and then it does depend on the pieces whether its endpoints are replaced or gone."""
EVERYTHING = frozenset(KEYS.values())

per_api = pytest.mark.parametrize("api", sorted(KEYS))
carriers = pytest.mark.parametrize("api", [NAMES[key] for key in CARRIERS])


def versions_of(key: int) -> range:
    low, high = known_versions(key) or (0, -1)
    return range(low, high + 1)


def requests(key: int, version: int) -> list[bytes]:
    """Return requests of a kind with the correlation ids 1, 2, 3, ..."""
    frames = requests_of(key, version)
    return [frame[:8] + number.to_bytes(4, "big") + frame[12:] for number, frame in enumerate(frames, 1)]


def responses(key: int, version: int, count: int) -> list[bytes]:
    """Return as many responses, to the same ids."""
    contents = [each for each in responses_to(key, version) if len(each) < LARGEST]
    chosen = [contents[number % len(contents)] for number in range(count)]
    return [
        (4 + len(content)).to_bytes(4, "big") + number.to_bytes(4, "big") + content
        for number, content in enumerate(chosen, 1)
    ]


def exchanged(
    asked: bytes, answered: bytes, *interceptors: Interceptor, up: Iterable[int] = (), down: Iterable[int] = ()
) -> tuple[bytes, bytes]:
    """Return what broker and client receive when the bytes come cut like this."""
    shell = Shell(*interceptors)
    shell.exchange.knowledge.cluster_id = "cluster"
    shell.send(asked, up)
    # Some requests have no answer, as acks is 0; the broker says nothing to them.
    due = {entry.correlation_id for entry in shell.exchange.ledger._entries}
    shell.answer(b"".join(each for each in _frames(answered) if int.from_bytes(each[4:8], "big") in due), down)
    shell.exchange.end_of_requests()
    shell.exchange.end_of_responses()
    return shell.upstream, shell.client


def _frames(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        size = 4 + int.from_bytes(data[at : at + 4], "big")
        found.append(data[at : at + size])
        at += size
    return found


def conversation(key: int, version: int) -> tuple[bytes, bytes]:
    asked = requests(key, version)
    return b"".join(asked), b"".join(responses(key, version, len(asked)))


@per_api
def test_requests_and_what_names_no_broker_in_the_responses_pass_byte_for_byte(api: str):
    key = KEYS[api]
    for version in versions_of(key):
        asked, answered = conversation(key, version)
        upstream, client = exchanged(asked, answered)
        if (key, version) == (Api.SASL_HANDSHAKE, 0):
            continue  # refused here: see test_bare_sasl
        assert upstream == asked, version
        if not carries_addresses(key, version) and key not in (Api.API_VERSIONS, Api.PRODUCE):
            assert client == answered, version
        assert REAL_HOST not in client


@per_api
def test_any_cut_makes_no_difference(api: str):
    key, random = KEYS[api], Random(api)
    for version in versions_of(key):
        asked, answered = conversation(key, version)
        whole = exchanged(asked, answered)
        for _ in range(3):
            up, down = ([random.randrange(len(data)) for _ in range(8)] for data in (asked, answered))
            assert exchanged(asked, answered, up=up, down=down) == whole, version


@carriers
def test_one_byte_at_a_time_makes_no_difference(api: str):
    for version in versions_of(KEYS[api]):
        asked, answered = requests(KEYS[api], version)[:2], responses(KEYS[api], version, 2)
        first, second = b"".join(asked), b"".join(answered)
        bytewise = exchanged(first, second, up=range(len(first)), down=range(len(second)))
        assert bytewise == exchanged(first, second), version


@per_api
def test_who_only_looks_changes_nothing(api: str):
    key, random = KEYS[api], Random(api)
    for version in versions_of(key):
        asked, answered = conversation(key, version)
        expected = exchanged(asked, answered)
        cuts = [random.randrange(len(answered)) for _ in range(5)]
        assert exchanged(asked, answered, Scripted(EVERYTHING), Scripted(EVERYTHING), down=cuts) == expected, version


@per_api
def test_the_standard_interceptors_change_only_the_ids_of_producers(api: str):
    key = KEYS[api]
    for version in versions_of(key):
        asked, answered = conversation(key, version)
        standard = standard_interceptors(VirtualClusterSpec(cluster="primary"))
        (upstream, client), (expected, plain) = exchanged(asked, answered, *standard), exchanged(asked, answered)
        assert upstream == expected
        assert len(client) == len(plain)
        assert client == plain or key == Api.INIT_PRODUCER_ID, version


@carriers
def test_an_answer_torn_off_anywhere_is_malformed_and_never_half_rewritten(api: str):
    key, random = KEYS[api], Random(api)
    for version in versions_of(key):
        if not carries_addresses(key, version):
            continue
        (asked, *_), (answered, *_) = requests(key, version), responses(key, version, 1)
        for end in random.sample(range(9, len(answered)), min(20, len(answered) - 9)):
            shell = Shell()
            shell.send(asked)
            if not len(shell.exchange.ledger):
                break  # acks=0
            shell.answer(answered[:end])
            with pytest.raises(Malformed):
                shell.exchange.end_of_responses()
            assert shell.client == b""
