"""The content of records is in no log line, at any level, whatever becomes of the connection."""

from __future__ import annotations

import logging

import pytest

from appliance.resources.limits import LimitsSpec
from tests.gateway import messages
from tests.gateway.scene import scene

RECORD = b"card 4929-1234-5678-9012"


def is_told(caplog: pytest.LogCaptureFixture) -> bool:
    """Return whether any line has some of the record, as text or as digits."""
    said = [f"{each.getMessage()} {each.__dict__}" for each in caplog.records if each.name.startswith("tidegate")]
    assert said, "nothing was logged: the test proves nothing"
    return any(part in line for line in said for part in (RECORD.decode(), RECORD.hex(), "4929"))


@pytest.fixture(autouse=True)
def _everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


async def test_of_a_write_behind_which_nonsense_comes(caplog: pytest.LogCaptureFixture):
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.produce(2, RECORD))
        await conversation.expect_request()
        await client.send(RECORD * 10)
        await client.closed()
        await here.is_served()
    assert not is_told(caplog)


async def test_of_a_write_that_is_too_large(caplog: pytest.LogCaptureFixture):
    async with scene(limits=LimitsSpec.model_validate({"frame": "1000B"})) as here:
        client = await here.client()
        await client.send(messages.produce(2, RECORD * 100))
        await client.closed()
        await here.is_served()
    assert not is_told(caplog)


async def test_of_an_answer_that_nobody_asked_for(caplog: pytest.LogCaptureFixture):
    async with scene() as here:
        client, conversation = await here.link()
        await conversation.stream.send_all(messages.response(99, RECORD))
        await client.closed()
        await here.is_served()
    assert not is_told(caplog)


async def test_of_an_answer_that_cannot_be_read(caplog: pytest.LogCaptureFixture):
    async with scene() as here:
        client, conversation = await here.link()
        await client.send(messages.metadata(2))
        await conversation.answer(await conversation.expect_request(), RECORD)
        await client.closed()
        await here.is_served()
    assert not is_told(caplog)
