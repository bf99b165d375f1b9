"""Clients by what they say of themselves: name, and from which version on."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from appliance.resources.consumer_switching import ClientSoftware


@pytest.mark.parametrize("version", ["4.0", "4.0.0", "4.3.1", "4.10.2-ccs", "v4.1.0", "10.0"])
def test_versions_are_compared_number_by_number(version: str):
    assert ClientSoftware(software="apache-kafka-java", since="4.0").matches("apache-kafka-java", version)


@pytest.mark.parametrize("version", ["3.9.2", "3.10", "unknown", "", "v3.9"])
def test_older_ones_and_those_that_do_not_say_are_none(version: str):
    assert not ClientSoftware(software="apache-kafka-java", since="4.0").matches("apache-kafka-java", version)


def test_without_a_version_all_are_meant_and_only_of_that_name():
    its = ClientSoftware(software="librdkafka")
    assert its.matches("librdkafka", "")
    assert its.matches("librdkafka", "2.16.0")
    assert not its.matches("librdkafka-js", "2.16.0")


@pytest.mark.parametrize(
    "said", [{"software": ""}, {"software": "a b"}, {"software": "kgo", "since": "v1"}, {"since": "1"}]
)
def test_what_no_client_could_say_is_an_error(said: dict[str, str]):
    with pytest.raises(ValidationError):
        ClientSoftware.model_validate(said)
