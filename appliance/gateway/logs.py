"""How a process writes its log: text for people, or JSON, one object a line, for machines.

    {"time": "2026-08-01T09:30:00.123456Z", "level": "info", "logger": "tidegate.audit", "event": "authenticated",
     "worker": 2, "fields": {"listener": "orders", "principal": "User:shop", ...}}

`worker` is there where several processes serve, `fields` where the line has any, `exception` where one is told of.
Either way a line is one line, whatever names the clients chose.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


_CHATTY = ("httpx", "httpcore", "hypercorn")


def write_logs(log_format: LogFormat, *, verbose: bool = False, worker: int | None = None) -> None:
    """Have this process log to stderr in this format, at level DEBUG where `verbose`, else INFO."""
    handler = logging.StreamHandler()
    handler.setFormatter(_json(worker) if log_format is LogFormat.JSON else _text(worker))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        if not record.message.isprintable():
            record.message = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in record.message)
        return super().formatMessage(record)


def _text(worker: int | None) -> logging.Formatter:
    who = "" if worker is None else f"worker {worker}: "
    return _OneLine(f"%(asctime)s %(levelname)-7s {who}%(message)s")


def _json(worker: int | None) -> logging.Formatter:
    # Imported where it is wanted: for text it would be memory for nothing.
    from structlog.processors import JSONRenderer, format_exc_info  # noqa: PLC0415
    from structlog.stdlib import ProcessorFormatter  # noqa: PLC0415

    def told(_: Any, __: str, event: Any) -> Any:
        record: logging.LogRecord = event["_record"]
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": getattr(record, "event", event["event"]),
        }
        if worker is not None:
            line["worker"] = worker
        fields = getattr(record, "fields", None)
        if fields:
            line["fields"] = fields
        if "exc_info" in event:
            line["exc_info"] = event["exc_info"]
        return line

    return ProcessorFormatter(processors=[told, format_exc_info, JSONRenderer(default=str)])
