"""Each checker on histories small enough to read."""

import time

from appliance.drills.checkers import SAMPLES, Finding, History, Place, check
from appliance.drills.ledger import Delivery, RecordLedger, Stored, Write

TOPIC = "orders"


def write(seq, *, outcome="acknowledged", client="canary", partition=0):
    record = f"{client}/{partition}/{seq}"
    return Write(client, TOPIC, partition, seq, record, f"d{seq}", 1.0, 2.0, outcome, None, "")


def stored(offset, seq, *, cluster="standby", digest=None, client="canary", partition=0):
    return Stored(cluster, TOPIC, partition, offset, f"{client}/{partition}/{seq}", digest or f"d{seq}")


def delivery(offset, seq, *, client="reader", partition=0):
    return Delivery(client, TOPIC, partition, offset, f"canary/{partition}/{seq}", 3.0)


def results(writes=(), log=(), deliveries=(), *, read=None, readers=None, late=()):
    ledger = RecordLedger(list(writes), list(deliveries), list(log))
    return check(History.of(ledger, "standby", read=read, readers=readers, late=late))


def logged(*seqs):
    return [stored(offset, seq) for offset, seq in enumerate(seqs)]


def written(count):
    return [write(seq) for seq in range(count)]


def ids(findings):
    return [sample for row in findings for sample in row.samples]


def test_an_acknowledged_record_that_only_the_dead_cluster_has_is_lost():
    found = results(written(3), [*logged(0, 2), stored(1, 1, cluster="primary")]).lost
    assert list(found) == [Finding(Place("canary", TOPIC, 0), 1, ("lost canary/0/1",))]


def test_what_was_not_acknowledged_is_never_lost():
    found = results([write(0, outcome="failed"), write(1, outcome="indeterminate")])
    assert found.lost.count == 0


def test_a_record_in_another_partition_is_lost_here_and_alien_there():
    found = results(written(1), [Stored("standby", TOPIC, 1, 0, "canary/0/0", "d0")])
    assert ids(found.lost) == ["lost canary/0/0"]
    assert ids(found.altered) == ["alien canary/0/0"]


def test_a_partition_that_was_not_read_is_judged_neither_way():
    found = results([*written(2), write(0, partition=1)], logged(0), read={(TOPIC, 0)})
    assert ids(found.lost) == ["lost canary/0/1"]


def test_each_extra_copy_is_a_duplicate():
    assert results(written(2), logged(0, 1, 0, 0)).duplicated.count == 2


def test_a_record_behind_a_later_one_is_reordered():
    assert ids(results(written(4), logged(0, 2, 3, 1)).reordered) == ["reordered canary/0/1"]


def test_a_late_second_copy_is_a_duplicate_and_no_reordering():
    found = results(written(3), logged(0, 1, 2, 0, 1))
    assert (found.duplicated.count, found.reordered.count) == (2, 0)


def test_order_holds_per_producer():
    log = [stored(0, 5), stored(1, 0, client="other"), stored(2, 6)]
    writes = [write(5), write(6), write(0, client="other")]
    assert results(writes, log).reordered.count == 0


def test_order_is_judged_by_offset_and_not_by_the_order_of_reading():
    assert results(written(3), reversed(logged(0, 1, 2))).reordered.count == 0


def test_a_record_that_a_reader_first_got_behind_a_later_one_is_reordered():
    got = [delivery(0, 0), delivery(2, 2), delivery(1, 1), delivery(2, 2)]
    found = results(written(3), logged(0, 1, 2), got).reordered
    assert list(found) == [Finding(Place("reader", TOPIC, 0), 1, ("reordered canary/0/1",))]


def test_a_reader_that_goes_back_gets_records_again_and_none_out_of_order():
    got = [delivery(offset, seq) for offset, seq in ((0, 0), (1, 1), (0, 0), (1, 1), (2, 2))]
    found = results(written(3), logged(0, 1, 2), got)
    assert (found.redelivered.count, found.reordered.count) == (2, 0)


def test_a_reader_is_not_charged_with_the_order_of_the_log():
    log = logged(0, 2, 1)
    found = results(written(3), log, [delivery(0, 0), delivery(1, 2), delivery(2, 1)]).reordered
    assert list(found) == [Finding(Place("canary", TOPIC, 0), 1, ("reordered canary/0/1",))]


def test_the_members_of_a_group_are_one_reader_of_one_order():
    got = [delivery(1, 1, client="one"), delivery(0, 0, client="two")]
    readers = {"one": "one+two", "two": "one+two"}
    assert ids(results(written(2), logged(0, 1), got, readers=readers).reordered) == ["reordered canary/0/0"]
    assert results(written(2), logged(0, 1), got).reordered.count == 0


def test_other_content_is_altered_and_counted_once():
    found = results(written(1), [stored(0, 0, digest="x"), stored(1, 0, digest="y")])
    assert (found.altered.count, found.duplicated.count) == (1, 1)


def test_what_nobody_sent_or_what_was_refused_is_altered():
    found = results([write(0, outcome="failed")], logged(0, 7), [delivery(0, 9)])
    assert ids(found.altered) == ["refused canary/0/0", "alien canary/0/7", "alien canary/0/9"]


def test_a_record_got_again_is_redelivered():
    got = [delivery(0, 0), delivery(1, 1), delivery(0, 0), delivery(1, 1), delivery(1, 1)]
    assert results(written(2), logged(0, 1), got).redelivered.count == 3


def test_a_record_got_again_at_another_clusters_offset_is_redelivered():
    assert results(written(1), logged(0), [delivery(70, 0), delivery(0, 0)]).redelivered.count == 1


def test_two_copies_are_rightly_delivered_twice():
    log = logged(0, 0)
    assert results(written(1), log, [delivery(0, 0), delivery(1, 0)]).redelivered.count == 0
    assert results(written(1), log, [delivery(0, 0), delivery(0, 0)]).redelivered.count == 1
    assert results(written(1), log, [delivery(0, 0), delivery(1, 0), delivery(0, 0)]).redelivered.count == 1


def test_copies_on_the_lost_cluster_explain_deliveries_too():
    log = [*logged(0), stored(8, 0, cluster="primary"), stored(9, 0, cluster="primary")]
    assert results(written(1), log, [delivery(8, 0), delivery(9, 0)]).redelivered.count == 0


def test_what_a_reader_passed_over_is_skipped():
    found = results(written(4), logged(0, 1, 2, 3), [delivery(0, 0), delivery(1, 1), delivery(3, 3)]).skipped
    assert list(found) == [Finding(Place("reader", TOPIC, 0), 1, ("skipped canary/0/2",))]


def test_head_and_tail_count_as_skipped():
    found = results(written(4), logged(0, 1, 2, 3), [delivery(1, 1), delivery(2, 2)])
    assert ids(found.skipped) == ["skipped canary/0/0", "skipped canary/0/3"]


def test_a_late_reader_begins_at_its_first_record():
    got = [delivery(1, 1), delivery(2, 2)]
    found = results(written(4), logged(0, 1, 2, 3), got, late={"reader"})
    assert ids(found.skipped) == ["skipped canary/0/3"]


def test_skipping_is_judged_by_id_whatever_the_offsets_were():
    got = [delivery(70, 0), delivery(71, 1), delivery(2, 2)]
    assert results(written(3), logged(0, 1, 2), got).skipped.count == 0
    assert results(written(4), logged(0, 1, 2, 3), [*got[:2], delivery(3, 3)]).skipped.count == 1


def test_what_is_lost_is_not_skipped():
    assert results(written(3), logged(0, 2), [delivery(0, 0), delivery(1, 2)]).skipped.count == 0


def test_a_partition_of_which_a_reader_got_nothing_is_skipped_whole():
    log = [*logged(0), stored(0, 0, partition=1), stored(1, 1, partition=1)]
    writes = [write(0), write(0, partition=1), write(1, partition=1)]
    assert results(writes, log, [delivery(0, 0)]).skipped.count == 2
    assert results(writes, log, []).skipped.count == 0


def test_members_of_a_group_are_one_reader():
    got = [delivery(0, 0, client="a"), delivery(1, 1, client="b"), delivery(0, 0, client="b")]
    apart = results(written(2), logged(0, 1), got)
    assert (apart.skipped.count, apart.redelivered.count) == (1, 0)
    together = results(written(2), logged(0, 1), got, readers={"a": "a+b", "b": "a+b"})
    assert (together.skipped.count, together.redelivered.count) == (0, 1)


def test_indeterminate_records_are_counted_found_or_not():
    found = results([write(seq, outcome="indeterminate") for seq in range(3)], logged(1))
    assert (found.indeterminate.count, found.indeterminate_found, found.lost.count) == (3, 1, 0)


def test_samples_are_few_and_counts_are_whole():
    (row,) = results(written(100)).lost
    assert (row.count, len(row.samples)) == (100, SAMPLES)


def test_half_a_million_rows_take_seconds():
    count = 160_000
    writes = [write(seq, partition=seq % 6) for seq in range(count)]
    log = [stored(seq, seq, partition=seq % 6) for seq in range(count)]
    got = [delivery(seq, seq, partition=seq % 6) for seq in range(count)]
    begin = time.perf_counter()
    found = results(writes, log, got)
    assert time.perf_counter() - begin < 30  # 2 s on an idle core
    assert (found.lost.count, found.skipped.count, found.redelivered.count) == (0, 0, 0)
