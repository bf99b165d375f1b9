"""A plan on the terminal."""

from __future__ import annotations

import pytest

from appliance.cli.switchover_plan import print_plan
from appliance.remote.answers import SwitchoverClients, SwitchoverPart, SwitchoverPlan


def test_a_plan_says_whom_it_moves_and_how_long_writes_are_held(capsys: pytest.CaptureFixture[str]):
    java = SwitchoverClients(software="apache-kafka-java", version="4.3.1", connections=7, timeout=10.0)
    silent = SwitchoverClients(software="", version="", connections=2)
    part = SwitchoverPart(virtual_cluster="orders", connections=9, writes_in_flight=0, clients=[java, silent])
    print_plan(
        SwitchoverPlan(
            source="primary", target="standby", topics=1, partitions=1, connections=9, lag=0, hold=20 / 3, parts=[part]
        )
    )
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.endswith("9 connections to move, lag 0 records, writes held for 6.67s at the most")
    assert [line.split() for line in lines[-2:]] == [
        ["orders", "apache-kafka-java", "4.3.1", "7", "10s"],
        ["orders", "not", "told", "-", "2", "-"],
    ]


def test_where_nothing_is_held_and_nobody_is_there_nothing_is_said_of_them(capsys: pytest.CaptureFixture[str]):
    print_plan(SwitchoverPlan(source="primary", target="standby", topics=1, partitions=1, connections=0, lag=None))
    assert capsys.readouterr().out.strip().endswith("0 connections to move, lag not measured")
