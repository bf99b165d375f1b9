"""A Fetch that finds nothing: the last answer on a connection to a cluster that serves no more.

It carries no records, so nothing is skipped, and no error: the client asks again, finds its connection closed, and
comes back by the same address to a node that knows better. A connection that breaks under a Fetch makes kafkajs forget
the broker and ask for Metadata in the midst of the next one, for a broker that then has no partitions: it sleeps for
`maxWaitTimeInMs`, 5 s by default, and does not speak to its group meanwhile.
"""

from __future__ import annotations

from datetime import timedelta

from kio.schema.errors import ErrorCode

from appliance.exchange.ledger import Entry
from appliance.wire.apis import Api
from appliance.wire.codec import encode, response_type
from appliance.wire.headers import response_frame


def unread(entry: Entry) -> bytes:
    """Return the whole frame of the answer. It ends a fetch session (KIP-227), as the connection's end would."""
    kind = response_type(Api.FETCH, entry.api_version)
    values = {
        "throttle_time": timedelta(),
        "error_code": ErrorCode.none,
        "session_id": 0,
        "responses": (),
    }
    body = encode(kind(**{name: value for name, value in values.items() if name in kind.__dataclass_fields__}))
    return response_frame(Api.FETCH, entry.api_version, entry.correlation_id, body)
