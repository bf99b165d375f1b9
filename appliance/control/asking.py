"""Asking clusters in the background, for the day when they cannot be asked any more."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from appliance.control.datapath import ClusterView, DataPath
from appliance.exchange.route import Target
from appliance.gateway.errors import ClusterUnreachable

_PATIENCE = 30.0

log = logging.getLogger("tidegate.control")

Answer = TypeVar("Answer")


class Asking:
    """Remembers what could not be read, so that it is said once and not at every try."""

    def __init__(self, data_path: DataPath) -> None:
        self._data_path = data_path
        self._failing: set[str] = set()

    async def ask(
        self, target: Target, what: str, question: Callable[[ClusterView], Awaitable[Answer]]
    ) -> Answer | None:
        """Return the answer; None where there is none, of which the log is told with `what` it is about."""
        try:
            with trio.fail_after(_PATIENCE):
                async with self._data_path.cluster_client(target) as client:
                    answer = await question(client)
        except (ClusterUnreachable, trio.TooSlowError) as error:
            if what not in self._failing:
                log.warning("%s cannot be read: %s", what, error)
            self._failing.add(what)
            return None
        self._failing.discard(what)
        return answer
