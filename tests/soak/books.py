"""What the users saw: the ledger's rows and how often what went wrong. Kept in memory, written at the end.

Only for the users' process: whoever imports locust gets gevent's sockets, with which trio does not run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path

from locust.stats import RequestStats

from appliance.drills.ledger import Outcome, RecordLedger, Write, write_ledger
from appliance.drills.traffic.marks import Mark, digest_of
from tests.soak.plans import LEDGER, USERS, VALUE_BYTES


class Books:
    """One process' record of a soak. Appending to a list is atomic: librdkafka's threads and greenlets share it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._start = clock, clock()
        self.ledger = RecordLedger()
        self._readers: dict[str, str | None] = {}

    def now(self) -> float:
        """Return the seconds since the start."""
        return self._clock() - self._start

    def wrote(
        self, topic: str, mark: Mark, sent: float, outcome: Outcome, offset: int | None = None, error: str = ""
    ) -> None:
        """Note a record's fate."""
        digest = digest_of(mark.value(VALUE_BYTES))
        self.ledger.writes.append(
            Write(
                mark.client, topic, mark.partition, mark.seq, mark.id, digest, sent, self.now(), outcome, offset, error
            )
        )

    def reads(self, client: str, group: str | None) -> None:
        """Note a reader, and the group that it is a member of."""
        self._readers[client] = group

    def close(self, folder: Path, statistics: RequestStats, unfinished: Collection[str]) -> None:
        """Write everything, locust's statistics too. Raises OSError."""
        write_ledger(folder / LEDGER, self.ledger.rows())
        rows = [
            {
                "user": entry.name,
                "what": entry.method,
                "count": entry.num_requests,
                "failures": entry.num_failures,
                "p50": entry.get_response_time_percentile(0.5),
                "p99": entry.get_response_time_percentile(0.99),
            }
            for entry in statistics.entries.values()
        ]
        errors = [[each.name, each.method, str(each.error), each.occurrences] for each in statistics.errors.values()]
        found = {"users": rows, "errors": errors, "readers": self._readers, "unfinished": sorted(unfinished)}
        (folder / USERS).write_text(json.dumps(found, indent=1))
