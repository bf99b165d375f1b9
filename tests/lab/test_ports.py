"""Ports that no other lab and no outgoing connection takes."""

import socket

import pytest

from appliance.lab import LabError, ports
from appliance.lab.ports import PortLeases


def test_ports_differ_and_lie_outside_the_range_of_outgoing_connections(tmp_path):
    with PortLeases(tmp_path) as leases:
        taken = [leases.take() for _ in range(50)]
    assert len(set(taken)) == 50
    with socket.create_server(("127.0.0.1", 0)) as ephemeral:
        assert max(taken) < ephemeral.getsockname()[1]


def test_a_port_leased_by_another_or_listened_on_is_not_taken(tmp_path, monkeypatch):
    with PortLeases(tmp_path) as first, PortLeases(tmp_path) as second:
        leased = first.take()
        monkeypatch.setattr(ports, "_candidates", lambda: range(leased, leased + 1))
        with pytest.raises(LabError, match="expected a free port"):
            second.take()
    with (
        socket.create_server(("127.0.0.1", leased)),
        PortLeases(tmp_path) as third,
        pytest.raises(LabError, match="expected a free port"),
    ):
        third.take()


def test_a_lease_ends_with_its_holder(tmp_path, monkeypatch):
    with PortLeases(tmp_path) as first:
        leased = first.take()
    monkeypatch.setattr(ports, "_candidates", lambda: range(leased, leased + 1))
    with PortLeases(tmp_path) as second:
        assert second.take() == leased
