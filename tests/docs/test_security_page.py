"""The resources on the page about security are ones that the gateway takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from appliance.resources.documents import Document, check_resource, parse_documents
from appliance.resources.listener import Listener

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
DOCUMENTS = [
    document
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for document in parse_documents(block, PAGE.name)
]


def test_there_are_some():
    assert len(DOCUMENTS) == 6


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_resource_is_valid(document: Document):
    assert check_resource(document).name


def test_a_broker_has_the_host_name_that_the_page_says():
    found = check_resource(DOCUMENTS[0])
    assert isinstance(found, Listener)
    assert found.spec.advertised(2) == ("b2.orders.kafka.example", 9093)
