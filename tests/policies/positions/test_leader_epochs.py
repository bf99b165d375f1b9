"""Leader epochs of another cluster are hidden from clients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

import pytest

from appliance.exchange.interceptor import Replace
from appliance.exchange.message import Answer
from appliance.policies.positions.leader_epochs import LeaderEpochs
from tests.policies.positions.messages import question, written
from tests.wire.messages import Kind, generated, kinds_of

ANSWERS = {
    "Metadata": {"leader_epoch"},
    "ListOffsets": {"leader_epoch"},
    "OffsetFetch": {"committed_leader_epoch"},
}
REQUESTS = {"ListOffsets": {"current_leader_epoch"}, "OffsetForLeaderEpoch": {"current_leader_epoch"}}


def without(entity: Any, names: set[str]) -> Any:
    changes: dict[str, Any] = {}
    for each in fields(entity):
        value = getattr(entity, each.name)
        if isinstance(value, tuple) and value and is_dataclass(value[0]):
            changes[each.name] = tuple(without(element, names) for element in value)
        elif each.name in names:
            changes[each.name] = -1
    return replace(entity, **changes)


def of(apis: dict[str, set[str]], direction: str) -> list[Kind]:
    return [kind for api in apis for kind in kinds_of(api) if kind.direction == direction]


def check(kind: Kind, names: set[str], ask: Callable[[bytes], object]) -> None:
    entity = generated(kind.type, Random(kind.version), full=True)
    expected = written(without(entity, names))
    assert ask(written(entity)) == (Replace(expected) if expected != written(entity) else None)


@pytest.mark.parametrize("kind", of(ANSWERS, "response"), ids=str)
def test_no_answer_names_an_epoch(kind: Kind):
    check(kind, ANSWERS[kind.api], lambda body: LeaderEpochs().on_response(Answer(question(kind), body)))


@pytest.mark.parametrize("kind", of(REQUESTS, "request"), ids=str)
def test_no_request_is_fenced_for_an_epoch_of_before(kind: Kind):
    check(kind, REQUESTS[kind.api], lambda body: LeaderEpochs().on_request(question(kind, body)))


def test_fetch_is_not_touched():
    epochs = LeaderEpochs()
    assert not any(epochs.wants_request(1, version) or epochs.wants_response(1, version) for version in range(20))
