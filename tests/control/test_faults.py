"""Leases on a clock of plain numbers."""

from __future__ import annotations

import math

import pytest

from appliance.chaos.faults import arm
from appliance.control.armoury import KEPT_AFTER_THE_END
from appliance.control.errors import ConflictError, UnfitError, UnknownError
from appliance.control.faults import FaultBoard
from tests.control.world import fault


@pytest.fixture
def board() -> FaultBoard:
    return FaultBoard(arm)


def test_a_fault_lapses_when_nobody_renews_it(board: FaultBoard):
    board.put(fault(), 100.0)
    assert board.next_instant() == 115.0
    board.settle(114.9)
    assert board.get("slow").state == "active"
    board.settle(115.0)
    assert board.get("slow").state == "lapsed"
    assert board.next_instant() == math.inf


def test_renewal_carries_it_to_its_end(board: FaultBoard):
    board.put(fault(), 0.0)
    for now in range(10, 60, 10):
        board.renew("slow", float(now))
    assert board.next_instant() == 60.0
    board.settle(60.0)
    assert board.get("slow").state == "ended"


def test_it_waits_for_its_start(board: FaultBoard):
    board.put(fault(starts_in="5s"), 0.0)
    assert (board.get("slow").state, board.active(), board.next_instant()) == ("pending", [], 5.0)
    board.settle(5.0)
    assert [each.state for each in board.active()] == ["active"]
    board.settle(15.0)
    assert board.get("slow").state == "lapsed"


def test_a_lease_that_has_run_out_is_not_renewed_though_nobody_swept(board: FaultBoard):
    board.put(fault(), 0.0)
    with pytest.raises(ConflictError, match="over \\(lapsed\\)"):
        board.renew("slow", 15.0)


def test_the_same_again_renews_and_another_replaces(board: FaultBoard):
    assert board.put(fault(), 0.0) == "created"
    first = board.get("slow").arming
    assert board.put(fault(), 10.0) == "unchanged"
    assert (board.get("slow").arming, board.next_instant()) == (first, 25.0)
    assert board.put(fault(seed=2), 11.0) == "changed"
    assert board.get("slow").arming != first


def test_what_is_over_stays_readable_and_starts_afresh(board: FaultBoard):
    board.put(fault(), 0.0)
    before = board.remove("slow")
    assert (board.get("slow"), before.state, board.alive()) == (before, "removed", [])
    assert board.remove("slow").state == "removed"
    assert board.put(fault(), 1.0) == "changed"
    assert board.get("slow") is not before
    board.settle(20.0)
    assert board.remove("slow").state == "lapsed"


def test_unknown_and_illegal_faults_are_refused(board: FaultBoard):
    for refused in (board.get, board.remove):
        with pytest.raises(UnknownError):
            refused("none")
    with pytest.raises(UnfitError) as caught:
        board.put(fault(error={"code": "LEADER_NOT_AVAILABLE"}, select={"apis": ["Produce"]}), 0.0)
    assert "no broker answers Produce with LEADER_NOT_AVAILABLE" in str(caught.value)
    assert board.all() == []


def test_one_outage_per_cluster_at_a_time(board: FaultBoard):
    outage = {"cluster": "primary", "mode": "refuse"}
    board.put(fault("one", outage=outage), 0.0)
    with pytest.raises(ConflictError, match="Fault one makes primary unreachable for orders already"):
        board.put(fault("two", outage=outage), 1.0)
    board.put(fault("one", outage={**outage, "mode": "blackhole"}), 1.0)
    board.put(fault("other", outage={**outage, "cluster": "standby"}), 1.0)
    board.remove("one")
    board.put(fault("two", outage=outage), 2.0)


def test_the_oldest_that_are_over_are_forgotten(board: FaultBoard):
    for number in range(KEPT_AFTER_THE_END + 3):
        board.put(fault(f"f{number}"), 0.0)
        board.remove(f"f{number}")
    board.put(fault("last"), 0.0)
    assert len(board.all()) == KEPT_AFTER_THE_END + 1
    with pytest.raises(UnknownError):
        board.get("f0")
