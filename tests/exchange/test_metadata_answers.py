"""Whoever asks what others have just asked gets their answer; nobody gets an old one, or another cluster's."""

from __future__ import annotations

from appliance.exchange.metadata_answers import FRESH_SECONDS, MetadataAnswers
from appliance.exchange.route import Route, Target

ROUTE = Route("orders", Target("primary", (("10.0.0.1", 9092),)))
ALL, SOME = b"all topics", b"some topics"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def answers() -> tuple[MetadataAnswers, Clock]:
    clock = Clock()
    return MetadataAnswers(clock), clock


def test_the_first_asks_and_the_others_wait_for_its_answer():
    shared, _ = answers()
    assert shared.look_up(ROUTE, 12, ALL) == "ask"
    assert shared.look_up(ROUTE, 12, ALL) == "wait"
    shared.answered(ROUTE, 12, ALL, b"brokers")
    assert shared.look_up(ROUTE, 12, ALL) == b"brokers"


def test_another_question_or_version_is_asked_for_itself():
    shared, _ = answers()
    shared.look_up(ROUTE, 12, ALL)
    shared.answered(ROUTE, 12, ALL, b"brokers")
    assert shared.look_up(ROUTE, 12, SOME) == "ask"
    assert shared.look_up(ROUTE, 9, ALL) == "ask"


def test_an_answer_grows_old():
    shared, clock = answers()
    shared.look_up(ROUTE, 12, ALL)
    shared.answered(ROUTE, 12, ALL, b"brokers")
    clock.now += FRESH_SECONDS
    assert shared.look_up(ROUTE, 12, ALL) == "ask"


def test_a_new_snapshot_forgets_everything():
    shared, _ = answers()
    shared.look_up(ROUTE, 12, ALL)
    switched = Route("orders", Target("standby", (("10.0.0.2", 9092),)))
    assert shared.look_up(switched, 12, ALL) == "ask"
    shared.answered(ROUTE, 12, ALL, b"brokers of the old cluster")
    assert shared.look_up(switched, 12, ALL) == "wait"


def test_somebody_else_asks_when_whoever_asked_is_gone():
    shared, clock = answers()
    shared.look_up(ROUTE, 12, ALL)
    clock.now += 5
    assert shared.look_up(ROUTE, 12, ALL) == "ask"


def test_what_is_kept_is_bounded():
    shared, _ = answers()
    for number in range(100):
        question = number.to_bytes(4, "big")
        shared.look_up(ROUTE, 12, question)
        shared.answered(ROUTE, 12, question, bytes(1_000_000))
    assert shared.look_up(ROUTE, 12, (0).to_bytes(4, "big")) == "ask"
    assert shared.look_up(ROUTE, 12, (99).to_bytes(4, "big")) == bytes(1_000_000)
