"""Recovery on timelines small enough to draw: ten records a second, and what happens to them."""

import pytest

from appliance.drills.ledger import Delivery, RecordLedger, Write
from appliance.drills.recovery import disruptions, recoveries
from appliance.journal.events import (
    ClientError,
    ClientStarted,
    FaultArmed,
    LabActed,
    PhaseStarted,
    SwitchoverProgressed,
)

END = 60.0


def steady(begin, end, every=0.1):
    count = round((end - begin) / every)
    return [round(begin + index * every, 3) for index in range(count)]


def write(seq, sent, *, done=None, outcome="acknowledged", client="canary"):
    return Write(
        client, "orders", 0, seq, f"{client}/0/{seq}", "", sent, sent if done is None else done, outcome, 0, ""
    )


def ledger(successes, failures=(), deliveries=()):
    writes = [write(seq, at) for seq, at in enumerate(successes)]
    writes += [write(10**6 + seq, at, outcome="indeterminate") for seq, at in enumerate(failures)]
    return RecordLedger(writes, [Delivery("reader", "orders", 0, 0, "", at) for at in deliveries], [])


def started(client="canary", role="producer", at=0.0):
    return ClientStarted(at=at, client=client, role=role, topic="orders", detail="")


def kill(at):
    return LabActed(at=at, action="kill", cluster="primary")


def events(*more):
    return [started(), PhaseStarted(at=0.0, phase="baseline"), *more, PhaseStarted(at=END, phase="final-read")]


def one(rows, *more):
    (found,) = recoveries(events(*more), rows)
    return found


def test_disruptions_are_what_clients_are_expected_to_feel():
    fault = {"fault": "f", "type": "error", "description": ""}
    assert disruptions(
        [
            FaultArmed(at=9, disrupts=True, **fault),
            FaultArmed(at=1, disrupts=False, **fault),
            kill(2),
            LabActed(at=3, action="start", cluster="primary"),
            LabActed(at=4, action="pause", cluster="primary"),
            SwitchoverProgressed(at=5, virtual_cluster="orders", state="preflight"),
            SwitchoverProgressed(at=6, virtual_cluster="orders", state="fence"),
            SwitchoverProgressed(at=7, virtual_cluster="orders", state="switch"),
        ]
    ) == [2, 4, 6, 7, 9]


def test_without_disruption_there_is_nothing_to_recover_from():
    row = one(ledger(steady(0, END))).as_recovery()
    assert (row.disrupted_at, row.first_success_seconds, row.stable_seconds) == (None, None, None)
    assert row.longest_gap_seconds == pytest.approx(0.1)


def test_recovery_counts_from_the_disruption_to_the_end_of_the_gap():
    found = one(ledger(steady(0, 10.3) + steady(17, END)), kill(10)).as_recovery()
    assert (found.disrupted_at, found.first_success_seconds, found.stable_seconds) == (10.0, 7.0, 7.0)
    assert found.longest_gap_seconds == pytest.approx(6.8)


def test_a_client_that_never_noticed_recovered_at_once():
    found = one(ledger(steady(0, END)), kill(10)).as_recovery()
    assert (found.first_success_seconds, found.stable_seconds) == (0.0, 0.0)


def test_a_first_success_is_not_yet_stability():
    found = one(ledger([*steady(0, 10), 15.0, *steady(20, END)]), kill(10)).as_recovery()
    assert found.first_success_seconds == 5.0
    assert found.stable_seconds == 10.0


def test_failures_delay_stability():
    found = one(ledger(steady(0, END), failures=[10.5, 12.0]), kill(10)).as_recovery()
    assert found.first_success_seconds == pytest.approx(0.6)
    assert found.stable_seconds == pytest.approx(2.1)


def test_a_client_that_is_not_back_is_not_within_the_window():
    rows = ledger(steady(0, 10), failures=[70.0])
    found = one(RecordLedger([*rows.writes, write(7, 55.0, done=58.0, outcome="indeterminate")], [], []), kill(10))
    (episode,) = found.episodes
    assert (episode.first_success, episode.stable) == (None, None)
    assert episode.first_success_above == 50.0
    assert found.gap_open
    assert found.longest_gap == pytest.approx(50.1)


def test_a_client_back_for_less_than_five_seconds_is_not_proven_stable():
    found = one(ledger(steady(0, 10) + steady(57, END)), kill(10))
    (episode,) = found.episodes
    assert (episode.first_success, episode.stable) == (47.0, None)


def test_a_slow_clients_cadence_is_no_gap():
    found = one(ledger(steady(0, END, every=1.5)), kill(10)).as_recovery()
    assert found.stable_seconds == 0.0


def test_every_disruption_is_an_episode_and_the_worst_is_reported():
    rows = ledger(steady(0, 10) + steady(12, 30) + steady(39, END))
    found = one(rows, kill(10), kill(30))
    assert [round(each.stable, 3) for each in found.episodes] == [2.0, 9.0]
    assert found.as_recovery().disrupted_at == 30.0


def test_a_gap_belongs_to_the_disruption_that_it_begins_with():
    rows = ledger(steady(0, 20) + steady(26, END))
    found = one(rows, kill(5), kill(20))
    assert [each.stable for each in found.episodes] == [0.0, 6.0]
    found = one(rows, kill(19.8), kill(20.2))
    assert [round(each.stable, 3) for each in found.episodes] == [6.2, 5.8]


def test_a_switch_in_the_middle_of_an_outage_does_not_hide_the_outage():
    switch = SwitchoverProgressed(at=15, virtual_cluster="orders", state="switch")
    row = one(ledger(steady(0, 10) + steady(20, END)), kill(10), switch).as_recovery()
    assert (row.disrupted_at, row.stable_seconds) == (10.0, 10.0)


def test_a_client_born_after_the_disruption_was_not_disrupted():
    (found,) = recoveries([started(at=20.0), kill(10)], ledger(steady(21, END)))
    assert found.episodes == ()


def test_consumers_recover_by_their_deliveries_and_errors():
    rows = ledger(steady(0, END), deliveries=steady(0, 10) + steady(14, END))
    told = [
        started("reader", "assigned-consumer"),
        PhaseStarted(at=0, phase="baseline"),
        kill(10),
        ClientError(at=16.0, client="reader", error="_ALL_BROKERS_DOWN"),
        PhaseStarted(at=END, phase="final-read"),
    ]
    (found,) = recoveries(told, rows)
    assert found.as_recovery().first_success_seconds == 4.0
    assert found.as_recovery().stable_seconds == pytest.approx(6.1)


def test_silence_after_the_producers_have_stopped_is_nobodys_fault():
    rows = ledger(steady(0, 50), deliveries=steady(0, 50))
    told = [started(), started("reader", "assigned-consumer"), kill(10), PhaseStarted(at=END, phase="final-read")]
    assert [each.longest_gap < 0.2 and not each.gap_open for each in recoveries(told, rows)] == [True, True]


def test_a_reader_that_is_at_work_when_the_producers_stop_is_not_judged_by_how_it_winds_up():
    late = ledger(steady(0, 30), deliveries=[*steady(0, 30), 31.4])
    _, found = recoveries(events(started("reader", "assigned-consumer"), kill(10)), late)
    assert (found.as_recovery().stable_seconds, found.gap_open) == (0.0, False)
    assert found.longest_gap == pytest.approx(0.1)


def test_a_reader_that_is_silent_when_the_producers_stop_is_waited_for():
    late = ledger(steady(0, 30), deliveries=[*steady(0, 10), *steady(31.4, 32)])
    _, found = recoveries(events(started("reader", "assigned-consumer"), kill(10)), late)
    assert found.as_recovery().first_success_seconds == pytest.approx(21.4)


def test_idle_producers_are_left_out():
    assert recoveries(events(), ledger(steady(0, 10)), idle=["canary"]) == []


def test_availability_is_cut_into_ok_degraded_and_down():
    found = one(ledger(steady(0, 10.1) + steady(20, END), failures=[15.0, 30.0]), kill(10))
    spans = [(each.start, each.end, each.state) for each in found.as_availability().spans]
    assert spans == [
        (0.0, 10.0, "ok"),
        (10.0, 20.0, "down"),
        (20.0, 29.5, "ok"),
        (29.5, 30.5, "degraded"),
        (30.5, pytest.approx(59.9), "ok"),
    ]


def test_a_pause_too_short_to_be_a_gap_is_still_told_as_the_time_that_recovery_took():
    (episode,) = one(ledger([*steady(0, 20), *steady(20.4, END)]), kill(20.0)).episodes
    assert (episode.first_success, episode.stable) == (pytest.approx(0.4), pytest.approx(0.4))


def test_a_pause_as_long_as_those_of_calm_times_is_no_recovery():
    (episode,) = one(ledger([*steady(0, 5), *steady(5.5, 20), *steady(20.4, END)]), kill(20.0)).episodes
    assert (episode.first_success, episode.stable) == (0.0, 0.0)
