"""A Fetch that finds nothing, told in the broker's place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kio.schema.errors import ErrorCode

from appliance.wire.apis import Api
from appliance.wire.codec import encode, response_type


def empty_fetch(
    api_version: int, session_id: int = 0, error: ErrorCode = ErrorCode.none, topics: tuple[Any, ...] = ()
) -> bytes:
    """Return the body of the answer; it names no partition but those of `topics`.

    With its id a fetch session (KIP-227) stays as it is, unless there is an error; without, the client begins another.
    """
    kind = response_type(Api.FETCH, api_version)
    values = {"throttle_time": timedelta(), "error_code": error, "session_id": session_id, "responses": topics}
    return encode(kind(**{name: value for name, value in values.items() if name in kind.__dataclass_fields__}))
