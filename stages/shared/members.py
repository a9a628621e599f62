"""The bytes of a file through its compression, each with its place in the file as it is stored.

gzip and zstd files are read member by member (a zstd frame is a member too), since a writer of WARC begins one with
every record. The dictionary that a ``.warc.zst`` file may carry in its first, skippable frame is used.
"""

from __future__ import annotations

import re
import zlib
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator
from typing import Any, BinaryIO, NamedTuple

import zstandard

from llama_data.pipeline.core.files import DAMAGE, read_pieces
from llama_data.pipeline.core.reasons import Reason

BATCH = 1 << 20
FEED = 64 << 10
MAX_DICTIONARY = 16 << 20
# Two kilobytes of zstd can be 64 megabytes.
_ZSTD_FEED = 2 << 10
_HEAD = 16
_DICTIONARY = b"\x5d\x2a\x4d\x18"
_FRAME = b"\x28\xb5\x2f\xfd"


class Broken(Exception):
    """The bytes end here, or are not what they should be."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Window:
    """A seekable stream seen through one buffer."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.data = b""
        self.base = 0

    def at(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``, fewer at the end of the stream."""
        start = offset - self.base
        if start < 0 or start + size > len(self.data):
            self.stream.seek(offset)
            self.data = self.stream.read(max(size, BATCH))
            self.base = offset
            start = 0
        return self.data[start : start + size]


class Codec(NamedTuple):
    """How members are found and decompressed: the bytes that a member begins with, and a new decompressor."""

    name: str
    mark: bytes
    make: Callable[[], Any]


GZIP = Codec("gzip member", b"\x1f\x8b\x08", lambda: zlib.decompressobj(zlib.MAX_WBITS | 16))


def zstd(window: Window) -> Codec:
    """The codec of a zstd file, with the dictionary that its first frame may hold, itself compressed or not."""
    head = window.at(0, 8)
    decompressor = zstandard.ZstdDecompressor()
    if head[:4] == _DICTIONARY:
        content = window.at(8, min(int.from_bytes(head[4:8], "little"), MAX_DICTIONARY))
        try:
            if content.startswith(_FRAME):
                with decompressor.stream_reader(content) as reader:
                    content = reader.read(MAX_DICTIONARY)
            decompressor = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(content))
        except zstandard.ZstdError:
            pass  # every frame that needs the dictionary is then reported
    return Codec("zstd frame", _FRAME, decompressor.decompressobj)


def read_member(window: Window, offset: int, codec: Codec) -> Generator[bytes, None, int]:
    """Yield the decompressed bytes of one member; the generator's value is where it ends.

    Raises:
        Broken: the bytes cannot be decompressed on.
    """
    stream = codec.make()
    at, data = offset, b""
    gzip = codec is GZIP
    while not stream.eof:
        if not data:
            data = window.at(at, FEED if gzip else _ZSTD_FEED)
            at += len(data)
            if not data:
                raise Broken(Reason.truncated_file, f"the file ends inside a {codec.name}")
        try:
            piece = stream.decompress(data, BATCH) if gzip else stream.decompress(data)
        except (zlib.error, zstandard.ZstdError) as error:
            raise Broken(Reason.damaged_archive, f"{codec.name}: {error}") from None
        data = stream.unconsumed_tail if gzip else b""
        if piece:
            yield piece
    return at - len(stream.unused_data)


def skip_padding(window: Window, offset: int, codec: Codec) -> int:
    """Where a member may begin from ``offset`` on: behind zeros, and behind zstd's skippable frames. Raises Broken."""
    if codec is GZIP:
        while data := window.at(offset, FEED):
            zeros = len(data) - len(data.lstrip(b"\x00"))
            offset += zeros
            if zeros < len(data):
                break
        return offset
    while (head := window.at(offset, 8))[1:4] == _DICTIONARY[1:] and len(head) == 8 and head[0] >> 4 == 5:
        offset += 8 + int.from_bytes(head[4:8], "little")
        if not window.at(offset - 1, 1):
            raise Broken(Reason.truncated_file, "the file ends inside a skippable zstd frame")
    return offset


def _head(member: Iterator[bytes]) -> bytes:
    """The first bytes of a member, enough to tell what it begins with where it has as many."""
    head = b""
    while len(head) < _HEAD and (piece := next(member, b"")):
        head += piece
    return head


def next_member(window: Window, offset: int, codec: Codec, begins: re.Pattern[bytes]) -> tuple[int, bool]:
    """Offset of the next member, of the file's end when there is none; and whether a record should begin with it.

    The mark of a member also occurs in compressed bytes. A member is one that begins a record, one that decompresses
    to its end, and one that is broken itself but has the header of this file's members: that one has its own row.
    """
    like = window.at(0, 10)
    while data := window.at(offset, BATCH):
        for found in re.finditer(re.escape(codec.mark), data):
            start = offset + found.start()
            member = read_member(window, start, codec)
            try:
                head = _head(member)
                if begins.match(head.lstrip(b"\r\n")):
                    return start, True
                if head:
                    for _ in member:
                        pass
                    return start, False
            except Broken:
                header = window.at(start, 10)
                if codec is not GZIP or (header[3:4] + header[8:] == like[3:4] + like[8:]):
                    return start, True
        if len(data) < BATCH:
            return offset + len(data), False
        offset += len(data) - len(codec.mark) + 1
    return offset, False


class Source:
    """The bytes of a file from a place on; ``more`` gives the next ones, ``place`` says where they are stored."""

    @abstractmethod
    def more(self, cross: bool) -> bytes:
        """The next bytes; none at the end, and none at a member's end unless it is to be crossed. Raises Broken."""

    @abstractmethod
    def place(self, at: int) -> tuple[int, int]:
        """Offset in the file of the member that holds byte ``at``, and its offset in that member."""

    @abstractmethod
    def again(self, at: int) -> tuple[Source, int]:
        """A source that can be read from byte ``at`` on, and where that is in it."""


class Plain(Source):
    """A file that is not compressed, from an offset on."""

    def __init__(self, stream: BinaryIO, start: int = 0) -> None:
        self.stream = stream
        self.start = start
        self.read = 0

    def more(self, cross: bool) -> bytes:
        """The next bytes."""
        self.stream.seek(self.start + self.read)
        data = self.stream.read(BATCH)
        self.read += len(data)
        return data

    def place(self, at: int) -> tuple[int, int]:
        """The offset alone."""
        return self.start + at, 0

    def again(self, at: int) -> tuple[Source, int]:
        """The same file from there on."""
        return Plain(self.stream, self.start + at), 0


class Packed(Source):
    """A file in a format that is read from its beginning only (bz2, xz)."""

    def __init__(self, path: str, compression: str) -> None:
        self.path = path
        self.compression = compression
        self.pieces = read_pieces(path, compression)

    def more(self, cross: bool) -> bytes:
        """The next bytes."""
        try:
            return next(self.pieces, b"")
        except DAMAGE as error:
            reason = Reason.truncated_file if isinstance(error, EOFError) else Reason.damaged_archive
            raise Broken(reason, str(error)) from None

    def place(self, at: int) -> tuple[int, int]:
        """The offset in the decompressed bytes."""
        return 0, at

    def again(self, at: int) -> tuple[Source, int]:
        """The same file from its beginning on."""
        return Packed(self.path, self.compression), at


class Members(Source):
    """Members one after the other from an offset on.

    A record may go on in the next member, as in a file that was compressed block by block, unless that one begins a
    record itself. ``next``: where the member after those that were read begins; ``opened``: where the last one does.
    """

    def __init__(self, window: Window, codec: Codec, offset: int, begins: re.Pattern[bytes]) -> None:
        self.window = window
        self.codec = codec
        self.begins = begins
        self.next = self.opened = offset
        self.read = 0
        self.member: Iterator[bytes] | None = None
        self.marks: list[tuple[int, int]] = []
        self.closed = False

    def more(self, cross: bool) -> bytes:
        """The next bytes."""
        while not self.closed:
            first = self.member is None
            crossed = first and self.read > 0
            try:
                if first and not self._open(cross):
                    return b""
                assert self.member is not None
                piece = _head(self.member) if crossed else next(self.member, b"")
            except Broken:
                if not crossed:
                    raise
                self._close()  # it is broken itself, and has its own row
                break
            if not piece:
                self.member = None
            elif crossed and self.begins.match(piece.lstrip(b"\r\n")):
                self._close()
            else:
                self.read += len(piece)
                return piece
        return b""

    def _close(self) -> None:
        """End before the member that was just opened."""
        if self.marks[-1][0] == self.read and len(self.marks) > 1:
            self.marks.pop()
        self.next, self.closed = self.opened, True

    def _open(self, cross: bool) -> bool:
        """Open the next member; False when there is none, or none is wanted."""
        if self.marks and not cross:
            return False
        self.opened = self.next = skip_padding(self.window, self.next, self.codec)
        if not self.window.at(self.opened, 1):
            return False
        self.marks.append((self.read, self.opened))
        self.member = self._bytes()
        return True

    def _bytes(self) -> Iterator[bytes]:
        self.next = yield from read_member(self.window, self.opened, self.codec)

    def place(self, at: int) -> tuple[int, int]:
        """The member's offset, and the offset in its decompressed bytes."""
        if not self.marks:
            return self.opened, at
        number = max(bisect_right(self.marks, at, key=lambda mark: mark[0]) - 1, 0)
        self.marks = self.marks[number:]
        position, offset = self.marks[0]
        return offset, at - position

    def again(self, at: int) -> tuple[Source, int]:
        """The same member anew."""
        offset, within = self.place(at)
        return Members(self.window, self.codec, offset, self.begins), within
