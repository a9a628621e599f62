"""Files that are one text each, as rows like any other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import read_pieces
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.json_rows import DAMAGED, MAX_LINE, record_error
from llama_data.stages.shared.utf8 import utf8_pieces


def text_rows(path: str, compression: str | None = None) -> Iterator[tuple[int, dict[str, Any] | RecordError]]:
    """Yield row 1, ``{"text": ...}``: the whole file in UTF-8, or in UTF-16 or UTF-32 with its byte order mark; or an
    error in its place.

    Raises:
        InputError: there is no such file.
    """
    yield 1, _row(path, compression)


def _row(path: str, compression: str | None) -> dict[str, Any] | RecordError:
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in utf8_pieces(read_pieces(path, compression)):
            size += len(piece)
            if size > MAX_LINE:
                return RecordError(Reason.too_complex, f"the text is longer than {MAX_LINE} bytes")
            pieces.append(piece)
        return {"text": b"".join(pieces).decode()}
    except DAMAGED as error:
        return record_error(error)
    except UnicodeDecodeError as error:
        return RecordError(Reason.invalid_encoding, f"expected UTF-8: {error.reason} at byte {error.start}")
