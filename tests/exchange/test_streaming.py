"""A Fetch response that is too large to be held: walked as it passes, its node endpoints blanked in place."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.exchange.streaming import PassingFetch
from appliance.exchange.topology import Knowledge
from appliance.wire.apis import Api
from appliance.wire.codec import encode, response_type
from appliance.wire.errors import Malformed
from appliance.wire.headers import request_frame, response_frame
from appliance.wire.walk import walk_of
from tests.exchange.shell import Scripted, Shell, advertise
from tests.exchange.test_addresses import rewritten, with_nodes
from tests.wire.messages import UNKNOWN_TAGS, Written, generated, leaf_paths

VERSIONS = (16, 17, 18)
HELD = 64 * 1024


def fetched(version: int, record_sizes: list[int], endpoints: int = 2, seed: int = 1) -> Any:
    """Return a Fetch response with a partition of each size, and so many endpoints."""
    message = generated(response_type(Api.FETCH, version), Random(seed), full=True)
    topic = message.responses[0]
    template = topic.partitions[0]
    partitions = tuple(replace(template, records=Random(size).randbytes(size)) for size in record_sizes)
    node = message.node_endpoints[0]
    nodes = tuple(
        replace(node, node_id=number, host=f"real-{number}.internal", port=9092, rack="rack-a")
        for number in range(endpoints)
    )
    return replace(message, responses=(replace(topic, partitions=partitions),), node_endpoints=nodes)


def blanked(version: int, body: bytes) -> bytes:
    """Return the body with the endpoints' tag made unknown and its bytes wiped out."""
    out = bytearray(body)
    for _, start, end in walk_of(Api.FETCH, version, "response", ("node_endpoints",)).places(body, 0, len(body)):
        size = body[end - 1] if end - start == 2 else body[end - 2] & 0x7F | body[end - 1] << 7
        out[start] = 0x7F
        out[end : end + size] = bytes(size)
    return bytes(out)


def passed(version: int, body: bytes, cuts: list[int], whole: int | None = None) -> bytes:
    """Let the body through in pieces, as the shell does: what was not used up is given again with more."""
    passing, out, held, at = PassingFetch(version, whole or len(body)), b"", bytearray(), 0
    for cut in [*sorted(min(each, len(body)) for each in cuts), len(body)]:
        held += body[at:cut]
        at = cut
        buffer = bytearray(b"\xee\xee" + held)
        used = passing.pass_on(buffer, 2, len(buffer))
        out += buffer[2:used]
        del held[: used - 2]
    assert passing.done is (len(out) == (whole or len(body)))
    return out


@settings(deadline=None, max_examples=60)
@given(
    version=st.sampled_from(VERSIONS),
    record_sizes=st.lists(st.integers(0, 3000), max_size=4),
    endpoints=st.integers(0, 4),
    unknown=st.booleans(),
    cuts=st.lists(st.integers(0, 8000), max_size=12),
)
def test_only_the_endpoints_change_in_any_chunking(
    version: int, record_sizes: list[int], endpoints: int, unknown: bool, cuts: list[int]
):
    body = Written(fetched(version, record_sizes, endpoints), UNKNOWN_TAGS if unknown else ()).bytes
    out = passed(version, body, cuts)
    assert out == blanked(version, body)
    assert b"internal" not in out
    assert b"rack-a" not in out
    assert (out == body) is (endpoints == 0)


@pytest.mark.parametrize("version", VERSIONS)
def test_one_byte_at_a_time_is_the_same(version: int):
    body = encode(fetched(version, [0, 1, 130, 700]))
    assert passed(version, body, list(range(len(body)))) == blanked(version, body)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_client_finds_all_but_the_endpoints_where_it_was(version: int):
    body = encode(fetched(version, [100, 2000]))
    out = passed(version, body, [500, 1500])
    wanted = tuple(dict.fromkeys(leaf_paths(response_type(Api.FETCH, version))))
    walk = walk_of(Api.FETCH, version, "response", wanted)
    before = [p for p in walk.places(body, 0, len(body)) if not wanted[p.field].startswith("node_endpoints.")]
    assert walk.places(out, 0, len(out)) == before


def test_records_leave_before_the_rest_has_come():
    body = encode(fetched(17, [50_000]))
    assert len(passed(17, body[:40_000], [], whole=len(body))) > 39_000


def test_a_response_that_ends_too_early_is_malformed():
    body = encode(fetched(17, [100]))
    for size in range(1, len(body) - 250):
        passing = PassingFetch(17, size)
        try:
            used = passing.pass_on(bytearray(body), 0, size)
        except Malformed:
            continue
        assert used == size


def test_whatever_the_bytes_the_only_error_is_malformed():
    random = Random(1)
    body = encode(fetched(17, [10, 300]))
    for _ in range(300):
        broken = bytearray(body)
        for _ in range(3):
            broken[random.randrange(len(broken))] = random.choice((0, 0x7F, 0x80, 0xFF, random.randrange(256)))
        try:
            out = passed(17, bytes(broken), [random.randrange(len(body)) for _ in range(3)])
        except Malformed:
            continue
        assert len(out) <= len(body)


# -- as part of the exchange


def fetch_request(version: int, correlation_id: int = 1) -> bytes:
    return request_frame(Api.FETCH, version, correlation_id, "app", b"what it asks is not looked into")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "cuts", [[10, 100], [100, 1000, 40_000, 70_000], list(range(0, 100_000, 997)), [3, 9, 13, 80_150]]
)
def test_a_large_response_streams_and_a_client_never_sees_a_real_address(version: int, cuts: list[int]):
    shell = Shell()
    shell.send(fetch_request(version) + fetch_request(version, 2))
    body = encode(fetched(version, [30_000, 50_000]))
    small = fetched(version, [10])
    stream = response_frame(Api.FETCH, version, 1, body) + response_frame(Api.FETCH, version, 2, encode(small))
    # What comes in one piece is held in one piece, so the cuts must leave some of the first response behind.
    shell.answer(stream, cuts)
    expected = with_nodes(
        small, lambda node, node_id: replace(node, host=advertise(node_id)[0], port=advertise(node_id)[1])
    )
    first = response_frame(Api.FETCH, version, 1, blanked(version, body))
    assert shell.client == first + response_frame(Api.FETCH, version, 2, encode(expected))
    assert b"internal" not in shell.client
    assert len(shell.exchange.ledger) == 0
    shell.exchange.end_of_responses()


def test_a_large_response_is_not_held_back():
    shell = Shell()
    shell.send(fetch_request(17))
    frame = response_frame(Api.FETCH, 17, 1, encode(fetched(17, [200_000])))
    shell.answer(frame[:100_000])
    assert len(shell.client) > 99_000
    with pytest.raises(Malformed, match="in the middle of a response"):
        shell.exchange.end_of_responses()


def test_a_response_of_moderate_size_keeps_its_endpoints_however_it_comes():
    shell = Shell()
    shell.send(fetch_request(17))
    message = fetched(17, [HELD // 2])
    body = encode(message)
    shell.answer(response_frame(Api.FETCH, 17, 1, body), [100, 5000, 20_000])
    assert shell.client == response_frame(Api.FETCH, 17, 1, rewritten(Api.FETCH, 17, body, Knowledge("primary"))[0])
    assert shell.doors


def test_a_response_that_an_interceptor_wants_is_held_whatever_its_size():
    spy = Scripted(frozenset({int(Api.FETCH)}))
    shell = Shell(spy)
    shell.send(fetch_request(17))
    body = encode(fetched(17, [100_000]))
    shell.answer(response_frame(Api.FETCH, 17, 1, body), [50_000])
    assert spy.answered == [body]
    assert b"internal" not in shell.client


def test_a_version_without_endpoints_passes_without_a_look():
    shell = Shell()
    shell.send(fetch_request(12))
    frame = response_frame(Api.FETCH, 12, 1, b"no Fetch response at all, but that is the client's affair")
    shell.answer(frame[:30])
    assert shell.client == frame[:30]


def test_answers_of_the_gateway_wait_for_a_response_that_streams():
    shell = Shell()
    shell.send(fetch_request(17) + request_frame(Api.API_VERSIONS, 99, 2, "future", b""))
    body = encode(fetched(17, [100_000]))
    frame = response_frame(Api.FETCH, 17, 1, body)
    shell.answer(frame[:70_000])
    assert shell.client == frame[: len(shell.client)]
    shell.answer(frame[70_000:])
    first = response_frame(Api.FETCH, 17, 1, blanked(17, body))
    assert shell.client.startswith(first)
    assert shell.client[len(first) + 4 : len(first) + 8] == b"\0\0\0\x02"
