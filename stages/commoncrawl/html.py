"""Pages of WARC files: their HTML as lines of plain text, the page's title first, as a WET file would have it."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from typing import BinaryIO, NamedTuple

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from resiliparse.parse.html import HTMLTree

from llama_data.pipeline.core.files import open_binary
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.wet import EMPTY, WetDamage, Window, next_member

MAX_HTML = 16 << 20
_FEED = 64 << 10
_TYPES = ("text/html", "application/xhtml+xml")


class HtmlPage(NamedTuple):
    """A response: where its record begins, its address, date and digest, its text as UTF-8 lines."""

    offset: int
    url: str | None
    date: str | None
    digest: str | None
    body: bytes

    @property
    def key(self) -> str:
        """Name of the record in its file, unique there."""
        return str(self.offset)


def html_text(body: bytes, charset: str | None) -> bytes:
    """The title and the visible text of an HTML page, as UTF-8 lines."""
    tree = HTMLTree.parse(bytes_to_str(body, charset or detect_encoding(body) or "utf-8"))
    title = " ".join((tree.title or "").split())
    text = extract_plain_text(tree, preserve_formatting=True, main_content=False, alt_texts=False)
    return f"{title}\n{text}".encode("utf-8", "replace")


def read_html(path: str) -> Iterator[HtmlPage | WetDamage]:
    """Yield every response of a WARC file; what is damaged costs the record it is in.

    After damage reading goes on at the next gzip member that begins a record.
    """
    with open_binary(path) as stream:
        window = Window(stream)
        start: int | None = 0
        if not window.at(0, 1):
            yield EMPTY
        while start is not None and window.at(start, 1):
            stream.seek(start)
            start = yield from _read_on(window, _responses(stream), start)


def _responses(stream: BinaryIO) -> ArchiveIterator:
    return ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True)


def _read_on(window: Window, records: ArchiveIterator, here: int) -> Generator[HtmlPage | WetDamage, None, int | None]:
    """Read to the end or to damage; the generator's value is where to go on."""
    page: HtmlPage | WetDamage | None = None
    try:
        while (record := next(records, None)) is not None:
            if page is not None:
                yield page
            here, page = record.stream_pos, None
            page = _page(record)
    except (OSError, ValueError) as error:
        broken = here
        if page is not None:
            yield page
            broken = _member_end(window, here) or here + 1
        yield WetDamage(broken, 0, Reason.damaged_record, str(error)[:200])
        return next_member(window, broken + 1)
    # The last page is only sound when its member is whole; other records may follow it.
    cut = _cut_member(window, here)
    if page is not None and cut != here:
        yield page
    if cut is not None:
        yield WetDamage(cut, 0, Reason.truncated_file, "the file ends inside a gzip member")
    return None


def _cut_member(window: Window, offset: int) -> int | None:
    """Where the gzip member begins that the file's end cuts off, None when all are whole from ``offset`` on."""
    while data := window.at(offset, 2):
        if data[0] == 0 or (len(data) == 2 and data != b"\x1f\x8b"):
            return None  # padding, or not compressed
        end = _member_end(window, offset)
        if end is None:
            return offset
        offset = end
    return None


def _member_end(window: Window, offset: int) -> int | None:
    """Where a gzip member ends, which is where the next one should begin; None when it is cut off or damaged."""
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    while data := window.at(offset, _FEED):
        offset += len(data)
        try:
            inflate.decompress(data)
        except zlib.error:
            return None
        if inflate.eof:
            return offset - len(inflate.unused_data)
    return None


def _page(record: WarcRecord) -> HtmlPage | WetDamage:
    headers = record.headers
    offset, date = record.stream_pos, record.record_date
    kind = (record.http_content_type or "").lower()
    if kind not in _TYPES:
        return WetDamage(offset, 0, Reason.not_a_page, kind)
    body = record.reader.read(MAX_HTML + 1)
    if len(body) > MAX_HTML:
        return WetDamage(offset, 0, Reason.too_complex, f"HTML of over {MAX_HTML} bytes")
    if len(body) < record.content_length:
        lacking = record.content_length - len(body)
        return WetDamage(offset, 0, Reason.truncated_file, f"the record lacks {lacking} bytes of its Content-Length")
    stamp = date.strftime("%Y-%m-%dT%H:%M:%SZ") if date else None
    text = html_text(body, record.http_charset)
    return HtmlPage(offset, headers.get("WARC-Target-URI"), stamp, headers.get("WARC-Payload-Digest"), text)
