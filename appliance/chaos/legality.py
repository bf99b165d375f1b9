"""Which errors a broker could have given, by API and by where the fault strikes.

A fault that no broker could cause teaches clients nothing. `before`: the broker refuses and has applied nothing.
`after`:
it has appended, and says so, or does not know whether the replicas have.
"""

from __future__ import annotations

from kio.schema.errors import ErrorCode

BEFORE, AFTER = "before", "after"

LEGAL: dict[tuple[str, str], frozenset[ErrorCode]] = {
    ("Produce", BEFORE): frozenset(
        {
            ErrorCode.corrupt_message,
            ErrorCode.unknown_topic_or_partition,
            ErrorCode.not_leader_or_follower,
            ErrorCode.message_too_large,
            ErrorCode.invalid_topic_exception,
            ErrorCode.record_list_too_large,
            ErrorCode.not_enough_replicas,
            ErrorCode.topic_authorization_failed,
            ErrorCode.invalid_timestamp,
            ErrorCode.policy_violation,
            ErrorCode.kafka_storage_error,
            ErrorCode.invalid_record,
        }
    ),
    # A delayed produce that loses its leader, its replicas or its time has been appended to the leader's log.
    ("Produce", AFTER): frozenset(
        {
            ErrorCode.not_leader_or_follower,
            ErrorCode.request_timed_out,
            ErrorCode.not_enough_replicas_after_append,
        }
    ),
    ("Fetch", BEFORE): frozenset(
        {
            ErrorCode.offset_out_of_range,
            ErrorCode.corrupt_message,
            ErrorCode.unknown_topic_or_partition,
            ErrorCode.not_leader_or_follower,
            ErrorCode.topic_authorization_failed,
            ErrorCode.kafka_storage_error,
            ErrorCode.fenced_leader_epoch,
            ErrorCode.unknown_leader_epoch,
            ErrorCode.offset_not_available,
        }
    ),
}
# Reading changes nothing: before and after the broker has read is the same to everyone.
LEGAL["Fetch", AFTER] = LEGAL["Fetch", BEFORE]


def error_named(name: str) -> ErrorCode | None:
    """Return Kafka's error of this name (NOT_LEADER_OR_FOLLOWER), None if there is none."""
    return ErrorCode.__members__.get(name.lower())


def names(codes: frozenset[ErrorCode]) -> str:
    """Return the names of the errors, for people."""
    return ", ".join(sorted(code.name.upper() for code in codes))
