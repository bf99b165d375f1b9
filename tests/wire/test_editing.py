"""Single fields change; all the rest of a message stays byte for byte."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.wire.editing import Edit, encoded_string, int_at, spliced, string_at, varint
from appliance.wire.errors import Malformed
from appliance.wire.walk import compact_length, legacy_length, long_varint, walk_of
from tests.wire.messages import UNKNOWN_TAGS, Kind, Written, generated

uint35 = st.integers(0, 2**35 - 1)


@given(value=uint35, behind=st.binary(max_size=3))
@example(value=0, behind=b"")
@example(value=127, behind=b"\x01")
@example(value=128, behind=b"\xff")
@example(value=2**35 - 1, behind=b"\xff")
def test_a_varint_is_read_as_it_was_written(value: int, behind: bytes):
    encoded = varint(value)
    assert long_varint(b"." + encoded + behind, 1, 1 + len(encoded)) == (value, 1 + len(encoded))
    assert [long_varint(encoded, 0, end) for end in range(len(encoded))] == [(0, 0)] * len(encoded)


def test_a_varint_longer_than_five_bytes_is_malformed():
    with pytest.raises(Malformed, match="at most five bytes"):
        long_varint(b"\x80" * 5, 0, 5)


@given(text=st.text(max_size=300), compact=st.booleans())
def test_a_string_is_read_as_it_was_written(text: str, compact: bool):
    encoded = encoded_string(text, compact=compact)
    assert string_at(b"." + encoded, 1, 1 + len(encoded), compact=compact) == text
    length, at = compact_length(encoded, 0, len(encoded)) if compact else legacy_length(encoded, 0, len(encoded), 2)
    assert at + length == len(encoded)


@pytest.mark.parametrize(("null", "compact"), [(b"\0", True), (b"\xff\xff", False)])
def test_a_null_string_is_empty(null: bytes, compact: bool):
    assert string_at(null, 0, len(null), compact=compact) == ""


def test_a_string_that_is_no_utf_8_is_read_as_far_as_it_can_be():
    assert string_at(b"\0\x02a\xff", 0, 4, compact=False) == "a\N{REPLACEMENT CHARACTER}"


@given(value=st.integers(-(2**63), 2**63 - 1))
def test_an_integer_is_signed(value: int):
    assert int_at(b"." + value.to_bytes(8, "big", signed=True), 1, 9) == value


@given(parts=st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=5), st.binary(max_size=9))), last=st.binary())
def test_only_what_is_edited_changes(parts: list[tuple[bytes, bytes, bytes]], last: bytes):
    buffer, edits, expected = bytearray(b"before"), [], b""
    for kept, old, new in parts:
        buffer += kept
        edits.append(Edit(len(buffer), len(buffer) + len(old), new))
        buffer += old
        expected += kept + new
    end = len(buffer) + len(last)
    assert spliced(buffer + last + b"behind", 6, end, edits) == expected + last


@pytest.mark.parametrize(
    "kind",
    [Kind("Metadata", 13, "response"), Kind("Metadata", 1, "response"), Kind("Fetch", 17, "response")],
    ids=str,
)
def test_unknown_tagged_fields_survive_an_edit(kind: Kind):
    written = Written(generated(kind.type, Random(1), full=True), UNKNOWN_TAGS if kind.type.__flexible__ else ())
    path = "node_endpoints.node_id" if kind.api == "Fetch" else "brokers.node_id"
    places = walk_of(kind.key, kind.version, kind.direction, (path,)).places(written.bytes, 0, len(written.bytes))
    edited = spliced(
        written.bytes, 0, len(written.bytes), [Edit(start, end, b"\0\0\0\x07") for _, start, end in places]
    )
    expected = bytearray(written.bytes)
    for leaf in written.leaves:
        if leaf.path == path:
            expected[leaf.start : leaf.end] = b"\0\0\0\x07"
    assert edited == expected
    assert edited != written.bytes
