"""Why a bar was missed, where that is known: said on the page for the rows that it explains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.matrix.standing import Mode
from tests.switching.rows import Row


@dataclass(frozen=True)
class _Reason:
    applies: Callable[[Row], bool]
    title: str
    text: str


def _slow(row: Row) -> bool:
    return row.act != "unplanned" and (row.stable is None or row.stable > 5)


def _fetches_with_kafkajs(row: Row) -> bool:
    return row.client == "kafkajs" and not row.mode.produces


_REASONS = (
    _Reason(
        lambda row: row.mode is Mode.PRODUCER and row.out_of_order > 0,
        "Producers that are not idempotent write out of order",
        "Each has several requests in flight by default. When its connection closes with some under way, it "
        "sends them again in whatever order they come back to it; its library's documentation says so. Those that were "
        "held are written by the gateway (`remedies.held_writes`); a connection on which something else was under way "
        "at that moment is closed all the same. Let the producer be idempotent, or have one request in flight.",
    ),
    _Reason(
        lambda row: not row.mode.idempotent and row.act != "unplanned" and row.duplicated > 0,
        "Producers that are not idempotent write a record twice",
        "Metadata of the new cluster does not name the old one's brokers. Libraries then close their connections to "
        "them, with a request under way, and send it again. That is what at-least-once means: let the producer be "
        "idempotent.",
    ),
    _Reason(
        lambda row: row.mode is Mode.STREAMS and "committing offsets via consumer" in row.said,
        "A Streams application shuts down",
        "It commits while its consumer is joining its group anew. The consumer says RebalanceInProgressException, "
        "which can be tried again; Streams 4.3 passes it on to its uncaught exception handler, and what that does by "
        "default is to shut down. A handler that says REPLACE_THREAD goes on.",
    ),
    _Reason(
        lambda row: row.mode is Mode.IDEMPOTENT and row.out_of_order > 0,
        "An idempotent producer wrote out of order",
        "A cluster that does not know a producer takes any sequence number for its first. Of two batches that were "
        "held at the fence on two connections (to the door of a node of the old cluster, and to that of the new "
        "leader) the later one may come first, and the cluster has no way to tell. Nothing is lost or written "
        "twice.",
    ),
    _Reason(
        lambda row: row.mode is Mode.TRANSACTIONAL and _slow(row),
        "Transactional producers are slow to come back",
        "The transaction at hand fails, as the new cluster does not know the producer. Java, librdkafka, franz-go and "
        "sarama abort and go on with another producer id (Java 2.8 and 3.9 after a second transaction that fails: they "
        "take the partitions of the first for added); kafka-python and aiokafka want a new producer. franz-go looks "
        "for new leaders every 5 s at the most. Nothing is lost: what was not committed was told as failed.",
    ),
    _Reason(
        lambda row: _slow(row) and _fetches_with_kafkajs(row),
        "A consumer of kafkajs is back after five seconds",
        "It has a fetcher for each broker, and speaks to its group only when one of them comes back. The fetcher of a "
        "broker that new Metadata gives no partitions to sleeps for `maxWaitTimeInMs`, 5 s by default; lower it to be "
        "back sooner.",
    ),
    _Reason(
        lambda row: (
            _slow(row) and row.mode is not Mode.TRANSACTIONAL and not row.ended and not _fetches_with_kafkajs(row)
        ),
        "Back later than 5 s",
        "Writes are held for some tenths of a second; the rest is the library's way back after its connections have "
        "closed: its back-off, the shortest time between two looks at Metadata, the interval of its heartbeats.",
    ),
    _Reason(
        lambda row: row.redelivered_committed > 0 and row.act != "unplanned",
        "Records come again that were committed",
        "Nobody may commit for a group that still has members on the target, from a session of before: its offsets "
        "there stay as they were.",
    ),
)


def missed_bars(rows: Sequence[Row]) -> str:
    """Return the section on bars that were missed with the remedies on; empty where none was."""
    broken = [row for row in rows if row.broken and row.remedies == "on"]
    paragraphs = []
    for reason in _REASONS:
        if its := [row for row in broken if reason.applies(row)]:
            who = ", ".join(dict.fromkeys(row.client for row in its))
            paragraphs.append(f"**{reason.title}** ({who}). {reason.text}")
    left = [row for row in broken if not any(reason.applies(row) for reason in _REASONS)]
    if left:
        who = "; ".join(f"{row.client}, {row.mode}, {row.act}" for row in left)
        paragraphs.append(f"**Not explained yet**: {who}.")
    return "## Why bars were missed\n\n" + "\n\n".join(paragraphs) + "\n\n" if paragraphs else ""
