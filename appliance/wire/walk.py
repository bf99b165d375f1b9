"""Walks: pass over a message's bytes and report where the wanted fields stand, without building anything.

A walk is compiled once per (API, version, direction, wanted fields) into one Python generator function: runs of fixed
fields become one addition, strings and record bytes are skipped by their length, arrays become loops. It stops after
the last wanted field, so that the brokers of a Metadata response cost the same whether ten topics follow or ten
thousand.

The generator suspends where bytes are missing, so that one and the same walk serves a message that is whole in memory
(`Walk.places`) and one that streams through in pieces (`Walk.stream`). A compiled state machine by hand for Fetch alone
would be as fast, but a second thing to keep right.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache
from typing import NamedTuple

from kio.static.protocol import Entity

from appliance.wire.errors import Malformed
from appliance.wire.layout import Array, Direction, Field, Fixed, Nested, Sized, Struct, layout_of, struct_of

Buffer = bytes | bytearray | memoryview


class Place(NamedTuple):
    """Where a wanted field stands: `buffer[start:end]`, its length prefix included.

    A wanted array of numbers or strings has a place for each of them. For a tagged struct, or array of structs, that is
    wanted as a whole it is the head: tag number and size, in front of the data. For `field.size` of a string or bytes
    it is the length prefix alone, which is there before what it measures is.
    """

    field: int
    """Index into the walk's wanted fields."""
    start: int
    end: int


_Suspended = Generator[int, tuple[Buffer, int, int], int]


class Walk:
    """A compiled walk; made by `walk_of`. Keeps no state, can be shared."""

    def __init__(self, wanted: tuple[str, ...], run: Callable[[Buffer, int, int, list[Place]], _Suspended]) -> None:
        self.wanted = wanted
        self._run = run

    def places(self, body: Buffer, start: int, end: int) -> list[Place]:
        """Return the places of the wanted fields in `body[start:end]`, in the order in which they stand.

        Raises Malformed where the message ends before its fields do.
        """
        found: list[Place] = []
        try:
            at = next(self._run(body, start, end, found))
        except StopIteration as stop:
            at = stop.value
            if at <= end:
                return found
        raise Malformed(f"a message of {end - start} bytes ends before its fields do (at byte {at - start})")

    def stream(self, body: Buffer, start: int, end: int) -> Streaming:
        """Begin a walk over a message of which only `body[start:end]` has arrived."""
        return Streaming(self._run, body, start, end)


class Streaming:
    """A walk over a message that arrives in pieces.

    `at` is how far the walk has come in the piece it was last given: bytes before it are done with, those from it on
    must be given again together with what follows. `at` beyond the piece's end means that so many bytes of the
    following pieces are of no interest. `found` has the places in that piece only.
    """

    def __init__(
        self, run: Callable[[Buffer, int, int, list[Place]], _Suspended], body: Buffer, start: int, end: int
    ) -> None:
        self.found: list[Place] = []
        self.done = False
        self._walk = run(body, start, end, self.found)
        self.at = start
        self._step(lambda: next(self._walk))

    def feed(self, body: Buffer, start: int, end: int) -> None:
        """Go on with the next piece, whose first wanted byte is `body[start]`."""
        self.found.clear()
        self._step(lambda: self._walk.send((body, start, end)))

    def _step(self, resume: Callable[[], int]) -> None:
        try:
            self.at = resume()
        except StopIteration as stop:
            self.at = stop.value
            self.done = True


@cache
def walk_of(api_key: int, api_version: int, direction: Direction, wanted: tuple[str, ...]) -> Walk:
    """Compile the walk that reports the wanted fields, named by dotted path (`brokers.host`).

    Fields that this version does not have are never found. Raises kio.index.KioIndexError for an unknown kind of
    message.
    """
    source = _Source(wanted).of(layout_of(api_key, api_version, direction))
    return _compiled(wanted, source, f"{direction} {api_key} v{api_version}")


@cache
def thorough_walk(entity: type[Entity]) -> Walk:
    """Compile the walk that finds nothing and believes nothing: it reads a message of this class of kio's to its end.

    It raises Malformed for whatever such a message cannot be: counts and lengths that the bytes do not cover, null
    where there is none, tagged fields that are not as long as they say.
    """
    return _compiled((), _Source((), thorough=True).of(struct_of(entity)), entity.__qualname__)


def _compiled(wanted: tuple[str, ...], source: str, name: str) -> Walk:
    namespace: dict[str, Callable[[Buffer, int, int, list[Place]], _Suspended]] = {}
    exec(compile(source, f"<walk {name}>", "exec"), _NAMES, namespace)  # noqa: S102 - our own text
    return Walk(wanted, namespace["walk"])


def long_varint(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    """Read an unsigned varint of up to five bytes; return it and the position behind it, 0 where bytes are missing."""
    value = shift = 0
    while at < end:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 28:
            raise Malformed("expected a varint of at most five bytes, found a longer one")
    return 0, 0


def compact_length(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    """Read a compact length (0 for null) and the position behind it, 0 where bytes are missing."""
    length, after = long_varint(buffer, at, end)
    return max(length - 1, 0), after


def legacy_length(buffer: Buffer, at: int, end: int, width: int) -> tuple[int, int]:
    """Read a length of `width` bytes (0 for null) and the position behind it, 0 where bytes are missing."""
    if end - at < width:
        return 0, 0
    length = int.from_bytes(buffer[at : at + width], "big", signed=True)
    if length < -1:
        raise Malformed(f"expected a length, found {length}")
    return max(length, 0), at + width


def tag_head(buffer: Buffer, at: int, end: int) -> tuple[int, int, int]:
    """Read number and size of a tagged field and the position behind them, 0 where bytes are missing."""
    tag, after = long_varint(buffer, at, end)
    if not after:
        return 0, 0, 0
    size, after = long_varint(buffer, after, end)
    return tag, size, after


_NAMES = {
    "Place": Place,
    "Malformed": Malformed,
    "long_varint": long_varint,
    "compact_length": compact_length,
    "legacy_length": legacy_length,
    "tag_head": tag_head,
}


class _Source:
    """Writes the text of one walk. `pos` is always where the next unread byte is, perhaps beyond what has arrived."""

    def __init__(self, wanted: tuple[str, ...], *, thorough: bool = False) -> None:
        self._codes = {path: code for code, path in enumerate(wanted)}
        self._thorough = thorough
        """Passes over everything, and checks on the way what others leave to whoever reads the message."""
        self._lines: list[str] = []
        self._depth = 1
        self._loops = 0

    def of(self, struct: Struct) -> str:
        self._lines = ["def walk(buf, pos, end, found):"]
        self._fields(struct, "", stop_early=not self._thorough)
        self._line("return pos")
        # Makes it a generator also where nothing needs to wait.
        self._line("yield pos")
        return "\n".join(self._lines)

    def _line(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    def _wants(self, path: str) -> bool:
        return self._thorough or path in self._codes or self._wants_below(path)

    def _wants_below(self, path: str) -> bool:
        return any(each.startswith(path + ".") for each in self._codes)

    def _fields(self, struct: Struct, prefix: str, *, stop_early: bool = False, tags: bool = True) -> None:
        wants_tags = any(self._wants(prefix + field.name) for field in struct.tagged.values())
        left = list(struct.fields)
        while left:
            if stop_early and not wants_tags and not any(self._wants(prefix + field.name) for field in left):
                return
            run = []
            while left and isinstance(left[0], Fixed):
                run.append(left.pop(0))
            if run:
                self._fixed(run, prefix)
            elif isinstance(field := left.pop(0), Sized):
                self._sized(field, prefix, compact=struct.flexible)
            elif isinstance(field, Array):
                self._array(field, prefix, compact=struct.flexible)
            else:
                assert isinstance(field, Nested)
                self._nested(field, prefix)
        if tags and struct.flexible and not (stop_early and not wants_tags):
            self._tags(struct, prefix)

    def _fixed(self, run: list[Field], prefix: str) -> None:
        sizes = [field.size for field in run if isinstance(field, Fixed)]
        total = sum(sizes)
        wanted = [(self._codes[prefix + field.name], sum(sizes[:at]), size) for at, (field, size) in enumerate(zip(run,
        sizes, strict=True))
                  if prefix + field.name in self._codes]  # fmt: skip
        if wanted:
            self._line(f"while end - pos < {total}: buf, pos, end = yield pos")
            for code, offset, size in wanted:
                self._line(f"found.append(Place({code}, pos + {offset}, pos + {offset + size}))")
        self._line(f"pos += {total}")

    def _varint(self, into: str) -> None:
        self._line("while True:")
        self._line("    if pos < end:")
        self._line(f"        {into} = buf[pos]")
        self._line(f"        if {into} < 128:")
        self._line("            pos += 1")
        self._line("            break")
        self._line(f"        {into}, after = long_varint(buf, pos, end)")
        self._line("        if after:")
        self._line("            pos = after")
        self._line("            break")
        self._line("    buf, pos, end = yield pos")

    def _length(self, *, compact: bool, width: int, nullable: bool) -> None:
        """Leave the length in `n` (0 for null) and `pos` behind it."""
        checked = self._thorough and not nullable
        if compact:
            self._varint("n")
            self._line("if n: n -= 1")
            if checked:
                self._line("else: raise Malformed('found null where there is none')")
            return
        self._line(f"while end - pos < {width}: buf, pos, end = yield pos")
        self._line(f"n = int.from_bytes(buf[pos:pos + {width}], 'big', signed=True)")
        self._line(f"pos += {width}")
        self._line("if n < 0:")
        self._line(f"    if n < {0 if checked else -1}: raise Malformed(f'expected a length, found {{n}}')")
        self._line("    n = 0")

    def _sized(self, field: Sized, prefix: str, *, compact: bool) -> None:
        width = 2 if field.kind == "string" else 4
        code = self._codes.get(prefix + field.name)
        if code is None:
            size = self._codes.get(f"{prefix}{field.name}.size")
            if size is not None:
                # All of the prefix must be in one piece, or its place could not be told.
                read = "compact_length(buf, pos, end)" if compact else f"legacy_length(buf, pos, end, {width})"
                self._line(f"while not {read}[1]: buf, pos, end = yield pos")
                self._line("before = pos")
            self._length(compact=compact, width=width, nullable=field.nullable)
            if size is not None:
                self._line(f"found.append(Place({size}, before, pos))")
            self._line("pos += n")
            return
        self._line("while True:")
        self._line(
            f"    n, after = {'compact_length(buf, pos, end)' if compact else f'legacy_length(buf, pos, end, {width})'}"
        )
        self._line("    if after and end - after >= n: break")
        self._line("    buf, pos, end = yield pos")
        self._line(f"found.append(Place({code}, pos, after + n))")
        self._line("pos = after + n")

    def _array(self, field: Array, prefix: str, *, compact: bool) -> None:
        self._length(compact=compact, width=4, nullable=field.nullable)
        path = prefix + field.name
        element = field.element
        if isinstance(element, Fixed) and path not in self._codes:
            self._line(f"pos += n * {element.size}")
            return
        self._loops += 1
        self._line(f"for _{self._loops} in range(n):")
        self._depth += 1
        if isinstance(element, Nested):
            self._fields(element.struct, path + ".")
        elif isinstance(element, Fixed):
            self._fixed([Fixed(field.name, element.size)], prefix)
        else:
            assert isinstance(element, Sized)
            self._sized(Sized(field.name, element.kind, element.nullable), prefix, compact=compact)
        # A hostile count must not make the loop run on behind the bytes that came.
        self._line("if pos > end: buf, pos, end = yield pos")
        self._depth -= 1

    def _nested(self, field: Nested, prefix: str) -> None:
        if not field.nullable:
            self._fields(field.struct, prefix + field.name + ".")
            return
        self._line("while pos >= end: buf, pos, end = yield pos")
        self._line("there = buf[pos] < 128")
        self._line("pos += 1")
        self._line("if there:")
        self._depth += 1
        self._fields(field.struct, prefix + field.name + ".")
        self._depth -= 1

    def _tags(self, struct: Struct, prefix: str) -> None:
        self._loops += 1
        self._varint("n")
        self._line(f"for _{self._loops} in range(n):")
        self._depth += 1
        # Tagged fields are rare: one call for the head, read in one piece.
        self._line("while True:")
        self._line("    tag, size, after = tag_head(buf, pos, end)")
        self._line("    if after: break")
        self._line("    buf, pos, end = yield pos")
        branch = "if"
        for tag, field in sorted(struct.tagged.items()):
            path = prefix + field.name
            if not self._wants(path):
                continue
            self._line(f"{branch} tag == {tag}:")
            self._depth += 1
            values = isinstance(field.element if isinstance(field, Array) else field, Fixed | Sized)
            if path in self._codes and not values:
                self._line(f"found.append(Place({self._codes[path]}, pos, after))")
            if path not in self._codes or values or self._wants_below(path):
                loop = self._loops
                self._line("pos = after")
                if self._thorough:
                    self._line(f"stop_{loop} = after + size")
                self._fields(Struct((field,), {}, flexible=struct.flexible), prefix, tags=False)
                if self._thorough:
                    self._line(f"if pos != stop_{loop}: raise Malformed('a tagged field is not as long as it says')")
            else:
                self._line("pos = after + size")
            self._depth -= 1
            branch = "elif"
        self._line("else: pos = after + size" if branch == "elif" else "pos = after + size")
        self._line("if pos > end: buf, pos, end = yield pos")
        self._depth -= 1
