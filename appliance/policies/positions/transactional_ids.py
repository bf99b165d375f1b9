"""Which transactional ids have producers that were born on a side that serves no more.

A producer's life begins with the answer to InitProducerId, which gives it its producer id and epoch. Those heard of on
the side that serves are `left behind` when another one serves, until they are heard of there. Where several processes
serve, each tells the others (`News`); one that was not told takes a producer for what it says it is.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.policies.positions.members import News

_MOST_IDS = 100_000
"""Transactional ids come from clients: a hostile one must not fill the memory with them."""


class TransactionalIds:
    """Shared by all connections of a virtual cluster; outlives snapshots. `tell` is called with what is news."""

    def __init__(self, tell: Callable[[News], None] | None = None) -> None:
        self._tell = tell
        self._born: dict[str, int] = {}
        self._left_behind: dict[str, int] = {}
        self._reborn: set[str] = set()
        self._switches = 0

    def born(self, transactional_id: str, timeout: int) -> None:
        """Take note that the side that serves has given the producer an id; its transactions may last so many
        milliseconds."""
        if self._took(transactional_id, timeout) and self._tell is not None:
            self._tell(News("born", "", "", transactional_id, str(timeout)))

    def take(self, news: News) -> None:
        """Take note of what another process heard."""
        self._took(news.group, int(news.who))

    def switched(self, times: int) -> None:
        """Take note that another cluster serves from now on."""
        if times > self._switches:
            self._switches = times
            self._left_behind |= self._born
            self._born, self._reborn = {}, set()

    def left_behind(self, transactional_id: str) -> int | None:
        """Return for how many milliseconds its transactions may last, if it is; else None."""
        return self._left_behind.get(transactional_id)

    def reborn(self, transactional_id: str) -> bool:
        """Return whether its producer was left behind, and has not ended a transaction since it was born again."""
        return transactional_id in self._reborn

    def ended(self, transactional_id: str) -> None:
        """Take note that its producer has ended a transaction on the side that serves."""
        self._reborn.discard(transactional_id)

    @property
    def any_left_behind(self) -> bool:
        """Whether there is any."""
        return bool(self._left_behind)

    def _took(self, transactional_id: str, timeout: int) -> bool:
        if self._left_behind.pop(transactional_id, None) is not None:
            self._reborn.add(transactional_id)
        if transactional_id not in self._born and len(self._born) >= _MOST_IDS:
            return False
        self._born[transactional_id] = timeout
        return True
