"""Reads WET files: one record a page, framed by Content-Length, header fields found by name.

What is damaged costs the record it is in: it is reported with its byte offset, and reading goes on at the
next sound record. Whole batches of gzip members go through libdeflate and one compiled pass; a batch
whose sizes or framing do not come out exactly is read again member by member with zlib.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Generator, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from llama_data.pipeline.core.files import open_binary
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.wet_batch import WetBatch, frame, inflate

MAX_RECORD = 64 << 20
MAX_HEADER = 64 << 10
_BATCH = 1 << 20
_FEED = 64 << 10
_GZIP = re.compile(rb"\x1f\x8b\x08")
_START = re.compile(rb"(?<=\n)WARC/\d\.\d+\r?\n(?=[A-Za-z-]+:)")
_BLANK = re.compile(rb"\r?\n\r?\n")
_TEXT = re.compile(rb"[^\r\n]")


class WetRecord(NamedTuple):
    """A page: where it is in the file, its header fields (None where absent) and its body.

    ``offset`` is the byte offset in the file as it is stored, of the record or of the gzip member that holds
    it; ``within`` the offset in that member's decompressed bytes (0 where every record has its own member).
    """

    offset: int
    within: int
    url: str | None
    date: str | None
    digest: str | None
    record_id: str | None
    languages: str | None
    body: bytes

    @property
    def key(self) -> str:
        """Name of the record in its file, unique there."""
        return f"{self.offset}+{self.within}" if self.within else str(self.offset)


class WetDamage(NamedTuple):
    """A stretch of the file that is no record: where it begins, why, and what was found."""

    offset: int
    within: int
    reason: Reason
    detail: str

    @property
    def key(self) -> str:
        """Name of the place in its file, unique there."""
        return f"{self.offset}+{self.within}" if self.within else str(self.offset)


EMPTY = WetDamage(0, 0, Reason.truncated_file, "the file is empty")


def read_wet(path: str) -> Iterator[WetRecord | WetDamage]:
    """Yield every ``conversion`` record of a WET file (gzip or plain), and a report for what is damaged.

    Raises:
        InputError: there is no such file.
    """
    for found in read_wet_batches(path):
        if isinstance(found, WetBatch):
            for offset, (begin, end), fields in zip(found.offsets, found.bodies.tolist(), found.fields(), strict=True):
                url, date, digest, record_id, languages = fields
                yield WetRecord(offset, 0, url, date, digest, record_id, languages, found.data[begin:end])
        else:
            yield found


def read_wet_batches(path: str) -> Iterator[WetBatch | WetRecord | WetDamage]:
    """``read_wet``, with the pages of a sound stretch of the file in one batch."""
    with open_binary(path) as stream:
        head = stream.read(2)
        stream.seek(0)
        if not head:
            yield EMPTY
        elif head == b"\x1f\x8b":
            yield from _read_gzip(stream)
        else:
            for at, found in _frame(iter(lambda: stream.read(_BATCH), b"")):
                yield _placed(found, at, 0)


class _Broken(Exception):
    """The decompressed bytes end here: the gzip member is damaged or cut off."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class _Header(NamedTuple):
    length: int
    fields: dict[str, str]


class _Page(NamedTuple):
    fields: dict[str, str]
    body: bytes


_Found = _Page | _Broken


def _placed(found: _Found, offset: int, within: int) -> WetRecord | WetDamage:
    if isinstance(found, _Broken):
        return WetDamage(offset, within, found.reason, found.detail)
    get = found.fields.get
    return WetRecord(
        offset,
        within,
        get("warc-target-uri"),
        get("warc-date"),
        get("warc-block-digest"),
        get("warc-record-id"),
        get("warc-identified-content-language"),
        found.body,
    )


def _not_a_record(head: bytes) -> _Broken:
    return _Broken(Reason.damaged_record, f"expected a WARC header, found {head!r}")


def _header(block: bytes) -> _Header:
    """Parse the header of a record. Raises _Broken when it is not one."""
    if not block.startswith(b"WARC/"):
        raise _not_a_record(block[:40])
    fields: dict[str, str] = {}
    name = ""
    for line in block.decode("utf-8", "replace").split("\n")[1:]:
        given, colon, value = line.partition(":")
        if colon and not given[:1].isspace():
            name = given.strip().lower()
            fields[name] = value.strip()
        elif name:
            fields[name] += " " + line.strip()
    length = fields.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise _Broken(Reason.damaged_record, f"Content-Length is {length!r}, expected a number of bytes")
    if len(length) > 18 or int(length) > MAX_RECORD:
        raise _Broken(Reason.too_complex, f"Content-Length {length} is over the limit of {MAX_RECORD} bytes")
    return _Header(int(length), fields)


class _Buffer:
    """Bytes that are pulled as they are needed; ``base`` is the stream offset of the first one held."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.data = b""
        self.base = 0
        self.broken: _Broken | None = None
        self.ended = False

    def pull(self, start: int, end: int) -> bool:
        """Hold the bytes from ``start`` to ``end``, dropping those before; False when there are fewer."""
        if end <= self.base + len(self.data):
            return True
        parts = [self.data[start - self.base :]]
        held = start + len(parts[0])
        while held < end and not self.ended:
            try:
                chunk = next(self.chunks, b"")
            except _Broken as broken:
                self.broken = broken
                chunk = b""
            self.ended = not chunk
            parts.append(chunk)
            held += len(chunk)
        self.data = b"".join(parts)
        self.base = start
        return held >= end


def _frame(chunks: Iterator[bytes]) -> Iterator[tuple[int, _Found]]:
    """Cut decompressed bytes into pages and reports, each with its offset in them."""
    buffer = _Buffer(chunks)
    at = 0
    while True:
        at = _skip_newlines(buffer, at)
        if not buffer.pull(at, at + 1):
            break
        try:
            header, body = _next_header(buffer, at)
            end = body + header.length
            _check_end(buffer, at, end)
        except _Broken as broken:
            yield at, broken
            if broken is buffer.broken:
                return
            at = _next_start(buffer, at + 1)
            continue
        if header.fields.get("warc-type", "").lower() == "conversion":
            start = body - buffer.base
            yield at, _Page(header.fields, buffer.data[start : start + header.length])
        at = end
    if buffer.broken is not None:
        yield at, buffer.broken


def _skip_newlines(buffer: _Buffer, at: int) -> int:
    while buffer.pull(at, at + 1):
        found = _TEXT.search(buffer.data, at - buffer.base)
        if found is not None:
            return buffer.base + found.start()
        at = buffer.base + len(buffer.data)
    return at


def _next_header(buffer: _Buffer, at: int) -> tuple[_Header, int]:
    """The header at ``at`` and the offset of the body."""
    size = 1024
    while True:
        complete = buffer.pull(at, at + size)
        start = at - buffer.base
        head = buffer.data[start : start + 40]
        if head[:5] != b"WARC/"[: len(head)]:
            raise _not_a_record(head)
        blank = _BLANK.search(buffer.data, start, start + size)
        # A blank line cut by the window's end would be seen as shorter than it is.
        if blank is not None and (blank.end() < start + size or not complete):
            return _header(buffer.data[start : blank.start()]), buffer.base + blank.end()
        if not complete:
            raise buffer.broken or _Broken(Reason.truncated_file, "the file ends inside a record's header")
        if size >= MAX_HEADER:
            raise _Broken(Reason.damaged_record, "no record header found")
        size *= 4


def _check_end(buffer: _Buffer, at: int, end: int) -> None:
    """A record's end is sound when the file ends there or a record begins there. Raises _Broken."""
    complete = buffer.pull(at, end + 16)
    held = buffer.base + len(buffer.data)
    if buffer.broken is not None and held < end + 16:
        raise buffer.broken
    if held < end:
        raise _Broken(Reason.truncated_file, f"the record lacks {end - held} bytes of its Content-Length")
    rest = buffer.data[end - buffer.base : end - buffer.base + 16].lstrip(b"\r\n")
    if rest and not rest.startswith(b"WARC/") and not (complete and b"WARC/".startswith(rest)):
        raise _Broken(Reason.damaged_record, f"wrong Content-Length: at its end stands {rest!r}")


def _next_start(buffer: _Buffer, at: int) -> int:
    """Offset of the next line that begins a record; of the end of the bytes when there is none."""
    while True:
        more = buffer.pull(at - 1, at + _FEED)
        found = _START.search(buffer.data, at - buffer.base)
        if found is not None:
            return buffer.base + found.start()
        held = buffer.base + len(buffer.data)
        if not more:
            return held
        at = max(at, held - 256)


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
            self.data = self.stream.read(max(size, _BATCH))
            self.base = offset
            start = 0
        return self.data[start : start + size]


def _read_gzip(stream: BinaryIO) -> Iterator[WetBatch | WetRecord | WetDamage]:
    window = Window(stream)
    offset = 0
    while window.at(offset, 1):
        batch = _inflate_batch(window, offset)
        if batch is None:
            offset = yield from _read_member(window, offset)
            continue
        pages, offset = batch
        if isinstance(pages, WetBatch):
            yield pages
        else:
            yield from pages


def _member_bounds(data: bytes, whole: bool) -> list[int]:
    """Where members begin in ``data``, up to the first that may not; with its end when it is the ``whole`` rest.

    A member may begin where a gzip header without optional fields stands, which is what every WET writer puts before
    a record. Anything else that looks like a header is compressed bytes or another writer's: the member before it has
    to be read by itself.
    """
    # Not in the last eight bytes: a header is ten.
    starts = np.array([found.start() for found in _GZIP.finditer(data, 0, max(len(data) - 6, 0))], np.int64)
    source = np.frombuffer(data, np.uint8)
    odd = np.flatnonzero((source[starts + 3] != 0) | ~np.isin(source[starts + 8], (0, 2, 4)))
    if odd.size:
        return starts[: odd[0]].tolist()  # type: ignore[no-any-return]
    return [*starts.tolist(), len(data)] if whole else starts.tolist()


def _inflate_batch(window: Window, offset: int) -> tuple[WetBatch | list[WetRecord | WetDamage], int] | None:
    """The pages of many members at once, and where they end; None when anything does not come out exactly.

    Exactly: one record a member, whose Content-Length reaches to the final empty lines. A member's last four
    bytes are its decompressed size, so the boundaries are known, and checked.
    """
    data = window.at(offset, _BATCH)
    starts = _member_bounds(data, whole=len(data) < _BATCH)
    if len(starts) < 2 or starts[0] != 0:
        return None
    sizes = [int.from_bytes(data[end - 4 : end], "little") for end in starts[1:]]
    text = inflate(data, starts, sizes) if sum(sizes) <= MAX_RECORD else None
    if text is None:
        return None
    offsets = [offset + start for start in starts[:-1]]
    batch = frame(text, sizes, offsets, MAX_RECORD)
    if isinstance(batch, WetBatch):
        return batch, offset + starts[-1]
    pages = _parsed(text, sizes, offsets) if batch else None
    return None if pages is None else (pages, offset + starts[-1])


def _parsed(text: bytes, sizes: list[int], offsets: list[int]) -> list[WetRecord | WetDamage] | None:
    """The pages of a batch with unusual headers; None when a record does not come out exactly."""
    pages: list[WetRecord | WetDamage] = []
    begin = 0
    for offset, size in zip(offsets, sizes, strict=True):
        end = begin + size
        body = text.find(b"\r\n\r\n", begin, end) + 4
        try:
            header = _header(text[begin : body - 4])
        except _Broken:
            return None
        if body + header.length + 4 != end or text[end - 4 : end] != b"\r\n\r\n":
            return None
        if header.fields.get("warc-type", "").lower() == "conversion":
            pages.append(_placed(_Page(header.fields, text[body : end - 4]), offset, 0))
        begin = end
    return pages


class _Member:
    """One gzip member, inflated piece by piece; ``end`` is the offset after it when it is sound."""

    def __init__(self, window: Window, offset: int) -> None:
        self.window = window
        self.offset = offset
        self.end: int | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield the decompressed bytes. Raises _Broken where they cannot be read on."""
        inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        at = self.offset
        data = b""
        while not inflate.eof:
            if not data:
                data = self.window.at(at, _FEED)
                at += len(data)
                if not data:
                    raise _Broken(Reason.truncated_file, "the file ends inside a gzip member")
            try:
                piece = inflate.decompress(data, _BATCH)
            except zlib.error as error:
                raise _Broken(Reason.damaged_archive, f"gzip member: {error}") from None
            data = inflate.unconsumed_tail
            if piece:
                yield piece
        self.end = at - len(inflate.unused_data)


def _read_member(window: Window, offset: int) -> Generator[WetRecord | WetDamage, None, int]:
    """Read one member; the generator's value is where to go on."""
    data = window.at(offset, _FEED)
    padding = len(data) - len(data.lstrip(b"\x00"))
    if padding:
        return offset + padding
    member = _Member(window, offset)
    for within, found in _frame(member.chunks()):
        yield _placed(found, offset, within)
    if member.end is not None:
        return member.end
    return next_member(window, offset + 1)


def next_member(window: Window, offset: int) -> int:
    """Offset of the next gzip member whose content begins a record; of the file's end when there is none."""
    while data := window.at(offset, _BATCH):
        for found in _GZIP.finditer(data):
            try:
                start = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(window.at(offset + found.start(), _FEED), 64)
            except zlib.error:
                continue
            if start.lstrip(b"\r\n").startswith(b"WARC/"):
                return offset + found.start()
        if len(data) < _BATCH:
            return offset + len(data)
        offset += len(data) - 2
    return offset
