"""From what a scenario says of a client to librdkafka's settings; and back to words for people."""

from __future__ import annotations

from collections.abc import Mapping

from appliance.drills.scenario.lab import Settings
from appliance.drills.scenario.traffic import Consume, Produce

_LOG_LEVEL = "4"
"""Warnings: what the library says of connections that were cut belongs into the run's logs."""


def _texts(settings: Settings) -> dict[str, str]:
    """Return foreign settings as librdkafka reads them (`true`, not `True`)."""
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in settings.items()}


def producer_settings(name: str, produce: Produce, connection: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a producer; the scenario's own `settings` win, `connection` says how it comes in."""
    settings = {
        **connection,
        "client.id": name,
        "acks": str(produce.acks),
        "enable.idempotence": str(produce.idempotent).lower(),
        "message.timeout.ms": str(round(produce.delivery_timeout * 1000)),
        "log_level": _LOG_LEVEL,
    }
    if produce.retries is not None:
        settings["retries"] = str(produce.retries)
    if produce.in_flight is not None:
        settings["max.in.flight"] = str(produce.in_flight)
    return settings | _texts(produce.settings)


def consumer_settings(name: str, consume: Consume, connection: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a consumer; the scenario's own `settings` win, `connection` says how it comes in.

    Without a group the library wants a name all the same, and nothing is committed.
    """
    settings = {
        **connection,
        "client.id": name,
        "group.id": consume.group or name,
        "enable.auto.commit": str(consume.group is not None).lower(),
        "auto.commit.interval.ms": "1000",
        "auto.offset.reset": "earliest",
        "log_level": _LOG_LEVEL,
    }
    if consume.group and consume.protocol == "consumer":
        settings["group.protocol"] = "consumer"
    else:
        # A broker may hold the first JoinGroup for half of a session; the embedded one does.
        settings |= {"session.timeout.ms": "6000", "heartbeat.interval.ms": "1000"}
    return settings | _texts(consume.settings)


def describe_producer(produce: Produce) -> str:
    """Return the settings that matter: `acks=all, idempotent, 20/s`."""
    return ", ".join(
        [
            f"acks={produce.acks}",
            "idempotent" if produce.idempotent else "not idempotent",
            "writes in turns only" if produce.idle else f"{produce.rate:g}/s",
            *(f"{key}={value}" for key, value in _texts(produce.settings).items()),
        ]
    )


def describe_consumer(consume: Consume) -> str:
    """Return the settings that matter: `group ledger, protocol classic`."""
    what = f"group {consume.group}, protocol {consume.protocol}" if consume.group else "all partitions"
    return ", ".join(
        [what, "from the beginning", *(f"{key}={value}" for key, value in _texts(consume.settings).items())]
    )
