"""Nobody alters, drops, moves or adds a line of a journal without being found out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from appliance.journal.chain import GENESIS, BrokenJournal, Journal, head_of, read_journal
from appliance.journal.events import EVENT, Event, Noted, PhaseStarted

KINDS = get_args(get_args(Event)[0])

times = st.floats(0, 1e6, allow_nan=False)
notes = st.lists(st.builds(Noted, at=times, text=st.text(max_size=20)), min_size=2, max_size=6)


def written(path: Path, events: list[Event]) -> list[str]:
    """Write a journal and return its lines."""
    journal = Journal(path)
    for event in events:
        journal.append(event)
    journal.close()
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def altered(events: list[Noted], change: Callable[[list[str]], list[str]]) -> tuple[list[str], str, str]:
    """Return what reading a changed journal says, line by line, and its head before and after."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        lines = written(path, list(events))
        before = head_of(path)
        path.write_text("".join(change(lines)), encoding="utf-8")
        said: list[str] = []
        try:
            for event in read_journal(path):
                said.append(event.kind)  # noqa: PERF401 - those before the broken line count
        except BrokenJournal as error:
            said.append(str(error))
        try:
            after = head_of(path)
        except (ValueError, KeyError, TypeError):
            after = "unreadable"
        return said, before, after


def assert_found_out(said: list[str], line: int) -> None:
    assert f"journal.jsonl:{line}: " in said[-1]
    assert len(said) == line


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model_fields["kind"].default)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_every_kind_of_event_comes_back_as_it_was(kind: type[Event], data: st.DataObject):
    # JSON knows no infinities.
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    fields = {
        name: numbers if field.annotation is float else st.from_type(field.annotation)  # type: ignore[arg-type]
        for name, field in kind.model_fields.items()
        if name != "kind"
    }
    event = kind(**data.draw(st.fixed_dictionaries(fields)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        written(path, [event, event])
        assert list(read_journal(path)) == [event, event]


def test_the_vocabulary_tells_events_apart_by_kind():
    names = [kind.model_fields["kind"].default for kind in KINDS]
    assert len(set(names)) == len(names)
    with pytest.raises(ValidationError, match="union_tag_invalid"):
        EVENT.validate_python({"kind": "no.such", "at": 0})
    with pytest.raises(ValidationError, match="extra_forbidden"):
        EVENT.validate_python({"kind": "noted", "at": 0, "text": "x", "more": 1})


@given(events=notes, data=st.data())
@settings(deadline=None, max_examples=20)
def test_a_dropped_line_is_found(events: list[Noted], data: st.DataObject):
    at = data.draw(st.integers(0, len(events) - 2))
    said, _, _ = altered(events, lambda lines: lines[:at] + lines[at + 1 :])
    assert_found_out(said, at + 1)


@given(events=notes)
@settings(deadline=None, max_examples=20)
def test_lines_dropped_at_the_end_are_found_by_who_knows_the_head(events: list[Noted]):
    said, before, after = altered(events, lambda lines: lines[:-1])
    assert said == ["noted"] * (len(events) - 1)
    assert before != after


@given(events=notes, data=st.data())
@settings(deadline=None, max_examples=20)
def test_a_moved_line_is_found(events: list[Noted], data: st.DataObject):
    first, second = sorted(data.draw(st.sets(st.integers(0, len(events) - 1), min_size=2, max_size=2)))

    def swapped(lines: list[str]) -> list[str]:
        lines[first], lines[second] = lines[second], lines[first]
        return lines

    assert_found_out(altered(events, swapped)[0], first + 1)


@given(events=notes, data=st.data())
@settings(deadline=None, max_examples=20)
def test_an_added_line_is_found(events: list[Noted], data: st.DataObject):
    copied, at = data.draw(st.integers(0, len(events) - 1)), data.draw(st.integers(0, len(events)))
    said, _, _ = altered(events, lambda lines: [*lines[:at], lines[copied], *lines[at:]])
    # A copy of a line in its own place is found one line later, where the line itself stands.
    assert_found_out(said, at + 1 + (copied == at))


@given(events=notes, data=st.data())
@settings(deadline=None, max_examples=20)
def test_any_altered_value_is_found(events: list[Noted], data: st.DataObject):
    at = data.draw(st.integers(0, len(events) - 1))
    field = data.draw(st.sampled_from(["text", "at", "seq", "prev", "hash"]))

    def change(lines: list[str]) -> list[str]:
        entry = json.loads(lines[at])
        holder = entry["event"] if field in ("text", "at") else entry
        old = holder[field]
        holder[field] = f"{old}x" if isinstance(old, str) else old * 2 + 1
        lines[at] = json.dumps(entry) + "\n"
        return lines

    assert_found_out(altered(events, change)[0], at + 1)


@given(events=notes, data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_flipped_character_is_found_or_means_the_same(events: list[Noted], data: st.DataObject):
    at = data.draw(st.integers(0, len(events) - 1))
    position, character = (
        data.draw(st.integers(0, 10_000)),
        data.draw(st.characters(min_codepoint=33, max_codepoint=126)),
    )
    same: list[bool] = []

    def change(lines: list[str]) -> list[str]:
        where = position % (len(lines[at]) - 1)
        line = lines[at][:where] + character + lines[at][where + 1 :]
        try:
            same.append(json.loads(line) == json.loads(lines[at]))
        except ValueError:
            same.append(False)
        lines[at] = line
        return lines

    said, _, _ = altered(events, change)
    if same == [True]:
        assert said == ["noted"] * len(events)
    else:
        assert_found_out(said, at + 1)


@pytest.mark.parametrize("line", ["\n", "{}\n", "[]\n", "1\n", "null\n", "not JSON\n", '{"seq": 0}\n'])
def test_what_is_no_event_line_is_named(tmp_path: Path, line: str):
    path = tmp_path / "journal.jsonl"
    path.write_text(line)
    with pytest.raises(BrokenJournal, match=r"journal\.jsonl:1: expected an event line"):
        list(read_journal(path))


def test_bytes_that_are_no_text_are_named(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(BrokenJournal, match=r"journal\.jsonl"):
        list(read_journal(path))


def test_a_line_that_is_bound_but_is_no_event_is_named(tmp_path: Path):
    from appliance.journal.chain import _link  # noqa: PLC0415 - a forger knows how lines are bound

    event = {"kind": "from.the.future", "at": 0}
    path = tmp_path / "journal.jsonl"
    path.write_text(json.dumps({"seq": 0, "prev": GENESIS, "event": event, "hash": _link(0, GENESIS, event)}) + "\n")
    with pytest.raises(BrokenJournal, match=r"journal\.jsonl:1: "):
        list(read_journal(path))


def test_the_head_is_the_hash_of_the_last_line(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    assert head_of(path) == journal.head == GENESIS
    heads = []
    for number in range(3):
        journal.append(PhaseStarted(at=number, phase="run"))
        assert head_of(path) == journal.head
        heads.append(journal.head)
    journal.close()
    assert len(set(heads)) == 3


def test_events_can_be_read_while_the_run_goes_on(tmp_path: Path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(Noted(at=0, text="begun"))
    assert [event.kind for event in read_journal(journal.path)] == ["noted"]
    journal.close()


def test_a_journal_is_never_overwritten(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    lines = written(path, [Noted(at=0, text="first run")])
    with pytest.raises(FileExistsError):
        Journal(path)
    assert path.read_text(encoding="utf-8").splitlines(keepends=True) == lines


def test_a_line_can_be_checked_with_nothing_but_sha256(tmp_path: Path):
    (line,) = written(tmp_path / "journal.jsonl", [Noted(at=1.5, text="é")])
    entry = json.loads(line)
    assert {name: entry[name] for name in ("seq", "prev", "event")} == {
        "seq": 0,
        "prev": "0" * 64,
        "event": {"at": 1.5, "kind": "noted", "text": "é"},
    }
    import hashlib  # noqa: PLC0415 - all that a third party needs

    canonical = '{"event":{"at":1.5,"kind":"noted","text":"\\u00e9"},"prev":"' + "0" * 64 + '","seq":0}'
    assert entry["hash"] == hashlib.sha256(canonical.encode()).hexdigest()
