"""Who was born where, in one process and in several."""

from __future__ import annotations

from appliance.policies.positions.members import News
from appliance.policies.positions.transactional_ids import TransactionalIds


def test_who_was_born_before_a_switch_is_left_behind_until_born_again():
    ids = TransactionalIds()
    ids.born("shop-1", 60_000)
    assert ids.left_behind("shop-1") is None
    ids.switched(1)
    assert ids.left_behind("shop-1") == 60_000
    assert ids.left_behind("shop-2") is None, "never heard of: it is what it says it is"
    ids.born("shop-1", 5000)
    assert ids.left_behind("shop-1") is None
    assert not ids.any_left_behind


def test_a_switch_is_one_however_often_it_is_told_and_who_stays_silent_stays_left_behind():
    ids = TransactionalIds()
    ids.born("shop-1", 60_000)
    ids.switched(1)
    ids.born("shop-2", 60_000)
    ids.switched(1)
    assert ids.left_behind("shop-2") is None
    ids.switched(2)
    assert ids.left_behind("shop-1") == ids.left_behind("shop-2") == 60_000


def test_other_processes_are_told_and_do_not_tell_it_back():
    told: list[News] = []
    here, there = TransactionalIds(told.append), TransactionalIds(told.append)
    here.born("shop-1", 60_000)
    (news,) = told
    there.take(news)
    assert told == [news]
    there.switched(1)
    assert there.left_behind("shop-1") == 60_000


def test_who_was_born_again_is_known_until_a_transaction_has_ended():
    ids = TransactionalIds()
    ids.born("shop-1", 60_000)
    ids.switched(1)
    assert not ids.reborn("shop-1")
    ids.born("shop-1", 60_000)
    ids.born("shop-2", 60_000)
    assert ids.reborn("shop-1")
    assert not ids.reborn("shop-2")
    ids.ended("shop-1")
    assert not ids.reborn("shop-1")
