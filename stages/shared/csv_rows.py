"""Rows of CSV files with a header: RFC 4180's quotes, UTF-8 (UTF-16 with its mark), lines that end with a newline."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import read_pieces
from llama_data.pipeline.core.lines import cut_lines
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.json_rows import DAMAGED, MAX_LINE, record_error
from llama_data.stages.shared.utf8 import utf8_pieces


def csv_rows(
    path: str, delimiter: str = ",", compression: str | None = None
) -> Iterator[tuple[int, dict[str, Any] | RecordError]]:
    """Yield (row number from 1, fields by the header's names) of a CSV file; an error in place of a damaged row.

    The header is no row and blank lines are none; an error of the header is row 0, and the only one. A field may be as
    long as a line of JSON. A quote that is not closed makes one row, and one error, of what follows up to the end.

    Raises:
        InputError: there is no such file.
    """
    csv.field_size_limit(MAX_LINE)
    rows = csv.reader(_Lines(path, compression), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    number = 0
    while True:
        found: list[str] | RecordError
        try:
            found = next(rows)
        except StopIteration:
            return
        except RecordError as error:
            found = error
        except csv.Error as error:
            found = RecordError(Reason.damaged_record, str(error))
        if not found:
            continue
        if header is None:
            names = _header(found)
            if isinstance(names, RecordError):
                yield number, names
                return
            header = names
        else:
            number += 1
            yield number, _row(header, found)


def _header(found: list[str] | RecordError) -> list[str] | RecordError:
    if isinstance(found, RecordError):
        return found
    if _undecoded(found):
        return RecordError(Reason.invalid_encoding, "expected UTF-8 in the header")
    if len(set(found)) < len(found):
        return RecordError(Reason.wrong_format, f"the header has a name twice: {', '.join(found)}")
    return found


def _row(header: list[str], found: list[str] | RecordError) -> dict[str, Any] | RecordError:
    if isinstance(found, RecordError):
        return found
    if len(found) != len(header):
        detail = f"expected {len(header)} fields as in the header, found {len(found)}"
        return RecordError(Reason.damaged_record, detail)
    if _undecoded(found):
        return RecordError(Reason.invalid_encoding, "expected UTF-8")
    return dict(zip(header, found, strict=True))


def _undecoded(values: list[str]) -> bool:
    """True when a byte stands in a text as a surrogate, because it is no UTF-8."""
    try:
        for value in values:
            value.encode()
    except UnicodeEncodeError:
        return True
    return False


class _Lines:
    """The lines of a file as text; what is not UTF-8 is carried as surrogates. Goes on after an error."""

    def __init__(self, path: str, compression: str | None) -> None:
        self._batches = cut_lines(utf8_pieces(read_pieces(path, compression)), MAX_LINE)
        self._ready: list[bytes | None] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while not self._ready:
            try:
                self._ready = next(self._batches)[::-1]
            except DAMAGED as error:
                raise record_error(error) from None
        line = self._ready.pop()
        if line is None:
            raise RecordError(Reason.too_complex, f"a line is longer than {MAX_LINE} bytes")
        return line.decode("utf-8", "surrogateescape") + "\n"
