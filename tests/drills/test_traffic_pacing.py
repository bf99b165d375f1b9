import pytest

from appliance.drills.traffic.pacing import Pacer


def _sent(pacer: Pacer, start: float, end: float, step: float) -> int:
    times = [start + step * index for index in range(1, round((end - start) / step) + 1)]
    return sum(pacer.take(each) for each in times)


def test_keeps_the_declared_rate():
    assert abs(_sent(Pacer(600, 0.0), 0.0, 10.0, 0.01) - 6000) <= 1


def test_keeps_a_slow_rate():
    assert _sent(Pacer(0.5, 0.0), 0.0, 60.0, 0.25) == 30


def test_does_not_make_up_for_a_stall():
    pacer = Pacer(600, 0.0)
    _sent(pacer, 0.0, 1.0, 0.01)
    assert pacer.take(11.0) == 60
    assert pacer.take(11.0) == 0


def test_a_slow_rate_may_always_send_one():
    pacer = Pacer(1, 0.0)
    assert pacer.take(30.0) == 1
    assert pacer.take(30.5) == 0


def test_says_how_long_to_wait():
    pacer = Pacer(10, 0.0)
    assert pacer.wait(0.0) == 0.1
    assert pacer.take(0.1) == 1
    assert pacer.wait(0.15) == pytest.approx(0.05)
    assert pacer.wait(9.0) == 0.0
