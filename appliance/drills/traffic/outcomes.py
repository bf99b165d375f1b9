"""What a failed delivery says of a record's fate.

librdkafka knows whether a message that it gave up on was ever sent (its message status), but confluent-kafka
does not hand that on; and an error that the broker gave to the last attempt says nothing of an earlier one
whose answer was lost. So a record counts as failed only where no attempt can have been written, and as
indeterminate for everything else. An indeterminate record may stand in the log or not: both are legal, and
neither is ever taken for a loss.
"""

from __future__ import annotations

from confluent_kafka import KafkaError

from appliance.drills.ledger import Outcome

_NEVER_WRITTEN = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_REQUIRED_ACKS,
        KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
    }
)
"""Properties of the record or of the request itself: they held for every attempt."""


def outcome_of(error: KafkaError | None) -> Outcome:
    """Return what a delivery report means.

    Errors raised by `produce` itself never come here: such a record has certainly failed.
    """
    if error is None:
        return "acknowledged"
    return "failed" if error.code() in _NEVER_WRITTEN else "indeterminate"
