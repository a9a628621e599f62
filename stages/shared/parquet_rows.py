"""Rows of parquet files: a row group that cannot be read costs its rows, each of them by number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import open_binary
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.parquet_pages import DICTIONARY, pages_of
from llama_data.stages.shared.table_rows import chosen_columns, is_damage, table_rows, whole_file_error

BATCH_ROWS = 64
BATCH_BYTES = 64 << 20
MAX_PAGE = 256 << 20
"""A page that is larger when it is decompressed is not: parquet's writers begin a new one after a megabyte."""


def parquet_rows(
    path: str, fields: Sequence[str] | None = None, start: int = 0, end: int | None = None
) -> Iterator[tuple[int, dict[str, Any] | RecordError]]:
    """Yield (row number from 1, row) of a parquet file; an error in place of every row that cannot be read.

    ``fields``: what is read of a row, whole columns; None: everything. ``start``, ``end``: only row groups whose first
    byte in the file stands there; the rows keep their numbers, and a file that cannot be opened is an error of the
    piece that begins at 0.

    Raises:
        InputError: there is no such file.
    """
    first = 1
    with open_binary(path) as stream:
        try:
            file = pq.ParquetFile(stream)
            columns = chosen_columns(file.schema_arrow.names, fields)
        except Exception as error:
            if not (isinstance(error, RecordError) or is_damage(error)):
                raise
            if start == 0:
                yield first, whole_file_error(error)
            return
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            if start <= _offset(group) and (end is None or _offset(group) < end):
                yield from enumerate(_group_rows(file, stream, number, columns), first)
            first += group.num_rows


def _offset(group: Any) -> int:
    """Where a row group begins in the file; one without columns is at its beginning."""
    if not group.num_columns:
        return 0
    column = group.column(0)
    return int(column.dictionary_page_offset or column.data_page_offset)


def _group_rows(file: Any, stream: BinaryIO, number: int, columns: list[str]) -> Iterator[dict[str, Any] | RecordError]:
    """As many rows as the row group says that it has; errors from the place on where it cannot be read."""
    group = file.metadata.row_group(number)
    given, reason = 0, Reason.damaged_record
    detail = "the row group holds fewer rows than it says"
    try:
        rows = _batch_rows(stream, group, columns)
        batches = file.iter_batches(rows, row_groups=[number], columns=columns, use_threads=False)
        for batch in batches:
            for row in table_rows(batch, checked=True):
                given += 1
                yield row
    except RecordError as error:
        reason, detail = error.reason, f"row group {number}: {error.detail}"
    except Exception as error:
        if not is_damage(error):
            raise
        detail = f"row group {number} cannot be read: {error}"
    for _ in range(group.num_rows - given):
        yield RecordError(reason, detail)


def _batch_rows(stream: BinaryIO, group: Any, columns: list[str]) -> int:
    """How many rows are decoded at a time, by what the pages say of their sizes.

    A value that stands in a dictionary once may be that of every row, so it is the dictionary that counts.

    Raises:
        RecordError: a page is larger than is decompressed.
    """
    rows = BATCH_ROWS
    for index in range(group.num_columns):
        column = group.column(index)
        if column.path_in_schema.split(".")[0] not in columns:
            continue
        for page in pages_of(stream, column):
            if page.size > MAX_PAGE:
                raise RecordError(Reason.too_complex, f"a page of {page.size} bytes, the limit is {MAX_PAGE}")
            if page.kind == DICTIONARY:
                rows = min(rows, max(BATCH_BYTES // max(page.size, 1), 1))
    return rows
