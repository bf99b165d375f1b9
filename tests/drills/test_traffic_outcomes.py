import pytest
from confluent_kafka import KafkaError

from appliance.drills.traffic.outcomes import outcome_of


def test_no_error_is_an_acknowledgement():
    assert outcome_of(None) == "acknowledged"


@pytest.mark.parametrize("code", [KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_REQUIRED_ACKS])
def test_what_no_attempt_can_have_written_has_failed(code):
    assert outcome_of(KafkaError(code)) == "failed"


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._MSG_TIMED_OUT,
        KafkaError._PURGE_INFLIGHT,
        KafkaError._PURGE_QUEUE,
        KafkaError._TRANSPORT,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    ],
)
def test_whatever_an_earlier_attempt_may_have_written_is_indeterminate(code):
    assert outcome_of(KafkaError(code)) == "indeterminate"
