"""Damage: bytes flipped, lengths and counts made hostile, runs cut out, doubled, torn off or exchanged."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

HOSTILE = (
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xfe",
    b"\x80\0\0\0",
    b"\0\0\0\0",
    b"\x7f\xff",
    b"\xff\xff",
    b"\xff\xfe",
    b"\x80\0",
    b"\xff\xff\xff\xff\x07",  # varints: the largest int32, the largest of five bytes, overlong ones, one too long
    b"\xff\xff\xff\xff\x7f",
    b"\x80\x80\x80\x80\x00",
    b"\x80\x00",
    b"\xff\xff\xff\xff\xff\xff",
)
"""Lengths and counts that a parser must not believe."""
SIZE = 4
"""Bytes of a frame's size, which damage leaves alone: whether it still fits is decided at the end."""

Damage = Callable[[bytearray, Random], None]


def damaged(frame: bytes, random: Random) -> bytes:
    """Return the frame (size included) with up to four injuries. Mostly its size still says how long it is, so that
    what is inside gets read; sometimes it lies."""
    out = bytearray(frame)
    for _ in range(random.randint(1, 4)):
        if len(out) > SIZE:
            random.choice(_DAMAGES)(out, random)
    chance = random.random()
    if chance < 0.9:
        out[:SIZE] = (len(out) - SIZE).to_bytes(SIZE, "big")
    elif chance < 0.95:
        out[:SIZE] = random.choice(HOSTILE[:5])
    return bytes(out)


def _place(out: bytearray, random: Random) -> int:
    # Headers and counts stand in front: half of all injuries go there.
    last = len(out) if random.random() < 0.5 else min(len(out), SIZE + 60)
    return random.randrange(SIZE, max(last, SIZE + 1))


def _flip(out: bytearray, random: Random) -> None:
    at = _place(out, random)
    out[at] ^= 1 << random.randrange(8)


def _overwrite(out: bytearray, random: Random) -> None:
    out[_place(out, random)] = random.choice((0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF, random.randrange(256)))


def _hostile(out: bytearray, random: Random) -> None:
    at, what = _place(out, random), random.choice(HOSTILE)
    out[at : at + len(what)] = what


def _insert(out: bytearray, random: Random) -> None:
    at = _place(out, random)
    out[at:at] = random.choice(HOSTILE) if random.random() < 0.5 else random.randbytes(random.randint(1, 9))


def _cut_out(out: bytearray, random: Random) -> None:
    at = _place(out, random)
    del out[at : at + random.randint(1, 9)]


def _double(out: bytearray, random: Random) -> None:
    at = _place(out, random)
    run = out[at : at + random.randint(1, 40)]
    out[at:at] = run * random.randint(1, 4)


def _tear_off(out: bytearray, random: Random) -> None:
    del out[random.randrange(SIZE, len(out)) :]


def _exchange(out: bytearray, random: Random) -> None:
    here, there, size = _place(out, random), _place(out, random), random.randint(1, 12)
    run = out[there : there + size]
    out[here : here + len(run)] = run


def _header(out: bytearray, random: Random) -> None:
    """Make it another API or version: what follows is then read by another layout."""
    at = SIZE + 2 * random.randrange(2)
    out[at : at + 2] = (random.randrange(100) if random.random() < 0.9 else random.randrange(1 << 16)).to_bytes(
        2, "big"
    )


_DAMAGES: tuple[Damage, ...] = (
    _flip,
    _overwrite,
    _overwrite,
    _hostile,
    _hostile,
    _insert,
    _cut_out,
    _double,
    _tear_off,
    _exchange,
    _header,
)
