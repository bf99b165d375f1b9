"""What a row says of a client is what the logs and its own words say: each kind of damage is seen, and none where none
is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.matrix.standing import Mode
from tests.matrix.tasks import Event
from tests.matrix.truth import Written
from tests.switching.acts import Account, Act
from tests.switching.reckoning import rows
from tests.switching.rows import Row

COUNT = 250
SWITCHED = 110.0
"""Records are written at 100.1, 100.2, ... and read a moment later."""


def written(*numbers: int, first: int = 0) -> list[Written]:
    return [Written(f"p-{number}", 0, first + place) for place, number in enumerate(numbers)]


def told(kind: str, *numbers: int, late: float = 0.0) -> list[Event]:
    return [
        Event.model_validate(
            {"event": kind, "value": f"p-{each}", "partition": 0, "offset": each, "at": at(each) + late}
        )
        for each in numbers
    ]


def at(number: int) -> float:
    return 100 + number / 10


PRODUCER = Account("c", "1", "p", Mode.PRODUCER, "t", told("acked", *range(COUNT)))
READER = Account("c", "1", "g", Mode.CLASSIC, "t", told("delivered", *range(COUNT), late=0.05))
ACT = Act(
    name="planned",
    begins=100.0,
    ending=SWITCHED,
    touched=SWITCHED,
    switched=SWITCHED,
    ends=at(COUNT),
    settled=at(COUNT) + 1,
    serving={"t": written(*range(COUNT))},
    left={"t": written(*range(100), first=300)},
    committed={"g": {0: 390}},
)


def only(*accounts: Account, act: Act = ACT) -> Row:
    """Return the last account's row."""
    return rows(accounts, [act], "on")[-1]


def read(*events: Event) -> Account:
    return replace(READER, events=sorted(events, key=lambda each: each.at))


def test_a_switch_that_nobody_notices_breaks_nothing():
    for row in rows([PRODUCER, READER], [ACT], "on"):
        assert row.broken == []
        assert (row.first_success, row.stable) == (0.0, 0.0)
        assert (row.lost, row.duplicated, row.skipped, row.redelivered, row.out_of_order, row.errors) == (0,) * 6


def test_an_acknowledged_record_that_the_log_lacks_is_lost():
    row = only(PRODUCER, act=replace(ACT, serving={"t": written(*range(50), *range(51, COUNT))}))
    assert (row.lost, row.broken) == (1, ["1 lost"])


def test_what_is_only_on_the_lost_cluster_was_not_replicated_and_all_else_that_is_lost_breaks_the_bar():
    serving = {"t": written(*range(90), *range(100, COUNT))}
    row = only(PRODUCER, act=replace(ACT, name="unplanned", serving=serving))
    assert (row.lost, row.unreplicated, row.broken) == (10, 10, [])
    elsewhere = {"t": written(*range(90), *range(101, COUNT))}
    row = only(PRODUCER, act=replace(ACT, name="unplanned", serving=elsewhere))
    assert row.broken == ["11 lost, of which replication had not carried 10"]


def test_records_that_are_there_twice_or_out_of_order():
    row = only(PRODUCER, act=replace(ACT, serving={"t": written(*range(COUNT), 7)}))
    assert row.broken == ["1 duplicated"]
    disorder = replace(ACT, serving={"t": written(1, 0, *range(2, COUNT))})
    assert only(PRODUCER, act=disorder).broken == ["1 out of order"]
    as_it_is = read(*told("delivered", 0, late=0.2), *told("delivered", *range(1, COUNT), late=0.05))
    assert only(PRODUCER, as_it_is, act=disorder).broken == [], "the log's disorder is not its reader's"


def test_a_reader_that_passes_a_record_over_has_skipped_it():
    reader = read(*[each for each in READER.events if each.value != "p-120"])
    assert only(PRODUCER, reader).broken == ["1 skipped"]


def test_a_record_that_came_behind_a_later_one_came_out_of_order():
    late = told("delivered", 120, late=3.05)
    reader = read(*[each for each in READER.events if each.value != "p-120"], *late)
    assert only(PRODUCER, reader).broken == ["1 out of order"]


def test_only_what_was_not_committed_may_come_again():
    again = told("delivered", 89, 90, 91, late=3.0)
    row = only(PRODUCER, read(*READER.events, *again))
    assert (row.redelivered, row.redelivered_committed) == (3, 1)
    assert row.broken == ["1 redelivered though committed"]


def test_what_was_written_after_the_switch_may_come_once():
    row = only(PRODUCER, read(*READER.events, *told("delivered", 150, late=1.0)))
    assert row.redelivered_committed == 1


def test_a_reader_without_a_group_gets_nothing_again():
    account = replace(read(*READER.events, *told("delivered", 91, late=3.0)), mode=Mode.ASSIGNED)
    assert only(PRODUCER, account).broken == ["1 redelivered though committed"]


def test_a_silence_is_counted_from_the_switch_and_one_without_end_is_said():
    silent = replace(PRODUCER, events=[each for each in PRODUCER.events if not SWITCHED < each.at < SWITCHED + 6.95])
    row = only(silent)
    assert row.stable is not None
    assert abs(row.stable - 7) < 0.1
    assert row.broken == ["stable after 7.0 s"]
    dead = replace(PRODUCER, events=told("acked", *range(100)))
    assert only(dead).broken == ["not stable within 15 s"], "it hangs"
    ended = replace(ACT, ended={"p": "its process ended with status 1: fatal"})
    assert only(dead, act=ended).broken == ["its process ended with status 1: fatal", "not stable within 15 s"]


def test_a_partition_that_stands_still_is_seen_among_others_that_do_not_but_where_transactions_are_counted():
    def of(partition: int, numbers: range) -> list[Event]:
        return [each.model_copy(update={"partition": partition}) for each in told("acked", *numbers)]

    events = sorted([*of(0, range(0, COUNT, 2)), *of(1, range(1, 100, 2))], key=lambda each: each.at)
    one_stands_still = replace(PRODUCER, events=events)
    assert only(one_stands_still).stable is None
    assert only(replace(one_stands_still, mode=Mode.TRANSACTIONAL)).stable is not None


def test_errors_are_counted_and_told():
    failed = [Event(event="failed", value="p-150", at=at(150), text="NOT_LEADER")]
    row = only(replace(PRODUCER, events=[each for each in PRODUCER.events if each.value != "p-150"] + failed))
    assert (row.errors, row.said, row.lost) == (1, "NOT_LEADER (1)", 0)


def test_only_transactional_producers_count_from_when_no_transaction_began_any_more():
    early = replace(ACT, ending=at(90))
    late = [each for each in PRODUCER.events if not at(90) < each.at < at(130)]
    moved = replace(PRODUCER, events=late)
    assert only(moved, act=early).stable == pytest.approx(at(130) - SWITCHED)
    assert only(replace(moved, mode=Mode.TRANSACTIONAL), act=early).stable == pytest.approx(at(130) - at(90))


def test_damage_is_counted_with_the_switchover_that_did_it():
    first = replace(ACT, ends=at(150), settled=at(150), serving={"t": written(*range(150), 7)})
    second = replace(ACT, name="failback", begins=at(150), ending=at(170), touched=at(170), switched=at(170))
    second = replace(second, serving={"t": written(*range(COUNT), 7)}, left={"t": written(*range(170))})
    assert [row.duplicated for row in rows([PRODUCER], [first, second], "on")] == [1, 0]
