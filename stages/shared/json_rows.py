"""Rows of JSON-lines files, compressed or not: damaged lines by number, and all that stands before any damage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import DamagedStream, read_pieces
from llama_data.pipeline.core.reasons import Reason

MAX_LINE = 256 << 20


def json_rows(path: str) -> Iterator[tuple[int, dict[str, Any] | RecordError]]:
    """Yield (line number from 1, object) for every line that is not blank; an error in place of a damaged one.

    A file that cannot be decompressed on ends with one error, at the line that could not be read.

    Raises:
        InputError: there is no such file.
    """
    for number, line in enumerate(_lines(path), 1):
        if isinstance(line, RecordError):
            yield number, line
        elif line and not line.isspace():
            yield number, _parse(line)


def _parse(line: bytes) -> dict[str, Any] | RecordError:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return RecordError(Reason.invalid_json, str(error))
    if not isinstance(row, dict):
        return RecordError(Reason.invalid_json, f"expected an object, found {type(row).__name__}")
    return row


def _lines(path: str) -> Iterator[bytes | RecordError]:
    held: list[bytes] = []
    size = 0
    for piece in _pieces(path):
        if isinstance(piece, RecordError):
            # What is held is the line that the damage cut.
            yield piece
            return
        first, *others = piece.split(b"\n")
        size += len(first)
        if size <= MAX_LINE:
            held.append(first)
        else:
            held = []
        for line in others:
            yield _whole(held, size)
            held, size = [line], len(line)
    if size:
        yield _whole(held, size)


def _whole(held: list[bytes], size: int) -> bytes | RecordError:
    if size > MAX_LINE:
        return RecordError(Reason.too_complex, f"the line is longer than {MAX_LINE} bytes")
    return b"".join(held)


def _pieces(path: str) -> Iterator[bytes | RecordError]:
    """The decompressed bytes of a file, then an error where they cannot be read on."""
    try:
        yield from read_pieces(path)
    except EOFError as error:
        yield RecordError(Reason.truncated_file, str(error))
    except DamagedStream as error:
        yield RecordError(Reason.damaged_archive, str(error))
