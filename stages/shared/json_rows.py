"""Rows of JSON-lines files, compressed or not: damaged lines by number, and all that stands before any damage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import DamagedStream, read_pieces
from llama_data.pipeline.core.lines import cut_lines
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.utf8 import utf8_pieces

MAX_LINE = 64 << 20
"""A longer line is an error: as text it may take four bytes for each of its own, and it is held several times."""

# What reading the pieces of a damaged file raises; an OSError is no damage to the file.
DAMAGED = (EOFError, DamagedStream)


def json_rows(path: str, compression: str | None = None) -> Iterator[tuple[int, dict[str, Any] | RecordError]]:
    """Yield (line number from 1, object) for every line that is not blank; an error in place of a damaged one.

    A file that cannot be decompressed on ends with one error, at the line that could not be read. orjson reads JSON as
    RFC 8259 has it: NaN, Infinity, lone surrogates, control characters as they are (NUL too), bytes that are not UTF-8,
    numbers beyond 64-bit floats and more than 1,024 levels are errors of their line; a key given twice has its last
    value, and an integer beyond 64 bits is a float. A byte order mark at the beginning of the file is stepped over, and
    files in UTF-16 and UTF-32 are read too.

    Raises:
        InputError: there is no such file.
    """
    number = 0
    try:
        for lines in cut_lines(utf8_pieces(read_pieces(path, compression), json=True), MAX_LINE):
            if lines.count(b"") == len(lines):  # a bomb may be a billion of them
                number += len(lines)
                continue
            for line in lines:
                number += 1
                if line is None:
                    yield number, RecordError(Reason.too_complex, f"the line is longer than {MAX_LINE} bytes")
                elif line and not line.isspace():
                    yield number, parse_object(line)
    except DAMAGED as error:
        yield number + 1, record_error(error)


def parse_object(data: bytes) -> dict[str, Any] | RecordError:
    """The JSON object that the bytes are, or what is wrong with them."""
    try:
        row = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return RecordError(Reason.invalid_json, str(error))
    if not isinstance(row, dict):
        return RecordError(Reason.invalid_json, f"expected an object, found {type(row).__name__}")
    return row


def record_error(error: EOFError | DamagedStream) -> RecordError:
    """What damage to a compressed stream costs: the record in which it stands."""
    return RecordError(Reason.truncated_file if isinstance(error, EOFError) else Reason.damaged_archive, str(error))
