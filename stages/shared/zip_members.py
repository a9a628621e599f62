"""Members of zip archives, decompressed within limits.

``zipfile`` reads the directory; its reading of members asks bzip2 and LZMA for all that a piece of input becomes, and
two kilobytes can become gigabytes. Here no call gives more than it was asked for.
"""

from __future__ import annotations

import bz2
import errno
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol

import zstandard

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason

MOST_DIRECTORY = 16 << 20
"""An archive whose directory has more bytes is not opened: it would be a third of a million members in memory."""

_ENCRYPTED = 0x1
_LOCAL = struct.Struct("<4s22x2H")
_END = struct.Struct("<4s6xHL6x")
_END64 = struct.Struct("<4s28x2Q8x")
_MANY = 0xFFFF  # members: so many or more
_PIECE = 64 << 10
_DICTIONARY = 64 << 20  # the most memory that a member's own header may ask for
_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14
_ZSTANDARD = (93, 20)

DAMAGED: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    struct.error,
    NotImplementedError,
    ValueError,
    EOFError,
    IndexError,
)
"""What opening a damaged archive or reading a damaged member raises."""


@contextmanager
def reading() -> Iterator[None]:
    """Tell a damaged archive from a failing disk or network: a place that is none, or data that is none, is damage."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        raise zipfile.BadZipFile(str(error)) from None


class _Stream(Protocol):
    """What bz2's and lzma's decompressors are."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def open_archive(raw: IO[bytes]) -> zipfile.ZipFile:
    """The archive in a file. Raises RecordError: its directory is too large; one of ``DAMAGED``: it is none."""
    for _, directory in _ends(raw):
        if MOST_DIRECTORY < directory < 0xFFFFFFFF:
            detail = f"a directory of {directory} bytes, more than the limit of {MOST_DIRECTORY}"
            raise RecordError(Reason.unsafe_archive, detail)
    raw.seek(0)
    with reading():
        return zipfile.ZipFile(raw)


def _ends(raw: IO[bytes]) -> Iterator[tuple[int, int]]:
    """The members and the bytes of the directory, as each record at the archive's end says that there is."""
    raw.seek(0, 2)
    size = raw.tell()
    raw.seek(max(0, size - (1 << 16) - _END.size - _END64.size))
    tail = raw.read()
    for record, mark in ((_END, b"PK\5\6"), (_END64, b"PK\6\6")):
        place = tail.rfind(mark)
        if 0 <= place <= len(tail) - record.size:
            yield record.unpack_from(tail, place)[1:]


def require_all(raw: IO[bytes], archive: zipfile.ZipFile) -> None:
    """Raise RecordError when the directory holds fewer members than the archive's end says, or more.

    ``zipfile`` does not look: a damaged length in an entry of the directory hides all entries behind it. Tools that
    know no larger number count on from zero.
    """
    said, held = [members for members, _ in _ends(raw)], len(archive.infolist())
    if said and held not in said and (_MANY in said or (held - said[0]) % (_MANY + 1)):
        raise RecordError(Reason.damaged_archive, f"{held} of {said[-1]} members stand in the directory")


def read_member(raw: IO[bytes], item: zipfile.ZipInfo, most: int) -> bytes:
    """The bytes of a member, at most ``most`` of them, checked when they are all of it.

    Raises RecordError: it is encrypted, or compressed in a way that is not read; one of ``DAMAGED``: it is damaged.
    """
    if item.flag_bits & _ENCRYPTED:
        raise RecordError(Reason.damaged_archive, "the member is encrypted")
    if item.header_offset < 0:
        raise zipfile.BadZipFile(f"the member's place is before the file, at {item.header_offset}")
    with reading():
        raw.seek(item.header_offset)
        mark, name, extra = _LOCAL.unpack(raw.read(_LOCAL.size))
        if mark != b"PK\3\4":
            raise zipfile.BadZipFile("no member where the directory says")
        raw.seek(name + extra, 1)
        data = _unpacked(_Member(raw, item.compress_size), item.compress_type, min(most, item.file_size))
    if item.file_size <= most and (len(data) != item.file_size or zlib.crc32(data) != item.CRC):
        raise zipfile.BadZipFile("its length or checksum is not what the directory says")
    return data


class _Member:
    """The stored bytes of a member, as a file to read."""

    def __init__(self, raw: IO[bytes], left: int) -> None:
        self._raw = raw
        self._left = left

    def read(self, size: int) -> bytes:
        data = self._raw.read(min(size, self._left))
        self._left -= len(data)
        return data


def _unpacked(member: _Member, method: int, total: int) -> bytes:
    """At most ``total`` bytes of a member."""
    if method == _STORED:
        return member.read(total)
    if method in _ZSTANDARD:
        reader = zstandard.ZstdDecompressor(max_window_size=_DICTIONARY).stream_reader(member)  # type: ignore[arg-type]
        return reader.read(total)
    if method not in (_DEFLATED, _BZIP2, _LZMA):
        raise RecordError(Reason.damaged_archive, f"compressed with method {method}, which is not read")
    stream: _Stream = (
        bz2.BZ2Decompressor() if method == _BZIP2 else _Deflate() if method == _DEFLATED else _lzma(member)
    )
    pieces: list[bytes] = []
    packed, piece, size = b"", b"", 0
    while size < total and not stream.eof:
        if not piece:
            packed = member.read(_PIECE)
            if not packed:
                raise EOFError("the member ends early")
        piece = stream.decompress(packed, total - size)
        packed = b""
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


class _Deflate:
    """zlib's raw format; it hands back what it has not used yet, and that is given in again."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


def _lzma(member: _Member) -> _Stream:
    """The decompressor that the header of an LZMA member describes; that header is read."""
    length, properties, dictionary = struct.unpack("<2xHBL", member.read(9))
    if length != 5 or properties >= 9 * 5 * 5:
        raise zipfile.BadZipFile("no LZMA header")
    if dictionary > _DICTIONARY:
        raise RecordError(Reason.unsafe_archive, f"asks for {dictionary} bytes of memory to be unpacked")
    rest, lc = divmod(properties, 9)
    pb, lp = divmod(rest, 5)
    form = {"id": lzma.FILTER_LZMA1, "dict_size": max(dictionary, 4096), "lc": lc, "lp": lp, "pb": pb}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[form])
