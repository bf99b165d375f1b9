"""aiokafka, unmodified, through the gateway; in a process of its own, as it lives on asyncio."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.clients.conftest import RunningGateway

PROGRAM = Path(__file__).with_name("aiokafka_round_trip.py")


@pytest.mark.kafka
def test_a_group_reads_what_was_produced_and_committed_and_nothing_that_was_aborted(
    gateway: RunningGateway, topic: str
):
    command = [sys.executable, str(PROGRAM), gateway.bootstrap, topic, "200"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    expected = Counter([f"v{number}" for number in range(200)] + ["committed"])
    assert Counter(json.loads(done.stdout)) == expected
