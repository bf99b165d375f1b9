"""What cannot go yet keeps its order, and whoever gave it is told when it has gone."""

from collections.abc import Sequence

from appliance.gateway.outlet import Outlet
from appliance.wire.walk import Buffer


class Narrow:
    """A channel whose peer takes so many bytes and then no more, until it is told to."""

    def __init__(self, room: int = 0) -> None:
        self.room = room
        self.taken = b""

    def fileno(self) -> int:
        return -1

    def receive(self, into: memoryview) -> int | None:
        raise AssertionError(into)

    def more(self) -> bool:
        return False

    def close(self) -> None:
        raise AssertionError

    def send(self, pieces: Sequence[Buffer]) -> Sequence[Buffer]:
        if not self.room:
            return pieces
        whole = b"".join(pieces)
        going, left = whole[: self.room], whole[self.room :]
        self.taken += going
        self.room -= len(going)
        return [left] if left else ()


def test_what_the_peer_takes_at_once_needs_no_waiting():
    channel = Narrow(room=100)
    outlet = Outlet(channel)
    assert outlet.send([b"one", b"two"], lambda: None)
    assert channel.taken == b"onetwo"
    assert not outlet.blocked


def test_the_sender_is_told_once_everything_has_gone():
    channel, told = Narrow(room=4), []
    outlet = Outlet(channel)
    assert not outlet.send([b"one", b"two"], lambda: told.append("sent"))
    assert outlet.blocked
    channel.room = 1
    outlet.writable()
    assert told == []
    channel.room = 1
    outlet.writable()
    assert (told, channel.taken, outlet.blocked) == (["sent"], b"onetwo", False)


def test_two_senders_keep_their_order():
    channel, told = Narrow(), []
    outlet = Outlet(channel)
    outlet.send([b"first"], lambda: told.append(1))
    outlet.send([b"second"], lambda: told.append(2))
    channel.room = 100
    outlet.writable()
    assert (channel.taken, told) == (b"firstsecond", [1, 2])


def test_a_sender_may_send_again_when_it_is_told():
    channel = Narrow()
    outlet = Outlet(channel)

    def go_on() -> None:
        assert outlet.send([b"second"], go_on)

    outlet.send([b"first"], go_on)
    channel.room = 100
    outlet.writable()
    assert channel.taken == b"firstsecond"
