"""Whoever asks what others have just asked gets their answer; nobody gets an old one, or another cluster's."""

from __future__ import annotations

from appliance.exchange.route import Route, Target
from appliance.exchange.shared_answers import FRESH_SECONDS, Asked, SharedAnswers
from appliance.wire.apis import Api

ROUTE = Route("orders", Target("primary", (("10.0.0.1", 9092),)))
ALL, SOME = Asked(Api.METADATA, 12, b"all topics"), Asked(Api.METADATA, 12, b"some topics")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def numbered(number: int) -> Asked:
    return Asked(Api.METADATA, 12, number.to_bytes(4, "big"))


def answers() -> tuple[SharedAnswers, Clock]:
    clock = Clock()
    return SharedAnswers(clock), clock


def test_the_first_asks_and_the_others_wait_for_its_answer():
    shared, _ = answers()
    assert shared.look_up(ROUTE, ALL) == "ask"
    assert shared.look_up(ROUTE, ALL) == "wait"
    shared.answered(ROUTE, ALL, b"brokers")
    assert shared.look_up(ROUTE, ALL) == b"brokers"


def test_another_question_or_version_is_asked_for_itself():
    shared, _ = answers()
    shared.look_up(ROUTE, ALL)
    shared.answered(ROUTE, ALL, b"brokers")
    assert shared.look_up(ROUTE, SOME) == "ask"
    assert shared.look_up(ROUTE, ALL._replace(api_version=9)) == "ask"


def test_an_answer_grows_old():
    shared, clock = answers()
    shared.look_up(ROUTE, ALL)
    shared.answered(ROUTE, ALL, b"brokers")
    clock.now += FRESH_SECONDS
    assert shared.look_up(ROUTE, ALL) == "ask"


def test_a_new_snapshot_forgets_everything():
    shared, _ = answers()
    shared.look_up(ROUTE, ALL)
    switched = Route("orders", Target("standby", (("10.0.0.2", 9092),)))
    assert shared.look_up(switched, ALL) == "ask"
    shared.answered(ROUTE, ALL, b"brokers of the old cluster")
    assert shared.look_up(switched, ALL) == "wait"


def test_somebody_else_asks_when_whoever_asked_is_gone():
    shared, clock = answers()
    shared.look_up(ROUTE, ALL)
    clock.now += 5
    assert shared.look_up(ROUTE, ALL) == "ask"


def test_what_is_kept_is_bounded():
    shared, _ = answers()
    for number in range(100):
        question = numbered(number)
        shared.look_up(ROUTE, question)
        shared.answered(ROUTE, question, bytes(1_000_000))
    assert shared.look_up(ROUTE, numbered(0)) == "ask"
    assert shared.look_up(ROUTE, numbered(99)) == bytes(1_000_000)


def test_what_a_node_says_of_itself_is_not_said_of_another():
    shared, _ = answers()
    of_one = Asked(Api.API_VERSIONS, 4, b"librdkafka", node_id=1)
    shared.look_up(ROUTE, of_one)
    shared.answered(ROUTE, of_one, b"versions of node 1")
    assert shared.look_up(ROUTE, of_one) == b"versions of node 1"
    assert shared.look_up(ROUTE, of_one._replace(node_id=2)) == "ask"


def test_whoever_waits_is_told_once_and_only_of_what_it_asked():
    shared, _ = answers()
    told: list[str] = []
    shared.look_up(ROUTE, ALL)
    shared.when_told(ALL, lambda: told.append("all"))
    shared.when_told(SOME, lambda: told.append("some"))
    shared.answered(ROUTE, ALL, b"brokers")
    shared.answered(ROUTE, ALL, b"brokers")
    assert told == ["all"]


def test_whoever_waits_looks_again_when_another_cluster_serves():
    shared, _ = answers()
    told: list[str] = []
    shared.look_up(ROUTE, ALL)
    shared.when_told(ALL, lambda: told.append("all"))
    shared.look_up(Route("orders", Target("standby", (("10.0.0.2", 9092),))), SOME)
    assert told == ["all"]


def test_whoever_waits_for_somebody_slow_is_told_to_ask():
    shared, clock = answers()
    asked: list[object] = []
    shared.look_up(ROUTE, ALL)
    shared.when_told(ALL, lambda: asked.append(shared.look_up(ROUTE, ALL)))
    shared.give_up_on_the_slow()
    assert asked == []
    clock.now += 5
    shared.give_up_on_the_slow()
    assert asked == ["ask"]
