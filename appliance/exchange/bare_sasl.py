"""SaslHandshake 0 at the broker: refused, because what follows it is no Kafka.

After version 0 tokens come bare, a size and the mechanism's bytes, for as many rounds as the mechanism takes; nothing
in them says which answer belongs to which request, or where Kafka's frames begin again. From version 1 on tokens travel
in SaslAuthenticate (KIP-152), which every client since Kafka 1.0 speaks. Where the gateway itself authenticates clients
it knows where the conversation ends, and version 0 never comes here.
"""

from __future__ import annotations

from kio.schema.errors import ErrorCode

from appliance.wire.apis import Api
from appliance.wire.codec import encode, response_type


def is_bare_sasl(api_key: int, api_version: int) -> bool:
    """Return whether bare tokens follow such a request."""
    return api_key == Api.SASL_HANDSHAKE and api_version == 0


def handshake_refusal() -> bytes:
    """Return the answer to it: UNSUPPORTED_VERSION, and no mechanism."""
    return encode(response_type(Api.SASL_HANDSHAKE, 0)(error_code=ErrorCode.unsupported_version, mechanisms=()))
