"""TLS at a listener: nobody reads along, certificates are renewed while clients are there, and host names tell brokers
apart."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import ClassVar

import pytest

from appliance.gateway.errors import TlsUnusable
from tests.gateway.conftest import Log
from tests.gateway.scene import free_base
from tests.gateway.scripted_broker import scripted_broker
from tests.gateway.secured import Files, client, cluster, gateway, listener, serve_one


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


async def test_a_request_and_its_answer_pass_over_tls(files: Files):
    base = free_base()
    async with scripted_broker() as broker, gateway(cluster(broker), listener(base, tls=files.tls())):
        async with client(base, ca=files.ca) as one:
            await serve_one(one, broker)


async def test_a_client_that_does_not_speak_tls_is_told_to_the_operator(files: Files, log: Log):
    base = free_base()
    async with scripted_broker() as broker, gateway(cluster(broker), listener(base, tls=files.tls())):
        async with client(base, first=b"\0\0\0\x20\0\x12\0\3\0\0\0\1" + bytes(24)) as plain:
            await plain.closed()
    assert "the client does not speak TLS: set security.protocol=SSL or SASL_SSL" in log.only_line
    assert broker.arrived == 0


async def test_a_new_certificate_is_shown_to_the_next_and_nobody_is_disconnected(tmp_path: Path):
    files, base = Files(tmp_path), free_base()
    async with scripted_broker() as broker, gateway(cluster(broker), listener(base, tls=files.tls())):
        async with client(base, ca=files.ca) as before:
            await serve_one(before, broker)
            renewed = files.new_server_certificate("renewed.example")
            async with client(base, ca=files.ca) as after:
                assert after.channel._sock.getpeercert(binary_form=True) == renewed  # type: ignore[attr-defined]
            assert before.channel._sock.getpeercert(binary_form=True) != renewed  # type: ignore[attr-defined]
            assert before.channel.receive(memoryview(bytearray(1))) is None


async def test_files_that_are_no_good_leave_the_last_good_ones_in_use(tmp_path: Path, log: Log):
    files, base = Files(tmp_path), free_base()
    async with scripted_broker() as broker, gateway(cluster(broker), listener(base, tls=files.tls())):
        files.spoil()
        async with client(base, ca=files.ca) as one:
            await serve_one(one, broker)
    assert "listener secured" in log.only_line
    assert "the last good files stay in use" in log.only_line


async def test_a_gateway_does_not_start_without_its_certificate(tmp_path: Path):
    files = Files(tmp_path)
    tls = files.tls(certificate=str(tmp_path / "absent.pem"))
    expected = pytest.RaisesExc(TlsUnusable, match=r"absent\.pem: No such file")
    with pytest.RaisesGroup(expected, flatten_subgroups=True):
        async with scripted_broker() as broker, gateway(cluster(broker), listener(free_base(), tls=tls)):
            raise AssertionError("it started")


async def test_versions_of_tls_that_are_too_old_are_refused(files: Files, log: Log):
    base = free_base()
    tls = files.tls(min_version="1.3")
    async with scripted_broker() as broker, gateway(cluster(broker), listener(base, tls=tls)):
        with pytest.raises(ssl.SSLError):
            async with client(base, ca=files.ca, newest=ssl.TLSVersion.TLSv1_2):
                raise AssertionError("it was let in")
    assert "versions of TLS that are too old" in log.only_line


class TestNames:
    """One port for all brokers."""

    SNI: ClassVar = {"bootstrap": "orders.kafka.example", "broker": "b{node_id}.orders.kafka.example"}

    async def test_the_host_name_says_which_broker(self, tmp_path: Path):
        files = Files(tmp_path)
        files.new_server_certificate("orders.kafka.example", "*.orders.kafka.example")
        base = free_base()
        async with scripted_broker(node_id=7) as broker, scripted_broker(node_id=8) as other:
            broker.nodes[8] = other.address
            async with gateway(cluster(broker), listener(base, tls=files.tls(), sni=self.SNI)):
                async with client(base, ca=files.ca, host="b8.orders.kafka.example") as one:
                    await serve_one(one, other)
                async with client(base, ca=files.ca, host="orders.kafka.example") as one:
                    await serve_one(one, broker)

    async def test_several_listeners_share_a_port(self, tmp_path: Path):
        files = Files(tmp_path)
        files.new_server_certificate("orders.kafka.example", "other.kafka.example")
        second = {"bootstrap": "other.kafka.example", "broker": "b{node_id}.other.kafka.example"}
        base = free_base()
        async with scripted_broker() as broker:
            one = listener(base, "one", tls=files.tls(), sni=self.SNI)
            two = listener(base, "two", tls=files.tls(), sni=second)
            async with gateway(cluster(broker), one, two):
                for host in ("orders.kafka.example", "other.kafka.example"):
                    async with client(base, ca=files.ca, host=host) as each:
                        await serve_one(each, broker)

    @pytest.mark.parametrize("host", ["stranger.example", "bx.orders.kafka.example", "127.0.0.1"])
    async def test_other_names_lead_nowhere(self, host: str, tmp_path: Path, log: Log):
        files = Files(tmp_path)
        base = free_base()
        async with (
            scripted_broker() as broker,
            gateway(cluster(broker), listener(base, tls=files.tls(), sni=self.SNI)),
        ):
            with pytest.raises(OSError, match=r"."):
                async with client(base, ca=files.ca, host=host):
                    raise AssertionError("it was let in")
            assert broker.arrived == 0
        assert "expected one of the host names orders.kafka.example, b{node_id}.orders.kafka.example" in log.only_line
