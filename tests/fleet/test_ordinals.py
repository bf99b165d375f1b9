"""One count for several processes."""

from __future__ import annotations

import subprocess
import sys

from appliance.fleet.ordinals import SharedOrdinal

COUNT = """
import sys
from appliance.fleet.ordinals import SharedOrdinal
count = SharedOrdinal(int(sys.argv[1]))
input()
for _ in range(20000):
    print(count())
"""


def test_it_counts_from_one():
    count = SharedOrdinal.make()
    assert [count(), count(), count()] == [1, 2, 3]


def test_whoever_joins_goes_on_with_it():
    count = SharedOrdinal.make()
    count()
    assert SharedOrdinal(count.fileno())() == 2
    assert count() == 3


def test_processes_that_count_at_once_get_every_number_once():
    count = SharedOrdinal.make()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", COUNT, str(count.fileno())],
            pass_fds=[count.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
    numbers = [int(line) for child in children for line in child.communicate()[0].split()]
    assert sorted(numbers) == list(range(1, 60001))
    assert count() == 60001
