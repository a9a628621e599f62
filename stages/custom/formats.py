"""What a file is: the format of its rows and how it is compressed, by its content and by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import DAMAGE, Split, compression_of, open_binary, read_pieces
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.custom.pages import page_rows
from llama_data.stages.shared.arrow_rows import FILE_MAGIC, arrow_rows
from llama_data.stages.shared.csv_rows import csv_rows
from llama_data.stages.shared.html import ALL, Reading
from llama_data.stages.shared.json_array_rows import json_array_rows
from llama_data.stages.shared.json_rows import json_rows
from llama_data.stages.shared.parquet_rows import parquet_rows
from llama_data.stages.shared.text_rows import text_rows
from llama_data.stages.shared.utf8 import utf8_pieces

_HEAD = 4096
_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
_TABLES = ("parquet", "arrow")
_SUFFIXES = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".warc": "warc",
    ".wet": "warc",
    ".arc": "warc",
}
_ARRAY = re.compile(rb"\s*\[\s*[{\]]")
_OBJECT = re.compile(rb"\s*\{")
_WARC = re.compile(rb"WARC/|filedesc://", re.IGNORECASE)
_LFS = b"version https://git-lfs"


class Found(NamedTuple):
    """The format of a file's rows; the suffix of its compression ("" for none); whether it is an array of JSON."""

    format: str
    compression: str
    array: bool


Rows = Iterator[tuple[int | str, dict[str, Any] | RecordError]]


def rows_of(split: Split, format: str, fields: Sequence[str], reading: Reading = ALL) -> Rows:
    """The rows of a file, numbered from 1, and errors in place of damaged ones; ``fields``: those that are needed.

    The rows of WARC files are pages, named by the place of their record; ``reading``: what of HTML is their text.

    Raises:
        RecordError: the file is not in the format, or cannot be told.
    """
    if format == "warc":  # whose reader knows what to make of a damaged head
        return page_rows(split.path, reading)
    found = recognise(split, format)
    if found.format == "warc":
        return page_rows(split.path, reading)
    if found.format == "parquet":
        return parquet_rows(split.path, fields, split.start, split.end)
    if split.start:
        # Only a parquet file can be cut: the first piece of anything else is all of it.
        return iter(())
    if found.format == "arrow":
        return arrow_rows(split.path, fields)
    if found.format == "csv":
        delimiter = "\t" if _suffixes(split.name)[0] == ".tsv" else ","
        return csv_rows(split.path, delimiter, found.compression)
    if found.format == "text":
        return text_rows(split.path, found.compression)
    return (json_array_rows if found.array else json_rows)(split.path, found.compression)


def recognise(split: Split, format: str) -> Found:
    """What a file is. ``format``: what it is said to be; ``auto``: content first, then the name.

    Compression is always told by content: no text begins as a compressed stream does.

    Raises:
        RecordError: the content is something else than it is said to be, or cannot be told.
    """
    with open_binary(split.path) as stream:
        head = stream.read(_HEAD)
    suffix, packed = _suffixes(split.name)
    compression = compression_of(head)
    if packed and not compression and not _table(head) and not _is_text(_as_utf8(head)):
        raise RecordError(Reason.damaged_archive, f"the name ends with {packed}, the file begins with {head[:8]!r}")
    if compression:
        head = _decompressed(split.path, compression)
    head = _as_utf8(head)
    chosen = _choose(head, _SUFFIXES.get(suffix), format)
    if chosen in _TABLES and compression:
        detail = f"the {chosen} file is compressed as a whole ({compression}); decompress it"
        raise RecordError(Reason.wrong_format, detail)
    return Found(chosen, compression, _ARRAY.match(head) is not None)


def _choose(head: bytes, named: str | None, format: str) -> str:
    table = _table(head)
    expected = named if format == "auto" else format
    if table is not None and (format == "auto" or format == table):
        return table
    if table is not None:
        raise RecordError(Reason.wrong_format, f"expected {format}, found {table}")
    if expected in _TABLES:
        json = format == "auto" and (_OBJECT.match(head) or _ARRAY.match(head))
        if json:
            return "jsonl"
        pointer = ": a pointer of Git LFS, not the file itself; pull it" if head.startswith(_LFS) else ""
        raise RecordError(Reason.wrong_format, f"expected {expected}, found {head[:8]!r}{pointer}")
    if format == "auto" and _WARC.match(head):
        return "warc"
    if expected is not None:
        return expected
    if _OBJECT.match(head) or _ARRAY.match(head):
        return "jsonl"
    raise RecordError(Reason.wrong_format, f"neither name nor content ({head[:8]!r}) says what it is: give `format`")


def _table(head: bytes) -> str | None:
    """Parquet and Arrow's formats by their first bytes, none of which begins a text."""
    # What follows parquet's magic is a structure whose first field is a number.
    if head.startswith(b"PAR1\x15"):
        return "parquet"
    return "arrow" if head.startswith((FILE_MAGIC + b"\0\0", b"\xff\xff\xff\xff")) else None


def _as_utf8(head: bytes) -> bytes:
    return head if _table(head) else b"".join(utf8_pieces([head], json=True))


def _is_text(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The last character may be cut.
        return error.start > _HEAD - 4
    return b"\0" not in head


def _decompressed(path: str, compression: str) -> bytes:
    """The beginning of a compressed file; what can be read of it when it is damaged."""
    head = b""
    try:
        with closing(read_pieces(path, compression)) as pieces:
            for piece in pieces:
                head += piece[:_HEAD]
                if len(head) >= _HEAD:
                    break
    except DAMAGE:
        pass
    return head


def _suffixes(name: str) -> tuple[str, str]:
    """The suffix of the format and that of the compression, in lower case, each "" where there is none."""
    base = name.rsplit("/", 1)[-1].lower()
    packed = next((suffix for suffix in _COMPRESSED if base.endswith(suffix)), "")
    base = base.removesuffix(packed)
    return (f".{base.rsplit('.', 1)[1]}" if "." in base else ""), packed
