"""Rows of JSON-lines files, compressed or not, with damaged lines reported by number."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
import zstandard

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import open_decompressed
from llama_data.pipeline.core.reasons import Reason

MAX_LINE = 256 << 20


def json_rows(path: str) -> Iterator[tuple[int, dict[str, Any] | RecordError]]:
    """Yield (line number from 1, object) for every line that is not blank; an error in place of a damaged one.

    A stream that cannot be decompressed on ends with one error, at the line that could not be read.
    """
    number = 0
    with open_decompressed(path) as stream:
        while True:
            number += 1
            try:
                line = stream.readline(MAX_LINE)
            except EOFError as error:
                yield number, RecordError(Reason.truncated_file, str(error))
                return
            except (OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
                yield number, RecordError(Reason.damaged_archive, str(error))
                return
            if not line:
                return
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                yield number, RecordError(Reason.too_complex, f"the line is longer than {MAX_LINE} bytes")
                while line and not line.endswith(b"\n"):
                    line = stream.readline(MAX_LINE)
            elif not line.isspace():
                yield number, _parse(line)


def _parse(line: bytes) -> dict[str, Any] | RecordError:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return RecordError(Reason.invalid_json, str(error))
    if not isinstance(row, dict):
        return RecordError(Reason.invalid_json, f"expected an object, found {type(row).__name__}")
    return row
