"""Rows of a ``Posts.xml``: found by scanning bytes, parsed one at a time.

In XML no attribute may hold a bare ``<``, so ``<row`` is always the start of a row, whatever came before it: a
DOCTYPE, a broken row, or the middle of a file. Each row is parsed alone and without its document's DTD, so there
is no entity that could expand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from lxml import etree  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason

BLOCK = 1 << 20
MAX_ROW = 16 << 20
QUESTION, ANSWER = 1, 2

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, encoding="utf-8")
_ROW = re.compile(rb"<row(?=[\s/>])")
_WHOLE = re.compile(rb"<row(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*\s*/>")
_BETWEEN = re.compile(rb"(?:\s|</row\s*>|</?posts\s*>|<!--.*?-->)*+", re.DOTALL)
_ID = re.compile(rb"\sId=")
_GAP = 64 << 10
_LONGEST_MARK = len(b"<row") + 1
_NOT_XML = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:x0*(?:[0-8bcef]|1[0-9a-f])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));", re.I
)
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")  # what the ledger's 64 bits hold
_TAG = re.compile(r"<([^<>]+)>|([^|<>]+)")


class Row(NamedTuple):
    """The bytes of one row and where they begin; ``whole`` is False when the file ends inside it."""

    offset: int
    data: bytes
    whole: bool


def scan_rows(stream: BinaryIO, start: int = 0, end: int | None = None) -> Iterator[Row]:
    """Yield every row that begins in ``start <= offset < end``; ``stream`` stands at ``start``.

    What stands where a row should, and does not begin like one, is a row that ``parse_row`` refuses.

    A row longer than ``MAX_ROW`` bytes comes cut off there, and not ``whole``. Errors of the stream pass through.
    """
    data, base, position = b"", start, 0  # data[0] is at offset `base`, and what comes next at `position`
    gap = _Gap(first=start == 0)
    while True:
        mark = _ROW.search(data, position)
        if mark is None:
            before, position = position, max(position, len(data) - _LONGEST_MARK)
            gap.add(base + before, data[before:position])
            done = end is not None and base + position >= end
            block = b"" if done else stream.read(BLOCK)
            if not block:
                gap.add(base + position, data[position:])
                yield from gap.close(cut=done)
                return
            data, base, position = data[position:] + block, base + position, 0
            continue
        gap.add(base + position, data[position : mark.start()])
        yield from gap.close()
        position = mark.start()
        offset = base + position
        if end is not None and offset >= end:
            return
        close = data.find(b"<", position + 1)
        if close < 0:
            data, base, position = data[position:], offset, 0
            close, data = _find_close(stream, data)
        if close < 0:
            yield Row(offset, data[position : position + MAX_ROW], False)
            position += _LONGEST_MARK - 1
        else:
            yield from _row_and_rest(offset, data[position:close])
            position = close
        # What stands behind a row that is broken is taken for the rest of it.
        gap = _Gap(follows=close >= 0 and data[max(0, close - 64) : close].rstrip().endswith(b">"))


def _row_and_rest(offset: int, data: bytes) -> Iterator[Row]:
    """A row; and what stands behind it, where that is no space."""
    end = len(data.rstrip())
    whole = None if data.find(b"/>") == end - 2 else _WHOLE.match(data)
    if whole is None or whole.end() == end:
        yield Row(offset, data, True)
    else:
        yield Row(offset, data[: whole.end()], True)
        yield Row(offset + whole.end(), data[whole.end() :][:MAX_ROW], True)


class _Gap:
    """What stands between two rows: spaces, the end of a row or of all; anything else was a row, or several.

    ``first``: the head of a file, in which much may stand that is no row. ``follows``: a row stands before it; a piece
    of a file begins with the end of a row of the piece before.
    """

    def __init__(self, *, first: bool = False, follows: bool = False) -> None:
        self._first = first
        self._follows = follows
        self._offset = 0
        self._text = bytearray()

    def add(self, offset: int, text: bytes) -> None:
        """Add bytes, of which a beginning is kept."""
        if not self._text:
            self._offset = offset
        self._text += text[: max(0, _GAP - len(self._text))]

    def close(self, *, cut: bool = False) -> Iterator[Row]:
        """The gap as a row that cannot be read, when it is not what may stand there; ``cut``: it may end in a tag."""
        text = bytes(self._text)
        if cut and text.rfind(b"<") > text.rfind(b">"):
            text = text[: text.rfind(b"<")]
        stray = _ID.search(text) is not None if self._first else self._follows and _BETWEEN.fullmatch(text) is None
        if stray:
            yield Row(self._offset, text, True)


def _find_close(stream: BinaryIO, data: bytes) -> tuple[int, bytes]:
    """The end of the row that ``data`` begins with: the next ``<``. Reads on as needed; -1 when there is none."""
    position = len(data)
    while True:
        block = stream.read(BLOCK) if position <= MAX_ROW else b""
        if not block:
            # a row may be the very last thing in a file that lost its closing tag
            return (len(data) if data.rstrip().endswith(b"/>") else -1), data
        data += block
        close = data.find(b"<", position)
        if close >= 0:
            return close, data
        position = len(data)


def parse_row(row: Row) -> dict[str, str]:
    """The attributes of a row.

    Characters that XML forbids are left out. Raises RecordError: cut off, too long, not UTF-8, or not well-formed.
    """
    if not row.whole and len(row.data) >= MAX_ROW:
        raise RecordError(Reason.too_complex, f"the row at byte {row.offset} has more than {MAX_ROW} bytes")
    if not row.whole:
        raise RecordError(Reason.truncated_file, f"the row at byte {row.offset} has no end")
    if not _ROW.match(row.data):
        found = row.data.strip()[:40]
        raise RecordError(Reason.damaged_record, f"expected a row at byte {row.offset}, found {found!r}")
    data = row.data.rstrip()
    if not data.endswith(b"/>"):
        data += b"</row>" if data.endswith(b">") else b""
    try:
        return _attributes(data)
    except etree.XMLSyntaxError:
        pass
    try:
        return _attributes(_NOT_XML.sub(b"", data))
    except etree.XMLSyntaxError as error:
        message = error.msg
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(Reason.invalid_encoding, f"byte {row.offset + error.start}: {error.reason}") from None
    raise RecordError(Reason.invalid_xml, f"row at byte {row.offset}: {message}")


def _attributes(data: bytes) -> dict[str, str]:
    return dict(etree.fromstring(data, _PARSER).attrib)


def post_of(row: dict[str, str]) -> dict[str, Any]:
    """What we need of a row, as plain values: ``kind`` is ``question``, ``answer`` or ``other``.

    Raises RecordError when the number of the post, or an answer's question, is missing or no number.
    """
    number = _integer(row, "Id")
    type_id = _integer(row, "PostTypeId") if "PostTypeId" in row else _guess_type(row)
    post: dict[str, Any] = {"id": number, "kind": "other", "body": row.get("Body", "")}
    if type_id == ANSWER:
        post |= {"kind": "answer", "parent": _integer(row, "ParentId")}
    elif type_id == QUESTION:
        if not row.get("Title", "").strip():
            raise RecordError(Reason.missing_field, f"question {number}: Title")
        post |= {"kind": "question", "title": row["Title"], "tags": _tags(row.get("Tags", ""))}
    else:
        post["type"] = type_id
    post["score"] = _integer(row, "Score") if "Score" in row else 0
    for key, name in (("date", "CreationDate"), ("license", "ContentLicense"), ("owner", "OwnerUserId")):
        if name in row:
            post[key] = row[name]
    if "owner" not in post and "OwnerDisplayName" in row:
        post["owner"] = row["OwnerDisplayName"]
    return post


def _guess_type(row: dict[str, str]) -> int:
    if "ParentId" in row:
        return ANSWER
    return QUESTION if "Title" in row else 0


def _integer(row: dict[str, str], name: str) -> int:
    value = row.get(name)
    if value is None:
        raise RecordError(Reason.missing_field, f"post {row.get('Id', '?')}: {name}")
    if not _INTEGER.fullmatch(value):
        raise RecordError(Reason.damaged_record, f"post {row.get('Id', '?')[:40]}: {name} is no number: {value[:40]!r}")
    return int(value)


def _tags(value: str) -> list[str]:
    """Tags as both generations of dumps write them: ``<a><b>`` and ``|a|b|``."""
    return [first or second for first, second in _TAG.findall(value)]
