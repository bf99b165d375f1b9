"""One client connection and its upstream connection, without the sockets.

The shell reads bytes into a buffer and asks `requests` (client to broker) or `responses` (broker to client) what to do
with them; the answer is a `Step`: bytes to send on, up to where the buffer is used up, and perhaps something to do
before going on. Most frames are opaque: they are entered in the ledger and pass as they arrive, without being held or
looked into. A frame that somebody wants to see is asked for whole (`Step.need`).

Rules of this file and its two halves: no clock, no sockets, no waiting; the buffer belongs to the caller and is kept
from one call to the next only as far as it is copied; whatever bytes come, the only exception is Malformed.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.exchange.connection import Connection
from appliance.exchange.empty_fetch import empty_fetch
from appliance.exchange.ledger import Entry
from appliance.exchange.message import Question
from appliance.exchange.requests import Requests
from appliance.exchange.responses import Responses
from appliance.exchange.step import Step
from appliance.wire.apis import Api, kind_in_words
from appliance.wire.errors import Malformed
from appliance.wire.headers import request_frame, response_frame
from appliance.wire.walk import Buffer

OWN = -2
"""Correlation id of the gateway's own requests. Order alone decides which response is whose."""


class Exchange(Connection):
    """Both directions of one connection pair, and the state that they share."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._requests = Requests(self)
        self._responses = Responses(self)

    def requests(self, buffer: Buffer, start: int, end: int) -> Step:
        """Say what to do with the client's bytes `buffer[start:end]`. Raises Malformed."""
        return self._requests.take(buffer, start, end)

    def end_of_requests(self) -> None:
        """Take note that the client sends no more. Raises Malformed where it stopped within a request."""
        if self._requests.within_frame:
            raise Malformed("the client closed its connection in the middle of a request")

    def responses(self, buffer: bytearray | memoryview, start: int, end: int) -> Step:
        """Say what to do with the broker's bytes `buffer[start:end]`, which may be changed in place. Raises
        Malformed."""
        return self._responses.take(buffer, start, end)

    def end_of_responses(self) -> None:
        """Take note that the broker sends no more. Raises Malformed where it still owes an answer, or part of one."""
        if self._responses.within_frame:
            raise Malformed("the broker closed its connection in the middle of a response")
        owed = self.ledger.head()
        if owed is not None:
            what = kind_in_words(owed.api_key, owed.api_version)
            raise Malformed(f"the broker closed its connection without an answer to {what}")

    @property
    def between_requests(self) -> bool:
        """Whether no request has gone upstream in part, so that one of the gateway's own may go."""
        return self._requests.between_frames

    def ask(self, api_key: int, api_version: int, body: bytes, answered: Callable[[bytes], None]) -> bytes:
        """Return a request of the gateway's own, to be sent upstream now; `answered` gets the body of the response.

        Only while `reserved`, and between requests.
        """
        assert self.reserved
        assert self.between_requests
        self.ledger.enter(Entry(OWN, api_key, api_version, answered=answered))
        return request_frame(api_key, api_version, OWN, "tidegate", body)

    def answer(self, question: Question, body: bytes) -> None:
        """Answer a SASL request (`Then.AUTHENTICATE`) in its turn."""
        self._requests.answer(question, body)

    def when_told(self, look_again: Callable[[], None]) -> None:
        """Call it once, when the request that waits for somebody else's answer (`Then.OTHERS`) is worth another try."""
        self._requests.when_told(look_again)

    def find_nothing(self) -> list[bytes]:
        """Let every Fetch under way find nothing, where the client waits for nothing else; return the answers.

        They are the last on a connection to a cluster that serves no more. Without records nothing is skipped, and
        without an error the client asks again, finds its connection closed, and comes back by the same address to a
        node that knows better. A connection that breaks under a Fetch makes kafkajs forget the broker and ask for
        Metadata in the midst of the next one, for a broker that then has no partitions: it sleeps for
        `maxWaitTimeInMs`, 5 s by default, and does not speak to its group meanwhile.
        """
        owed = self.ledger.entries()
        if self._responses.within_frame or any(each.api_key != Api.FETCH for each in owed):
            return []
        for each in owed:
            each.local = response_frame(Api.FETCH, each.api_version, each.correlation_id, empty_fetch(each.api_version))
        return self.local_answers()

    def local_answers(self) -> list[bytes]:
        """Return the gateway's own answers that may go to the client now."""
        return self.ledger.take_local()
