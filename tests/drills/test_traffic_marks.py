import pytest

from appliance.drills.traffic.marks import Mark, digest_of, read_mark


def test_a_mark_survives_the_way_through_a_record():
    mark = Mark("20261123T141500Z", "canary", 3, 117)
    value = mark.value(200)
    assert len(value) == 200
    assert read_mark(value) == mark
    assert mark.id == "canary/3/117"


def test_the_padding_yields_to_the_mark():
    assert Mark("run", "canary", 0, 0).value(1) == b"run|canary|0|0|"


@pytest.mark.parametrize("value", [None, b"", b"hello", b"a|b|c|d|e", b"a|b|1|2", b"\xff\xfe|b|1|2|"])
def test_what_no_canary_wrote_has_no_mark(value):
    assert read_mark(value) is None


def test_a_digest_tells_values_apart():
    assert digest_of(b"a") != digest_of(b"b")
    assert len(digest_of(b"a")) == 16
