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

    A row longer than ``MAX_ROW`` bytes comes cut off there, and not ``whole``. Errors of the stream pass through.
    """
    data, base, position = b"", start, 0  # data[0] is at offset `base`, and what comes next at `position`
    while True:
        mark = _ROW.search(data, position)
        if mark is None:
            position = max(position, len(data) - _LONGEST_MARK)
            if end is not None and base + position >= end:
                return
            block = stream.read(BLOCK)
            if not block:
                return
            data, base, position = data[position:] + block, base + position, 0
            continue
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
            yield Row(offset, data[position:close], True)
            position = close


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
