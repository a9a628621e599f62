"""Pages of WARC files: their HTML as lines of plain text, the page's title first.

The text is all that is visible, as a WET file would have it, or the page's main content.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.extras import install, is_installed
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.charset import decode_html
from llama_data.stages.shared.formulas import with_formulas
from llama_data.stages.shared.http import MAX_BODY, Response, decode_body, media_type, parse_response
from llama_data.stages.shared.main_content import Extractor, keep_alone, keep_lists, main_text, trafilatura_text
from llama_data.stages.shared.records import Damage, Record, place_key

PAGE_STATUS = frozenset({200, 201, 202, 203})
"""Answers that are the page itself, and all of it. Source: RFC 9110, section 15.3."""

MAX_LISTS = 64
"""How deep lists may be nested. Every line is indented by its depth: of deeper ones the text would grow squarely."""

_TYPES = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|script|iframe|h1|div|font|"
    rb"table|a|style|title|body|br|p|meta)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
# Blocks that the extraction would glue to what stands beside them, or leave out with the pictures they may hold.
_BLOCK = re.compile(r"(</?)(?:fig(?:ure|caption)|summary|legend|dialog)(?=[\s/>])", re.IGNORECASE)
# Lists and those blocks, by their first letters.
_MARKS = re.compile("<([uoUO][lL]|[fF][iI][gG]|[sS][uU][mM]|[lL][eE][gG]|[dD][iI][aA])")
_LIST = re.compile(r"<(/?)[uo]l(?=[\s/>])", re.IGNORECASE)
_ITEM = re.compile(r"(</?)(?:[uo]l|li)(?=[\s/>])", re.IGNORECASE)


Content = Literal["all", "main"]


class Reading(NamedTuple):
    """What of an HTML page is its text: all that is visible, or the main content, and what finds that."""

    content: Content = "all"
    extractor: Extractor = "resiliparse"


ALL = Reading()
MAIN = Reading("main")

NO_PAGE = frozenset({Reason.not_a_page, Reason.http_status})
"""Reasons that say what a record is, not that it cannot be read."""


class HtmlPage(NamedTuple):
    """A response: where its record begins, its address, date and digest, its text as UTF-8 lines.

    The first line is the title. ``about``: further metadata, what the server and the page say of the page.
    """

    offset: int
    within: int
    url: str | None
    date: str | None
    digest: str | None
    body: bytes
    about: dict[str, Any]

    @property
    def key(self) -> str:
        """Name of the record in its file, unique there."""
        return place_key(self.offset, self.within)


def check_extractor(content: Content, extractor: Extractor) -> None:
    """Check settings. Raises ValueError: an extractor that would not be asked, or one that is not installed."""
    if extractor == "resiliparse":
        return
    if content == "all":
        raise ValueError(f"extractor: {extractor} finds the main content; with it set `content: main`")
    if not is_installed(extractor):
        raise ValueError(f"extractor: {extractor} is not installed: `{install(extractor)}`")


def html_text(body: bytes, charset: str | None, reading: Reading = ALL) -> bytes:
    """The title and the text of an HTML page, as UTF-8 lines. ``charset`` is that of the HTTP header.

    Raises:
        RecordError: the page is too complex for the extraction of its main content.
    """
    return _read(body, charset, reading)[0]


def _read(body: bytes, charset: str | None, reading: Reading) -> tuple[bytes, str | None]:
    """The text of a page, and the language that its root element names."""
    html = decode_html(body, charset)
    marks = _MARKS.findall(html)
    if any(len(mark) > 2 for mark in set(marks)):
        html = _BLOCK.sub(r"\1div", html)
    if len(marks) > MAX_LISTS and _deepest(html) > MAX_LISTS:
        html = _ITEM.sub(r"\1div", html)
    if reading == MAIN:
        html = keep_lists(keep_alone(with_formulas(html)))
    tree = HTMLTree.parse(html)
    title = " ".join((tree.title or "").split())
    root = None if tree.document is None else tree.document.query_selector("html")
    language = None if root is None else root.getattr("lang") or root.getattr("xml:lang")
    if reading == MAIN:
        text = main_text(html, tree)
    elif reading.content == "main":
        text = trafilatura_text(html)
    else:
        text = extract_plain_text(tree, preserve_formatting=True, main_content=False, alt_texts=False)
    return f"{title}\n{text}".encode("utf-8", "replace"), _label(language)


def _label(text: str | None) -> str | None:
    """What a header or an attribute says, on one line and not too long; None when it says nothing."""
    return " ".join((text or "").split())[:80].encode("utf-8", "replace").decode() or None


def _deepest(html: str) -> int:
    """How deep the lists of a page are nested."""
    depth = deepest = 0
    for found in _LIST.finditer(html):
        depth += -1 if found[1] else 1
        deepest = max(deepest, depth)
    return deepest


def html_page(record: Record, reading: Reading = ALL) -> HtmlPage | Damage:
    """The page of a ``response``, or of another record that is no plain text, or why there is none."""
    place = record.offset, record.within
    try:
        response = parse_response(record.body) if record.kind == "response" else None
        kind, charset, body = _body(record, response)
        if kind not in _TYPES:
            return Damage(*place, Reason.not_a_page, kind or "", record.url)
        if record.lacking or len(body) > MAX_BODY:
            raise RecordError(Reason.too_complex, f"HTML of over {MAX_BODY} bytes")
        text, language = _read(body, charset, reading)
    except RecordError as error:
        return Damage(*place, error.reason, error.detail, record.url)
    date, digest = record.fields.get("warc-date"), record.fields.get("warc-payload-digest")
    said = _label(", ".join(response.values("content-language"))) if response else None
    found = {
        "http_status": response.status if response else None,
        "content_type": kind,
        "content_language": said,
        "html_language": language,
    }
    about = {name: value for name, value in found.items() if value is not None}
    return HtmlPage(*place, record.url, date, digest, text, about)


def _body(record: Record, response: Response | None) -> tuple[str | None, str | None, bytes]:
    """The type, the charset and the decoded body of a record; the body of what is no page is left as it is.

    Raises:
        RecordError: the answer is not the page, or cannot be read.
    """
    own = record.fields.get("content-type", "")
    if response is None:
        kind, charset = media_type([own])
        body = record.body
        if kind in ("application/http", "message/http"):
            if not _HTML.match(body):
                raise RecordError(Reason.damaged_record, f"expected an HTTP status line, found {body[:16]!r}")
            kind = None
        return kind or _sniffed(body), charset, body
    if response.status not in PAGE_STATUS:
        raise RecordError(Reason.http_status, f"{response.status:03}")
    kind, charset = media_type(response.fields.get("content-type", []))
    if kind is None:
        kind = media_type([record.fields.get("warc-identified-payload-type", "")])[0]
    if (kind is not None and kind not in _TYPES) or record.lacking:
        return kind, charset, b""
    body = decode_body(response)
    return kind or _sniffed(body), charset, body


def _sniffed(body: bytes) -> str | None:
    """The type that a body looks like when nothing says it. Source: https://mimesniff.spec.whatwg.org."""
    return "text/html" if _HTML.match(body[:4096]) else None
