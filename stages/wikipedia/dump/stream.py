"""The bytes of a dump: plain, bzip2 (single and multistream), gzip or xz, from any byte range, past damage."""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Protocol

from llama_data.pipeline.core.files import DamagedStream, open_binary

CHUNK = 1 << 18
LOOK = 1 << 12  # bytes by which a stream is known: its header, and the tables of its first block
MAX_OUTPUT = 1 << 20

BZ2_MAGIC = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
GZIP_MAGIC = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
XZ_MAGIC = re.compile(rb"\xfd7zXZ\x00\x00[\x00-\x0f]")
_MAGIC_LENGTH = 10

XZ_MEMORY = 256 << 20  # the strongest preset of xz needs 65 MiB


class Block(NamedTuple):
    """Decompressed bytes. ``origin``: offset in the file of the compressed stream they come from (None when
    the file is plain); ``position``: offset of the bytes in that stream; ``own``: they belong to the range.
    ``encoding``: what they were in when they have been turned into UTF-8."""

    data: bytes
    origin: int | None
    position: int
    own: bool
    encoding: str | None = None

    def place(self, offset: int) -> str:
        """Where byte ``offset`` of the block is: ``offset`` in a plain file, ``stream+offset`` in a compressed one."""
        if self.encoding is not None:
            # Before the block is at most the beginning of a tag.
            before = self.data[:offset].decode("utf-8", "surrogatepass") if offset > 0 else "<" * -offset
            size = len(before.encode(self.encoding, "replace"))
            offset = size if offset > 0 else -size
        return f"{self.position + offset}" if self.origin is None else f"{self.origin}+{self.position + offset}"


class Damage(NamedTuple):
    """Bytes that cannot be decompressed, from ``offset`` in the file on; ``own`` as for blocks."""

    offset: int
    truncated: bool
    detail: str
    own: bool


class Decompressor(Protocol):
    """What bz2 offers, and gzip and xz below in the same form."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class GzipDecompressor:
    """One gzip member, with the interface of ``bz2.BZ2Decompressor``."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        """True at the end of the member."""
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        """True when there is nothing left to decompress."""
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """The bytes after the member."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Decompress at most ``max_length`` bytes; the rest waits. Raises OSError on damage."""
        try:
            return self._inner.decompress(self._inner.unconsumed_tail + data, max(max_length, 0))
        except zlib.error as error:
            raise OSError(str(error)) from None


class XzDecompressor:
    """One xz stream, with the interface of ``bz2.BZ2Decompressor``."""

    def __init__(self) -> None:
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)

    @property
    def eof(self) -> bool:
        """True at the end of the stream."""
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        """True when there is nothing left to decompress."""
        return self._inner.needs_input

    @property
    def unused_data(self) -> bytes:
        """The bytes after the stream."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Decompress at most ``max_length`` bytes; the rest waits. Raises OSError on damage."""
        try:
            return self._inner.decompress(data, max_length)
        except lzma.LZMAError as error:
            raise OSError(str(error)) from None


def read_range(path: str, start: int, end: int | None) -> Iterator[Block | Damage]:
    """Yield the decompressed bytes from ``start`` on, and on past ``end`` (not ``own``) as long as they are asked
    for: the page that begins before the end of a range may reach over it. ``start`` must begin a stream."""
    with open_binary(path) as file:
        name = path.lower()
        if name.endswith(".bz2"):
            yield from _decompress(file, start, end, BZ2_MAGIC, bz2.BZ2Decompressor)
        elif name.endswith(".gz"):
            yield from _decompress(file, start, end, GZIP_MAGIC, GzipDecompressor)
        elif path.endswith(".xz"):
            yield from _decompress(file, start, end, XZ_MAGIC, XzDecompressor)
        else:
            yield from _plain(file, start, end)


def _plain(file: BinaryIO, start: int, end: int | None) -> Iterator[Block]:
    file.seek(start)
    position = start
    while True:
        own = end is None or position < end
        size = CHUNK if end is None or not own else min(CHUNK, end - position)
        data = file.read(size)
        if not data:
            return
        yield Block(data, None, position, own)
        position += len(data)


def _decompress(
    file: BinaryIO, start: int, end: int | None, magic: re.Pattern[bytes], make: type[Decompressor]
) -> Iterator[Block | Damage]:
    origin: int | None = start
    while origin is not None:
        own = end is None or origin < end
        produced = 0
        following: int | None = None
        try:
            for piece in _one_stream(file, origin, make):
                if isinstance(piece, int):
                    following = piece
                else:
                    yield Block(piece, origin, produced, own)
                    produced += len(piece)
        except EOFError:
            yield Damage(origin, True, "the compressed stream that begins here is cut off by the end of the file", own)
            return
        except DamagedStream as error:
            yield Damage(origin, False, f"the compressed stream that begins here is damaged: {error}", own)
            following = find_stream(file, origin + 1, None, magic, make)
        origin = following


def _one_stream(file: BinaryIO, origin: int, make: type[Decompressor]) -> Iterator[bytes | int]:
    """Yield the bytes of the stream at ``origin``, then the offset of the next one unless the file ends.

    Raises EOFError when the file ends inside the stream, DamagedStream when the stream is damaged.
    """
    file.seek(origin)
    decompressor = make()
    read = 0
    while not decompressor.eof:
        data = file.read(CHUNK) if decompressor.needs_input else b""
        ended = decompressor.needs_input and not data
        read += len(data)
        try:
            piece = decompressor.decompress(data, MAX_OUTPUT)
        except OSError as error:
            raise DamagedStream(str(error)) from None
        if not piece and ended and not decompressor.eof:
            raise EOFError
        if piece:
            yield piece
    following = origin + read - len(decompressor.unused_data)
    file.seek(following)
    rest = file.read(CHUNK)
    while rest and not rest.strip(b"\0"):
        following += len(rest)
        rest = file.read(CHUNK)
    if rest:
        yield following + len(rest) - len(rest.lstrip(b"\0"))


def find_stream(
    file: BinaryIO,
    start: int,
    end: int | None,
    magic: re.Pattern[bytes] = BZ2_MAGIC,
    make: type[Decompressor] = bz2.BZ2Decompressor,
) -> int | None:
    """Offset of the first compressed stream that begins in ``[start, end)``, None when there is none.

    Bytes that only look like the beginning of one are stepped over: what a decompressor refuses at once is none. So a
    range begins where reading goes on behind damage, too, and what is read does not depend on where a file is cut.
    """
    while (found := find_magic(file, start, end, magic)) is not None and not _begins(file, found, make):
        start = found + 1
    return found


def _begins(file: BinaryIO, at: int, make: type[Decompressor]) -> bool:
    """True when a decompressor takes the first bytes."""
    file.seek(at)
    data = file.read(LOOK)
    try:
        make().decompress(data, MAX_OUTPUT)
    except OSError:
        return False
    return True


def find_magic(file: BinaryIO, start: int, end: int | None, magic: re.Pattern[bytes]) -> int | None:
    """Offset of the first bytes in ``[start, end)`` that a stream may begin with, None when there are none."""
    file.seek(start)
    base, window = start, b""
    while end is None or base < end + _MAGIC_LENGTH:
        data = file.read(CHUNK)
        if not data:
            return None
        window += data
        found = magic.search(window)
        if found:
            offset = base + found.start()
            return offset if end is None or offset < end else None
        keep = min(len(window), _MAGIC_LENGTH - 1)
        base += len(window) - keep
        window = window[len(window) - keep :]
    return None
