"""The way out of one side: pieces that could not be sent yet, in order, and who waits for their going."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from appliance.gateway.channel import Channel
from appliance.wire.walk import Buffer


class Outlet:
    """Sends at once where it can. A sender that is told to wait gives nothing more until it is told to go on, so at
    most one step of each pump is held here. Without a channel everything waits for one."""

    def __init__(self, channel: Channel | None = None) -> None:
        self._channel = channel
        self._left: list[Buffer] = []
        self._waiting: list[Callable[[], None]] = []

    @property
    def blocked(self) -> bool:
        """Whether something waits for the peer to take it, or for there to be one."""
        return bool(self._left)

    def send(self, pieces: Sequence[Buffer], when_sent: Callable[[], None]) -> bool:
        """Send all pieces; where that is not possible now, return False, and call `when_sent` once it is done.

        The pieces must stay as they are until then. Raises OSError.
        """
        if self._left or self._channel is None:
            self._left += pieces
        else:
            left = self._channel.send(pieces)
            if not left:
                return True
            self._left = list(left)
        self._waiting.append(when_sent)
        return False

    def open(self, channel: Channel) -> None:
        """Send by this channel from now on. Raises OSError."""
        self._channel = channel
        self.writable()

    def writable(self) -> None:
        """Go on where the peer takes more. Raises OSError."""
        assert self._channel is not None
        while self._left:
            left = self._channel.send(self._left)
            if left is self._left:
                return
            self._left = list(left)
        waiting, self._waiting = self._waiting, []
        for when_sent in waiting:
            when_sent()
