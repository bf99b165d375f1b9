"""One direction of a connection pair: read, ask the exchange, send, and only then read again."""

from __future__ import annotations

from collections.abc import Callable

from appliance.exchange.step import Step, Then
from appliance.gateway.buffers import Reading
from appliance.gateway.channel import Channel
from appliance.gateway.outlet import Outlet

Ask = Callable[[memoryview, int, int], Step]


class Pump:
    """Moves bytes from a source to an outlet. Nothing in here waits: while not `listening` it is left alone, until
    what it waits for calls it (`go_on`).

    `pause` is handed each step that asks for something other than more bytes; it returns True where that is done
    already, else it sees to it that `go_on` is called later. `end` is called at the end of the stream. Both, and every
    method, may raise Malformed and OSError.
    """

    def __init__(
        self,
        source: Channel,
        reading: Reading,
        ask: Ask,
        outlet: Outlet,
        *,
        pause: Callable[[Step], bool],
        end: Callable[[], None],
    ) -> None:
        self.listening = True
        """Whether it is to be called when the source is readable."""
        self._source = source
        self._reading = reading
        self._need = 0
        self._ask = ask
        self._outlet = outlet
        self._pause = pause
        self._end = end
        self._step: Step | None = None
        """The step in hand: its pieces have not all gone, or it waits for something."""

    @property
    def idle(self) -> bool:
        """Whether it waits for the source, with nothing in hand."""
        return self.listening and self._reading.start == self._reading.end

    def readable(self) -> None:
        """Read what has come and move it on."""
        reading, source = self._reading, self._source
        while self.listening:
            count = source.receive(reading.room(self._need))
            if count is None:
                reading.used(reading.start, self._need)
                return
            if not count:
                self.listening = False
                self._end()
                return
            reading.end += count
            if reading.end - reading.start >= self._need:
                self._advance()
            if not source.more():
                return

    def go_on(self) -> None:
        """Take up the step that was paused, and what has come meanwhile."""
        self._step = None
        self._advance()
        if self._source.more():
            self.readable()

    def release(self) -> None:
        """Let go of the buffer and what is in it; the pump is of no use any more."""
        self.listening = False
        self._reading.release()

    def _advance(self) -> None:
        """Ask and send until more bytes are needed, or something has to be waited for."""
        reading = self._reading
        while True:
            step = self._ask(reading.buffer, reading.start, reading.end)
            self._need = step.need
            if step.pieces and not self._outlet.send(step.pieces, self._sent):
                self._step, self.listening = step, False
                return
            if not self._finished(step):
                return

    def _finished(self, step: Step) -> bool:
        """Do what a step asks for when its pieces have gone; return whether to ask again now."""
        step.pieces.clear()
        if step.then is Then.READ:
            self._reading.used(step.end, step.need)
            self.listening = True
            return False
        self._reading.used(step.end)
        if self._pause(step):
            return True
        self._step, self.listening = step, False
        return False

    def _sent(self) -> None:
        step, self._step = self._step, None
        if step is None:
            return  # released meanwhile
        if self._finished(step):
            self._advance()
        if self.listening and self._source.more():
            self.readable()
