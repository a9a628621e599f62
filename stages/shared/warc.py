"""Reads the records of WARC and ARC files, plain or compressed, of any type; what is damaged costs one record.

After damage reading goes on at the next line that begins a record or at the next member of a compressed file. Every
record that should be a page is given or reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from llama_data.pipeline.core.files import compression_of, open_binary
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.framing import ARC_FORMAT, MAX_RECORD, WARC_FORMAT, Dialect, framed
from llama_data.stages.shared.members import (
    BATCH,
    GZIP,
    Broken,
    Codec,
    Members,
    Packed,
    Plain,
    Source,
    Window,
    next_member,
    zstd,
)
from llama_data.stages.shared.records import WARC, Damage, Record, checked, parse_header
from llama_data.stages.shared.wet_batch import WetBatch, frame, inflate, member_bounds

MAX_BATCH = 16 << 20
"""Most decompressed bytes of a batch. Beyond, members are read one by one: a megabyte of gzip may be a gigabyte."""

EMPTY = Damage(0, 0, Reason.truncated_file, "the file is empty")
Found = WetBatch | Record | Damage


def read_warc(path: str) -> Iterator[Found]:
    """Yield the records of a WARC or ARC file that may be pages, and a report for what is damaged.

    The file may be plain or compressed (gz, zst, bz2, xz), as its first bytes say. The pages of a sound stretch of
    a WET file come in one batch.

    Raises:
        InputError: there is no such file.
    """
    with open_binary(path) as stream:
        window = Window(stream)
        head = window.at(0, 16)
        compression = compression_of(head) or _named(path, head)
        if not head:
            yield EMPTY
        elif head[:2] == b"\x1f\x8b" or compression == ".gz":
            yield from _read_members(window, GZIP)
        elif compression == ".zst":
            yield from _read_members(window, zstd(window))
        elif compression:
            yield from _read_stream(Packed(path, compression), Packed(path, compression))
        else:
            yield from _read_stream(Plain(stream), Plain(stream))


def _named(path: str, head: bytes) -> str:
    """What the name says of a file that begins like none that is known: its first member may be damaged."""
    text = head.lstrip(b"\r\n")
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in text):
        return ""
    return next((suffix for suffix in (".gz", ".zst") if path.lower().endswith(suffix)), "")


def _dialect_of(source: Source) -> Dialect:
    """ARC when the first line is one of ARC's; where it is damaged, what the first line says that can be read."""
    try:
        head = source.more(False).lstrip(b"\r\n")
    except Broken:
        head = b""
    if ARC_FORMAT.begins.match(head):
        return ARC_FORMAT
    found = None if WARC_FORMAT.begins.match(head) else ARC_FORMAT.start.search(head)
    return WARC_FORMAT if found is None or WARC_FORMAT.start.search(head, 0, found.start()) else ARC_FORMAT


def _read_stream(first: Source, source: Source) -> Iterator[Found]:
    """Read a file whose bytes come in one stretch; ``first`` is the same file, to look at."""
    yield from framed(source, _dialect_of(first))


def _read_members(window: Window, codec: Codec) -> Iterator[Found]:
    """Read a file of compressed members: many at once where that comes out exactly."""
    dialect = _dialect_of(Members(window, codec, 0, WARC))
    offset = 0
    searching = False
    alone = 0  # where members are read one by one up to, because many at once did not come out exactly
    while window.at(offset, 1):
        if codec is GZIP and dialect is WARC_FORMAT and not searching and offset >= alone:
            batch, end = _inflate_batch(window, offset)
            if batch is not None:
                yield from [batch] if isinstance(batch, WetBatch) else batch
                offset = end
                continue
            alone = end
        members = Members(window, codec, offset, dialect.begins)
        buffer, searching = yield from framed(members, dialect, searching)
        assert isinstance(buffer.source, Members)
        members = buffer.source
        offset = members.next
        if searching or buffer.broken is not None:
            start = offset if buffer.broken is None else members.opened + 1
            offset, begins = next_member(window, start, codec, dialect.begins)
            searching = not begins


def _inflate_batch(window: Window, offset: int) -> tuple[WetBatch | list[Record | Damage] | None, int]:
    """The records of many gzip members at once, and where they end; None when anything does not come out exactly.

    Exactly: one record a member, whose Content-Length reaches to the final empty lines. A member's last four
    bytes are its decompressed size, so the boundaries are known, and checked.
    """
    data = window.at(offset, BATCH)
    starts = member_bounds(data, whole=len(data) < BATCH)
    if len(starts) < 2 or starts[0] != 0:
        return None, offset
    end = offset + starts[-1]
    sizes = [int.from_bytes(data[stop - 4 : stop], "little") for stop in starts[1:]]
    text = inflate(data, starts, sizes) if sum(sizes) <= min(MAX_BATCH, MAX_RECORD) else None
    if text is None:
        return None, end
    offsets = [offset + start for start in starts[:-1]]
    batch = frame(text, sizes, offsets, MAX_RECORD)
    if isinstance(batch, WetBatch):
        return batch, end
    return (_parsed(text, sizes, offsets) if batch else None), end


def _parsed(text: bytes, sizes: list[int], offsets: list[int]) -> list[Record | Damage] | None:
    """The records of a batch that are not plain pages of WET; None when one does not come out exactly."""
    records: list[Record | Damage] = []
    begin = 0
    for offset, size in zip(offsets, sizes, strict=True):
        end = begin + size
        body = text.find(b"\r\n\r\n", begin, end) + 4
        try:
            header = parse_header(text[begin : body - 4])
        except Broken:
            return None
        if body + header.length + 4 != end or text[end - 4 : end] != b"\r\n\r\n":
            return None
        kind = header.fields.get("warc-type", "").lower()
        found = checked(Record(offset, 0, kind, header.fields, text[body : end - 4]))
        if found is not None:
            records.append(found)
        begin = end
    return records
