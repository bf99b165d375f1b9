"""A connection of the gateway's own small Kafka client to one node: one question at a time, versions negotiated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from appliance.exchange.route import Target
from appliance.gateway.channel import Channel, receive_exactly, send_all
from appliance.gateway.dialer import Dialer
from appliance.gateway.errors import ClusterUnreachable, NotLoggedIn, TlsUnusable
from appliance.wire.apis import Api, name_of
from appliance.wire.codec import decode, encode, request_type, response_type
from appliance.wire.errors import Malformed
from appliance.wire.headers import RESPONSE_HEAD, SIZE, request_frame, response_body

CLIENT_ID = "tidegate"
_LONGEST_ANSWER = 64 * 1024 * 1024
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 15.0
_VERSIONS: Mapping[Api, tuple[int, int]] = {
    Api.PRODUCE: (3, 9),
    Api.FETCH: (4, 12),
    Api.LIST_OFFSETS: (1, 7),
    Api.METADATA: (0, 12),
    Api.OFFSET_FETCH: (8, 8),
    Api.OFFSET_COMMIT: (8, 9),
    Api.FIND_COORDINATOR: (4, 4),
    Api.DESCRIBE_GROUPS: (5, 5),
    Api.LIST_GROUPS: (4, 5),
    Api.API_VERSIONS: (0, 3),
    Api.INIT_PRODUCER_ID: (2, 4),
    Api.DESCRIBE_ACLS: (2, 3),
    Api.DESCRIBE_CONFIGS: (4, 4),
    Api.DESCRIBE_TRANSACTIONS: (0, 0),
    Api.LIST_TRANSACTIONS: (0, 1),
}
"""The versions that this client writes and reads, the lowest and the highest; brokers since 3.0 know one of each."""


class Link:
    """A connection to one node; made by `open`. Every method raises ClusterUnreachable."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._name = name
        self._correlation_id = 0
        self.ranges: Mapping[int, tuple[int, int]] = {}
        """API key -> the lowest and the highest version that the node speaks."""
        self.closed = False

    @classmethod
    async def open(cls, dialer: Dialer, target: Target, host: str, port: int, principal: str | None) -> Link:
        """Connect as this principal, and learn what the node speaks."""
        name = f"{host}:{port}"
        try:
            dialled = await dialer.dial(target, host, port, seconds=_CONNECT_SECONDS, principal=principal)
        except (OSError, TlsUnusable, NotLoggedIn) as error:
            raise ClusterUnreachable(f"{name}: {_reason(error)}") from error
        link = cls(dialled.channel, name)
        try:
            answer = await link.ask(Api.API_VERSIONS, request_type(Api.API_VERSIONS, 0)(), version=0)
        except BaseException:
            link.close()
            raise
        link.ranges = {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys}
        return link

    def version(self, api: Api) -> int:
        """Return the highest version that both sides know. Raises ClusterUnreachable where there is none."""
        low, high = self.ranges.get(api, (0, -1))
        ours_low, ours_high = _VERSIONS[api]
        if min(high, ours_high) < max(low, ours_low):
            offered = f"it offers {low} to {high}" if high >= low else "it does not know it"
            raise ClusterUnreachable(
                f"{self._name}: expected {name_of(api)} in a version from {ours_low} to {ours_high}; {offered}"
            )
        return min(high, ours_high)

    async def ask(self, api: Api, question: Any, *, version: int | None = None) -> Any:
        """Ask and return kio's answer; one question at a time."""
        version = self.version(api) if version is None else version
        self._correlation_id += 1
        frame = request_frame(api, version, self._correlation_id, CLIENT_ID, encode(question))
        try:
            with trio.fail_after(_ANSWER_SECONDS):
                await send_all(self._channel, [frame])
                size = SIZE.unpack(await receive_exactly(self._channel, SIZE.size))[0]
                if not 0 <= size <= _LONGEST_ANSWER:
                    raise OSError(f"expected a Kafka answer, found a frame of {size} bytes")
                answer = await receive_exactly(self._channel, size)
        except trio.TooSlowError:
            self.close()
            raise ClusterUnreachable(
                f"{self._name}: no answer to {name_of(api)} within {_ANSWER_SECONDS:g} s"
            ) from None
        except (OSError, EOFError) as error:
            self.close()
            raise ClusterUnreachable(f"{self._name}: {_reason(error)}") from error
        whole = SIZE.pack(size) + answer
        try:
            if RESPONSE_HEAD.unpack_from(whole)[1] != self._correlation_id:
                raise Malformed(f"the answer is not to request {self._correlation_id}")
            return decode(response_type(api, version), whole[response_body(whole, 0, len(whole), api, version) :])
        except Malformed as error:
            self.close()
            raise ClusterUnreachable(f"{self._name}: its answer to {name_of(api)} cannot be read: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self.closed = True
        self._channel.close()


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the connection was closed"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
