"""What a failover policy decides; over generated histories it never flaps, and never goes where it must not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.control.failover import Decision, Situation, Successor, decide, exposure
from appliance.control.health import Health, Standing, Try
from appliance.resources.failover_policy import FailoverPolicySpec

SPEC = FailoverPolicySpec.model_validate(
    {
        "cluster": "primary",
        "to": ["near", "far"],
        "canary": {"topic": "canary"},
        "hold_down": "1m",
        "rpo": "10s",
        "action": "switch",
    }
)


def health(standing: Standing, failures: str = "") -> Health:
    tries = tuple(Try(100 + at, "no answer" if each == "x" else "") for at, each in enumerate(failures or "....."))
    run = len(failures) - len(failures.rstrip("x"))
    return Health(standing, 100, tries, tries[-run].at if run else None)


DOWN = health("unhealthy", "..xxx")  # fails since 102
WELL = health("healthy")
SITUATION = Situation(
    now=105,
    watched=DOWN,
    was_healthy=True,
    successors=(Successor("near", WELL, 99), Successor("far", WELL, 101)),
    served=("orders",),
    switching=False,
    last_switchover=None,
)


def test_a_lost_cluster_is_left_for_the_first_that_fits():
    assert decide("p", SPEC, SITUATION) == Decision(
        "switch", "primary is unhealthy (no answer); near takes its place", "near"
    )


def test_an_alert_says_where_it_would_go():
    alert = SPEC.model_copy(update={"action": "alert"})
    assert decide("p", alert, SITUATION) == Decision(
        "alert", "primary is unhealthy (no answer); near could take its place", "near"
    )


@pytest.mark.parametrize(
    ("changes", "action", "words"),
    [
        ({"watched": WELL}, "none", "primary is healthy"),
        ({"watched": health("unknown", "xx")}, "none", "primary is unknown"),
        ({"served": ()}, "none", "serves no virtual cluster"),
        ({"was_healthy": False}, "alert", "was never seen healthy: see that the canary of p is right"),
        ({"switching": True}, "alert", "a switchover is under way"),
        ({"last_switchover": 50.0}, "alert", "held down for 5s more"),
        ({"last_switchover": 45.0}, "switch", "near takes its place"),
        ({"successors": (Successor("near", WELL, None),)}, "alert", "near was never seen to have everything"),
        ({"successors": (Successor("near", WELL, 91),)}, "alert", "near may lack what was written in 11s"),
        ({"successors": (Successor("near", WELL, 92),)}, "switch", "near takes its place"),
        ({"successors": (Successor("near", WELL, 200),)}, "switch", "near takes its place"),
        ({"successors": (Successor("near", DOWN, 102),)}, "alert", "near is unhealthy"),
        ({"successors": (Successor("near", health("healthy", "xxx.."), 102),)}, "alert", "near fails as often"),
        (
            {"successors": (Successor("near", DOWN, 102), Successor("far", WELL, 102))},
            "switch",
            "far takes its place",
        ),
        ({"successors": ()}, "alert", "nowhere to go"),
    ],
)
def test_what_keeps_it_from_switching(changes: dict[str, object], action: str, words: str):
    decision = decide("p", SPEC, replace(SITUATION, **changes))  # type: ignore[arg-type]  # a test's table
    assert decision.action == action
    assert words in decision.why


def test_lag_that_was_never_measured_may_be_accepted():
    accepting = SPEC.model_copy(update={"unknown_lag": "accept"})
    unknown = replace(SITUATION, successors=(Successor("near", WELL, None),))
    assert decide("p", accepting, unknown).to == "near"


def test_exposure_counts_to_the_first_failure():
    assert exposure(DOWN, Successor("near", WELL, 95)) == 7
    assert exposure(DOWN, Successor("near", WELL, None)) is None
    on_and_off = health("unhealthy", "x.x.x.")  # the last try succeeded
    assert exposure(on_and_off, Successor("near", WELL, 95)) == 5


@dataclass
class Simulation:
    """A world in which decisions to switch are carried out at once."""

    spec: FailoverPolicySpec
    watched: Health = field(default_factory=Health)
    near: Health = field(default_factory=Health)
    caught_up: float | None = None
    was_healthy: bool = False
    switched: list[tuple[float, str]] = field(default_factory=list)
    serves: bool = True

    def second(self, now: float, primary_ok: bool, near_ok: bool, caught_up: bool, failback: bool) -> Decision:
        if primary_ok and caught_up:
            self.caught_up = now
        bounds = {"unhealthy": self.spec.unhealthy, "healthy": self.spec.healthy}
        self.watched = self.watched.with_try(Try(now, "" if primary_ok else "down"), **bounds)
        self.near = self.near.with_try(Try(now, "" if near_ok else "down"), **bounds)
        self.was_healthy |= self.watched.standing == "healthy"
        if failback and not self.serves:  # by people
            self.serves = True
            self.switched.append((now, "primary"))
        decision = decide(
            "p",
            self.spec,
            Situation(
                now,
                self.watched,
                self.was_healthy,
                (Successor("near", self.near, self.caught_up),),
                ("orders",) if self.serves else (),
                switching=False,
                last_switchover=self.switched[-1][0] if self.switched else None,
            ),
        )
        if decision.action == "switch":
            self.serves = False
            self.switched.append((now, "near"))
        return decision


second = st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans())


@given(st.lists(second, max_size=300))
def test_it_never_flaps_and_never_goes_where_it_must_not(seconds: list[tuple[bool, bool, bool, bool]]):
    simulation = Simulation(SPEC)
    for now, happened in enumerate(seconds):
        decision = simulation.second(now, *happened)
        if decision.action != "switch":
            continue
        assert simulation.watched.standing == "unhealthy"
        assert simulation.near.standing == "healthy"
        assert simulation.near.failed_share < simulation.watched.failed_share
        assert simulation.caught_up is not None
        behind = exposure(simulation.watched, Successor("near", simulation.near, simulation.caught_up))
        assert behind is not None
        assert behind <= SPEC.rpo
    times = [at for at, _ in simulation.switched]
    own = [at for at, to in simulation.switched if to == "near"]
    for at in own:
        earlier = [each for each in times if each < at]
        assert not earlier or at - earlier[-1] >= SPEC.hold_down


@given(st.integers(1, 2), st.integers(4, 20), st.integers(1, 30))
def test_short_disturbances_never_switch(failures: int, between: int, rounds: int):
    simulation = Simulation(SPEC)
    pattern = ([True] * between + [False] * failures) * rounds
    for now, ok in enumerate(pattern):
        assert simulation.second(now, ok, True, True, False).action == "none"


def test_a_cluster_that_stays_down_is_left_once():
    simulation = Simulation(SPEC)
    for now in range(1000):
        simulation.second(now, now < 20, True, True, False)
    assert simulation.switched == [(22, "near")]
