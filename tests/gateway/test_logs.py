"""A log line is one line, and says the same to people and to machines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from appliance.gateway.audit import audit
from appliance.gateway.logs import LogFormat, write_logs

Write = Callable[..., io.StringIO]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Begins to log into what it returns; all is as before at the end."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def begin(log_format: LogFormat, **options: Any) -> io.StringIO:
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        root.handlers.clear()  # those are pytest's, and are not to be closed
        write_logs(log_format, **options)
        return stream

    yield begin
    root.handlers[:], root.level = before


def test_an_object_a_line(written: Write):
    stream = written(LogFormat.JSON)
    audit("authenticated", listener="plain", principal="User:shop", mechanism="PLAIN", client_id=None)
    logging.getLogger("tidegate.gateway").warning("cluster %s is away", "primary")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "tidegate.audit",
        "event": "authenticated",
        "fields": {"listener": "plain", "principal": "User:shop", "mechanism": "PLAIN"},
    }
    assert {key: second[key] for key in ("level", "logger", "event")} == {
        "level": "warning",
        "logger": "tidegate.gateway",
        "event": "cluster primary is away",
    }


def test_an_error_comes_with_its_traceback_in_the_same_line(written: Write):
    stream = written(LogFormat.JSON)
    try:
        raise ValueError("no such thing")
    except ValueError:
        logging.getLogger("tidegate.gateway").exception("closed")
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: no such thing" in json.loads(line)["exception"]


@pytest.mark.parametrize("log_format", LogFormat)
def test_workers_say_which_they_are(written: Write, log_format: LogFormat):
    stream = written(log_format, worker=3)
    logging.getLogger("tidegate.fleet").info("hello")
    line = stream.getvalue()
    assert json.loads(line)["worker"] == 3 if log_format is LogFormat.JSON else "worker 3: hello" in line


@pytest.mark.parametrize("log_format", LogFormat)
@pytest.mark.parametrize("name", ["a\n2026-08-01 INFO all is well", "\r\x1b[2J", "\u2028next"])
def test_a_client_cannot_forge_a_line(written: Write, log_format: LogFormat, name: str):
    stream = written(log_format)
    logging.getLogger("tidegate.gateway").warning("client 10.0.0.1:1 (%s)", name)
    audit("authenticated", claimed=name, listener="plain")
    assert len(stream.getvalue().splitlines()) == 2
    assert "\x1b" not in stream.getvalue()


def test_verbose_says_more(written: Write):
    stream = written(LogFormat.TEXT)
    logging.getLogger("tidegate.gateway").debug("details")
    assert stream.getvalue() == ""
    stream = written(LogFormat.TEXT, verbose=True)
    logging.getLogger("tidegate.gateway").debug("details")
    assert "details" in stream.getvalue()
