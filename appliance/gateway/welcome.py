"""A client that is not known yet: it may ask for versions and prove who it is, and nothing else.

Nothing of what it sends goes upstream. Versions are told from what the cluster said of itself, as most clients ask for
them once, before they log in, and keep to the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from appliance.exchange.step import NotAuthenticated
from appliance.gateway.channel import Channel, receive_exactly, send_all
from appliance.gateway.login import Logins, Outcome
from appliance.identity.conversation import MAX_TOKEN, Conversation
from appliance.wire.apis import SASL, Api, name_of
from appliance.wire.errors import Malformed
from appliance.wire.headers import SIZE, odd_frame, request_header, response_frame

_LONGEST = MAX_TOKEN + 1024

Versions = Callable[[int, bytes], Awaitable[tuple[int, bytes]]]
"""ApiVersions version and request body -> the version and the body of the answer."""


async def welcome(
    channel: Channel, conversation: Conversation, logins: Logins, versions: Versions, *, who: dict[str, object]
) -> str:
    """Talk until the conversation has a principal; return the client id that was said.

    Raises Refused for whoever does not prove anything, Malformed for bytes that are not Kafka's, OSError.
    """
    client_id = ""
    while conversation.principal is None:
        frame = await _frame(channel)
        if conversation.bare_tokens:
            outcome = await logins.token(conversation, frame[SIZE.size :], who=who)
            if outcome.body is not None:
                await send_all(channel, [SIZE.pack(len(outcome.body)), outcome.body])
        else:
            header = request_header(frame, 0, len(frame))
            client_id = header.client_id or client_id
            body, answered_in = frame[header.body :], header.api_version
            if header.api_key == Api.API_VERSIONS:
                answered_in, answer = await versions(header.api_version, body)
                outcome = Outcome(answer)
            elif header.api_key in SASL:
                outcome = await logins.request(
                    conversation, header.api_key, header.api_version, body, who={**who, "client_id": client_id or None}
                )
            else:
                raise NotAuthenticated(f"expected the client to authenticate first, found {name_of(header.api_key)}")
            if outcome.body is not None:
                await send_all(
                    channel, [response_frame(header.api_key, answered_in, header.correlation_id, outcome.body)]
                )
        if outcome.close:
            raise NotAuthenticated("the client did not authenticate")
    return client_id


async def _frame(channel: Channel) -> bytes:
    try:
        head = await receive_exactly(channel, SIZE.size)
        size = SIZE.unpack(head)[0]
        if not 0 <= size <= _LONGEST:
            raise Malformed(odd_frame(head + bytes(1), 0, _LONGEST))
        return head + await receive_exactly(channel, size)
    except EOFError:
        raise NotAuthenticated("the client closed its connection before it authenticated") from None
