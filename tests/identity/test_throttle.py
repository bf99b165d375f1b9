"""Guessing is slow, and cannot be used to lock others out or to fill memory."""

from __future__ import annotations

import pytest

from appliance.identity.throttle import Throttle, ThrottleSettings

SETTINGS = ThrottleSettings(free=2, first=1, longest_address=8, longest_principal=4, forget=100, entries=3)


def failing(times: int, name: str | None = "alice", address: str = "10.0.0.1") -> Throttle:
    throttle = Throttle(SETTINGS)
    for _ in range(times):
        throttle.failed(name, address, 0)
    return throttle


@pytest.mark.parametrize(("failures", "wait"), [(0, 0), (2, 0), (3, 1), (4, 2), (5, 4), (6, 8), (7, 8), (5000, 8)])
def test_delays_double_up_to_a_limit(failures: int, wait: float):
    assert failing(failures).wait(None, "10.0.0.1", 0) == wait


def test_a_delay_passes():
    throttle = failing(4)
    assert [throttle.wait("alice", "10.0.0.1", now) for now in (0, 1.5, 2, 50)] == [2, 0.5, 0, 0]


def test_a_principal_is_guarded_from_all_addresses_but_not_for_long():
    throttle = Throttle(SETTINGS)
    for number in range(10):
        throttle.failed("alice", f"10.0.1.{number}", 0)
    assert throttle.wait("alice", "10.0.0.99", 0) == 4
    assert throttle.wait("bob", "10.0.0.99", 0) == 0


def test_strangers_do_not_lock_it_out_from_where_it_is_at_home():
    throttle = Throttle(SETTINGS)
    throttle.succeeded("alice", "10.0.0.1")
    for _ in range(10):
        throttle.failed("alice", "10.9.9.9", 0)
    assert throttle.wait("alice", "10.0.0.1", 0) == 0
    assert throttle.wait("alice", "10.0.0.2", 0) == 4


def test_success_forgives_the_principal_and_not_the_address():
    throttle = failing(4)
    throttle.succeeded("alice", "10.0.0.1")
    assert throttle.wait("alice", "10.0.0.2", 0) == 0
    assert throttle.wait("alice", "10.0.0.1", 0) == 2


def test_old_failures_are_forgotten():
    throttle = failing(6)
    throttle.failed("alice", "10.0.0.1", 101)
    assert throttle.wait("alice", "10.0.0.1", 101) == 0


def test_memory_is_bounded():
    throttle = Throttle(SETTINGS)
    for number in range(1000):
        throttle.failed(f"name-{number}" * 1000, f"10.0.{number // 256}.{number % 256}", 0)
        throttle.succeeded(f"name-{number}", "10.0.0.1")
    sizes = {len(each) for each in (throttle._addresses, throttle._principals, throttle._homes)}
    assert sizes == {3}
    assert max(map(len, throttle._principals)) == 256


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("/run/socket", "/run/socket", True),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool):
    assert (failing(5, None, one).wait(None, other, 0) > 0) is same
