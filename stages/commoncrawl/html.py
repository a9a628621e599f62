"""Pages of WARC files: their HTML as lines of plain text, the page's title first, as a WET file would have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from resiliparse.parse.html import HTMLTree

from llama_data.pipeline.core.files import open_binary
from llama_data.pipeline.core.reasons import Reason

MAX_HTML = 16 << 20
_TYPES = ("text/html", "application/xhtml+xml")


class HtmlPage(NamedTuple):
    """A response: where its record begins, its address, date and digest, its text (None: not a page, or damaged)."""

    offset: int
    url: str | None
    date: str | None
    digest: str | None
    text: bytes | None
    reason: Reason | None = None
    detail: str = ""


def html_text(body: bytes, charset: str | None) -> bytes:
    """The title and the visible text of an HTML page, as UTF-8 lines."""
    tree = HTMLTree.parse(bytes_to_str(body, charset or detect_encoding(body) or "utf-8"))
    title = " ".join((tree.title or "").split())
    text = extract_plain_text(tree, preserve_formatting=True, main_content=False, alt_texts=False)
    return f"{title}\n{text}".encode("utf-8", "replace")


def read_html(path: str) -> Iterator[HtmlPage]:
    """Yield every response of a WARC file; a file that cannot be read on ends with a report of where."""
    with open_binary(path) as stream:
        records = ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True)
        offset = 0
        while True:
            try:
                record = next(records, None)
                if record is None:
                    return
                offset = record.stream_pos
                page = _page(record)
            except (OSError, ValueError) as error:
                yield HtmlPage(offset, None, None, None, None, Reason.damaged_record, str(error)[:200])
                return
            yield page


def _page(record: WarcRecord) -> HtmlPage:
    headers = record.headers
    facts = (record.stream_pos, headers.get("WARC-Target-URI"), record.record_date, headers.get("WARC-Payload-Digest"))
    offset, url, date, digest = facts
    stamp = date.strftime("%Y-%m-%dT%H:%M:%SZ") if date else None
    kind = (record.http_content_type or "").lower()
    if kind not in _TYPES:
        return HtmlPage(offset, url, stamp, digest, None, Reason.not_a_page, kind)
    body = record.reader.read(MAX_HTML + 1)
    if len(body) > MAX_HTML:
        return HtmlPage(offset, url, stamp, digest, None, Reason.too_complex, f"HTML of over {MAX_HTML} bytes")
    return HtmlPage(offset, url, stamp, digest, html_text(body, record.http_charset))
