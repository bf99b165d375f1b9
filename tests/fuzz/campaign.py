"""Very many conversations in this process, with an eye on time and memory."""

from __future__ import annotations

import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

from tests.fuzz.conversation import Conversation
from tests.fuzz.findings import Finding, Findings, of_error
from tests.fuzz.setups import Setup, setups

CPU_SECONDS = 20
"""That one conversation may take; the slowest takes some tens of milliseconds."""
_AFRESH = 5000
"""Conversations with the same faults: these count by client id what they strike, as long as they are in force."""
_WARM = 0.2
"""Share of the frames after which caches are full and memory must not grow any more."""
MOST_GROWTH = 32.0
"""MB of 2**20 bytes, from then on."""
_SHORTEST = 100_000
"""Frames below which growth is only caches that fill."""
_REPORT = 500
"""Conversations between two looks at the clock."""


class Hung(BaseException):
    """A conversation took too long; no `Exception`, so that nothing on the way swallows it."""


@dataclass
class Summary:
    frames: int = 0
    conversations: int = 0
    seconds: float = 0.0
    memory: list[float] = field(default_factory=list)
    """MB of 2**20 bytes: warm, and at the end."""
    endings: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def growth(self) -> float:
        """MB of 2**20 bytes."""
        return self.memory[-1] - self.memory[0] if self.memory else 0.0


def setup_and_random(seed: int, number: int, choices: tuple[Setup, ...]) -> tuple[Setup, Random]:
    """Return what a conversation is a function of."""
    random = Random(seed << 40 | number)
    return random.choice(choices), random


def run(frames: int, seed: int, findings: Findings, *, news: Callable[[Summary], None] = lambda _: None) -> Summary:
    """Hold conversations until so many frames have been read, or nothing more is to be learned."""
    summary, choices, began = Summary(), setups(), time.monotonic()
    while summary.frames < frames and not findings.full:
        number = summary.conversations
        if number % _AFRESH == 0:
            choices = setups()
        summary.frames += hold(seed, number, choices, findings, summary.endings)
        summary.conversations += 1
        if number % _REPORT == 0:
            summary.seconds = time.monotonic() - began
            if not summary.memory and summary.frames >= frames * _WARM:
                summary.memory.append(resident())
            news(summary)
    summary.seconds = time.monotonic() - began
    summary.memory.append(resident())
    if frames >= _SHORTEST and summary.growth > MOST_GROWTH:
        what = f"memory grew by {summary.growth:.0f} MB"
        findings.add(Finding(what, f"seed {seed}, {summary.frames} frames", "", b"", b""))
    news(summary)
    return summary


def again(seed: int, number: int, findings: Findings) -> None:
    """Hold one conversation as it was held in its campaign: behind those that met the same faults before it."""
    choices, before = setups(), Findings()
    for each in range(number - number % _AFRESH, number):
        hold(seed, each, choices, before, Counter())
    hold(seed, number, choices, findings, Counter())


def hold(seed: int, number: int, choices: tuple[Setup, ...], findings: Findings, endings: Counter[str]) -> int:
    """Hold one conversation and return its frames."""
    setup, random = setup_and_random(seed, number, choices)
    conversation = Conversation(setup, random)
    try:
        with _alarm():
            conversation.hold()
    except (Exception, Hung) as error:  # noqa: BLE001 - whatever comes is what we are looking for
        where = f"python -m tests.fuzz --seed {seed} --conversation {number} (setup {setup.name})"
        findings.add(of_error(error, where, bytes(conversation.said), bytes(conversation.answered)))
        conversation.ended = "found"
    endings[conversation.ended] += 1
    return conversation.frames


@contextmanager
def _alarm() -> Iterator[None]:
    """Raise Hung in whoever takes too much CPU: on a busy machine the clock on the wall would accuse the innocent."""

    def ring(_: int, __: FrameType | None) -> None:
        raise Hung(f"no end after {CPU_SECONDS} s of CPU")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def resident(pid: int | str = "self") -> float:
    """Return the resident memory of a process in MB of 2**20 bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
