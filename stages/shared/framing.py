"""Cuts bytes into records: by their lengths, and after damage from the next line on that begins a record.

A record's end is sound when the bytes end there, a record begins there, the empty lines that end a record stand there,
or its digest says so.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Generator
from typing import NamedTuple

from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.members import FEED, Broken, Source
from llama_data.stages.shared.records import (
    SILENT,
    WARC,
    Damage,
    Header,
    Record,
    checked,
    not_a_record,
    parse_arc_line,
    parse_header,
)

MAX_RECORD = 64 << 20
MAX_HEADER = 64 << 10
_WARC_START = re.compile(
    rb"WARC/\d\.\d+\r?\n(?=(?:WARC-[A-Z-]+|Content-(?:Type|Length)):)|(?<=\n)WARC/\d\.\d+\r?\n(?=[A-Z-]+:)",
    re.IGNORECASE,
)
_ARC_HEAD = rb"filedesc:[^\r\n]{0,900}|[A-Za-z][A-Za-z0-9+.-]*:[^\r\n]{0,8000}? [0-9A-Fa-f.:]+ \d{12,18} [^\r\n]{0,900}"
_ARC = re.compile(_ARC_HEAD)
_ARC_START = re.compile(rb"(?<=\n)(?:" + _ARC_HEAD + rb")\r?\n")
# An empty line, or the line that begins another record.
_HEADER_END = re.compile(rb"\r{0,2}\n\r{0,2}\n|\n(?=WARC/\d\.\d+\r?\n)")
_TEXT = re.compile(rb"[^\r\n]")
_ARC_LINE = 10_000


class _Again(Exception):
    """The record at ``at`` is too long to be held, and does not end where it says: look for records inside it."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at


class Buffer:
    """Bytes that are pulled as they are needed; ``base`` is the offset of the first one held."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.data = b""
        self.base = 0
        self.broken: Broken | None = None

    def pull(self, start: int, end: int, cross: bool = True) -> bool:
        """Hold the bytes from ``start`` to ``end``, dropping those before; False when there are fewer."""
        if end <= self.base + len(self.data):
            return True
        self.skip(start)
        parts = [self.data[start - self.base :]]
        self.base += len(self.data) - len(parts[0])
        held = self.base + len(parts[0])
        while held < end and self.broken is None:
            chunk = self._more(cross)
            if not chunk:
                break
            parts.append(chunk)
            held += len(chunk)
        self.data = b"".join(parts)
        return held >= end

    def skip(self, end: int) -> None:
        """Drop the bytes before ``end``, or all when there are fewer."""
        while self.base + len(self.data) < end and self.broken is None:
            chunk = self._more(True)
            if not chunk:
                break
            self.base += len(self.data)
            self.data = chunk

    def _more(self, cross: bool) -> bytes:
        try:
            return self.source.more(cross)
        except Broken as broken:
            self.broken = broken
            return b""


class Dialect(NamedTuple):
    """A format: what a record begins with, how one is found in a stretch of bytes, and how its header is read.

    ``look``: how many bytes tell whether a record begins; ``overlap``: as many as ``start`` may need; ``ends``: what
    stands behind a record.
    """

    begins: re.Pattern[bytes]
    start: re.Pattern[bytes]
    look: int
    overlap: int
    ends: re.Pattern[bytes]
    header: Callable[[Buffer, int], tuple[Header, int]]


def _warc_header(buffer: Buffer, at: int) -> tuple[Header, int]:
    """The header at ``at`` and the offset of the block. Raises Broken."""
    size = 1024
    while True:
        complete = buffer.pull(at, at + size, cross=False)
        start = at - buffer.base
        head = buffer.data[start : start + 40]
        if head[:5].upper() != b"WARC/"[: len(head)]:
            raise not_a_record(head)
        found = _HEADER_END.search(buffer.data, start, start + size)
        if found is not None and found[0] == b"\n":
            raise Broken(Reason.damaged_record, "a record begins inside the header of another")
        # An empty line cut by the window's end would be seen as shorter than it is.
        if found is not None and (found.end() < start + size or not complete):
            return parse_header(buffer.data[start : found.start()]), buffer.base + found.end()
        if complete and size >= MAX_HEADER:
            raise Broken(Reason.damaged_record, "no record header found")
        if complete:
            size *= 4
        elif not buffer.pull(at, at + size) and _HEADER_END.search(buffer.data, at - buffer.base) is None:
            raise buffer.broken or Broken(Reason.truncated_file, "the file ends inside a record's header")


def _arc_header(buffer: Buffer, at: int) -> tuple[Header, int]:
    """The line at ``at`` as a header, and the offset of the block. Raises Broken."""
    buffer.pull(at, at + _ARC_LINE)
    start = at - buffer.base
    line, newline, _ = buffer.data[start : start + _ARC_LINE].partition(b"\n")
    header = parse_arc_line(line)
    if header is not None:
        return header, at + len(line) + len(newline)
    if not newline and len(line) < _ARC_LINE:
        raise buffer.broken or Broken(Reason.truncated_file, "the file ends inside a record's header")
    raise Broken(Reason.damaged_record, f"expected an ARC header, found {line[:40]!r}")


WARC_FORMAT = Dialect(WARC, _WARC_START, 16, 256, re.compile(rb"\r\n\r\n|\n\n"), _warc_header)
# Behind an ARC record stands a line feed, and the header of the next, of which any part may be damaged or cut off.
_ARC_END = re.compile(
    rb"\n(?:[A-Za-z][A-Za-z0-9+.-]*:|[^\n]{1,8000}? \d{8,18} (?:[^\n]{0,900} )?\d+\r?\n|[^\n]{1,9000}\Z)"
)
ARC_FORMAT = Dialect(_ARC, _ARC_START, _ARC_LINE, _ARC_LINE, _ARC_END, _arc_header)


def _records(
    source: Source, dialect: Dialect, at: int = 0, *, searching: bool = False, skips: bool = True
) -> Generator[Record | Damage, None, tuple[Buffer, bool]]:
    """Cut bytes into records and reports, up to the end of the bytes or of a member.

    The value is the buffer at its end, and whether it is still searching.

    ``searching``: nothing is said of what stands before the first record. ``skips``: a record that is too long to be
    held is passed over. Raises _Again where that went wrong.
    """
    buffer = Buffer(source)
    said = searching  # whether what stands here has a row
    if searching:
        at = _next_start(buffer, at, dialect)
    while True:
        at = _skip_newlines(buffer, at)
        if not buffer.pull(at, at + 1, cross=False):
            break
        searching = said = False
        offset, within = source.place(at)
        kind = ""
        try:
            header, body = dialect.header(buffer, at)
            kind = header.fields.get("warc-type", "").lower()
            end = body + header.length
            held, lacking = _block(buffer, dialect, at, body, header, skips)
        except Broken as broken:
            # A request may be as long as it likes: what follows it is found all the same.
            if kind not in SILENT or broken.reason is not Reason.damaged_record:
                yield Damage(offset, within, broken.reason, broken.detail)
            if broken is buffer.broken:
                return buffer, False
            at = _next_start(buffer, at + 1, dialect)
            said = True
            continue
        found = checked(
            Record(offset, within, header.fields.get("warc-type", "").lower(), header.fields, held, lacking)
        )
        if found is not None:
            yield found
        at = end
    if buffer.broken is not None and not said:
        yield Damage(*source.place(at), buffer.broken.reason, buffer.broken.detail)
    return buffer, searching


def _skip_newlines(buffer: Buffer, at: int) -> int:
    while buffer.pull(at, at + 1, cross=False):
        found = _TEXT.search(buffer.data, at - buffer.base)
        if found is not None:
            return buffer.base + found.start()
        at = buffer.base + len(buffer.data)
    return at


def _block(buffer: Buffer, dialect: Dialect, at: int, body: int, header: Header, skips: bool) -> tuple[bytes, int]:
    """The bytes of the record at ``at``, and how many of them are not held. Raises Broken or _Again."""
    end = body + header.length
    if header.length <= MAX_RECORD:
        if not buffer.pull(at, end):
            lacking = end - buffer.base - len(buffer.data)
            cut = Broken(Reason.truncated_file, f"the record lacks {lacking} bytes of its Content-Length")
            raise buffer.broken or cut
        rest = _rest(buffer, dialect, at, end)
        block = buffer.data[body - buffer.base : end - buffer.base]
        if rest is not None and not _sound(header.fields, block, dialect.ends.match(rest) is not None):
            found = rest.lstrip(b"\r\n")[:16]
            raise Broken(Reason.damaged_record, f"wrong Content-Length: at its end stands {found!r}")
        return block, 0
    if not skips:
        raise Broken(Reason.too_complex, f"Content-Length {header.length} is over the limit of {MAX_RECORD} bytes")
    buffer.pull(at, body + FEED)
    held = buffer.data[body - buffer.base : body - buffer.base + FEED]
    buffer.skip(end)
    if not buffer.pull(end, end, cross=False) or _rest(buffer, dialect, end, end) is not None:
        raise _Again(at)
    return held, header.length - len(held)


def _rest(buffer: Buffer, dialect: Dialect, keep: int, end: int) -> bytes | None:
    """What stands behind a record; None where nothing follows or another record. The bytes from ``keep`` on stay."""
    whole = buffer.pull(keep, end + dialect.look, cross=False)
    if not whole and buffer.broken is not None:
        raise buffer.broken
    rest = buffer.data[end - buffer.base : end - buffer.base + dialect.look]
    text = rest.lstrip(b"\r\n")
    # A mark may be cut by the end of what is looked at.
    if not text or dialect.begins.match(text) or (whole and b"WARC/".startswith(text)):
        return None
    return rest


def _sound(fields: dict[str, str], block: bytes, ended: bool) -> bool:
    """True when a record's length is right although no record follows: its digest says so, else how it is ``ended``."""
    agrees = _digest_agrees(fields, block)
    return ended if agrees is None else agrees


def _digest_agrees(fields: dict[str, str], block: bytes) -> bool | None:
    """Whether a block is what its digest says; None when that is not known."""
    name, _, value = fields.get("warc-block-digest", "").partition(":")
    if name not in ("sha1", "sha256", "md5"):
        return None
    digest = hashlib.new(name, block, usedforsecurity=False).digest()
    try:
        given = bytes.fromhex(value) if len(value) == 2 * len(digest) else base64.b32decode(value.upper())
    except (ValueError, binascii.Error):
        return None
    return given == digest


def _next_start(buffer: Buffer, at: int, dialect: Dialect) -> int:
    """Offset of the next place where a record begins; of the end of the bytes when there is none."""
    while True:
        more = buffer.pull(max(at - 1, 0), at + dialect.overlap + FEED)
        found = dialect.start.search(buffer.data, at - buffer.base)
        if found is not None:
            return buffer.base + found.start()
        held = buffer.base + len(buffer.data)
        if not more:
            return held
        at = max(at, held - dialect.overlap)


def framed(
    source: Source, dialect: Dialect, searching: bool = False
) -> Generator[Record | Damage, None, tuple[Buffer, bool]]:
    """``_records``, read again where a record was too long to be held and did not end where it says."""
    at, skips = 0, True
    while True:
        try:
            return (yield from _records(source, dialect, at, searching=searching, skips=skips))
        except _Again as again:
            source, at = source.again(again.at)
            searching = skips = False
