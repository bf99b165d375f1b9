"""The eye on clients' sockets sees what it is for, and the gateway's own errors are counted."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.matrix.access import Access
from tests.matrix.watching import Watch
from tests.matrix.ways import Way

CLIENT = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); print(flush=True); input()"


def test_a_connection_of_a_process_below_is_seen():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        # A shell that waits for its child, as a guardian does.
        command = ["sh", "-c", '"$@"; true', "sh", sys.executable, "-c", CLIENT, str(port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
            assert shell.stdout is not None
            shell.stdout.readline()
            watch = Watch()
            watch.look()
            assert watch.ports == set()
            watch.add(shell.pid)
            watch.look()
            assert watch.ports == {port}
            shell.communicate(b"\n")
        watch.look()  # it has ended: no error


def test_a_process_that_there_is_not_is_no_error():
    watch = Watch()
    watch.add(2**22 + 1)
    watch.remove(os.getpid())
    watch.look()
    assert watch.ports == set()


def test_brokers_are_forbidden_to_those_who_come_through_the_gateway_only():
    brokers = "127.0.0.1:1,127.0.0.1:2"
    assert Way(Access("127.0.0.1:9"), brokers, frozenset({9})).forbidden == {1, 2}
    assert Way(Access(brokers), brokers).forbidden == frozenset()
    assert Way(Access(brokers), brokers).complaints == []


def test_errors_of_the_gateways_own_are_counted_by_kind(tmp_path: Path):
    log = tmp_path / "log"
    trace = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    f()\nKeyError: 1\n'
    log.write_text(f"one line\n{trace}another\n{trace}{trace.replace('KeyError: 1', 'OSError: no')}")
    way = Way(Access("127.0.0.1:9"), "127.0.0.1:1", frozenset({9}), log)
    assert way.complaints == ["KeyError: 1 (2 times)", "OSError: no (1 times)"]
