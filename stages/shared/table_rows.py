"""Rows out of Arrow's columns, some at a time: what is stored once is held once, and a bad value costs its row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason

STEP = 64

_BAD_VALUE = (pa.ArrowException, UnicodeDecodeError, ValueError, OverflowError)


def is_damage(error: BaseException) -> bool:
    """True for what Arrow raises over a file's content; False for a disk or a store that does not answer."""
    return isinstance(error, pa.ArrowException | UnicodeDecodeError) or (
        isinstance(error, OSError) and error.errno is None
    )


def chosen_columns(names: Sequence[str], fields: Sequence[str] | None) -> list[str]:
    """The columns that hold the fields; a field may be a dotted path into a column. None: all of them.

    Raises:
        RecordError: one of them is there twice, so that nothing says which is meant.
    """
    chosen = list(names)
    if fields is not None:
        chosen = [name for name in names if any(field == name or field.startswith(f"{name}.") for field in fields)]
    if len(set(chosen)) < len(chosen):
        raise RecordError(Reason.wrong_format, f"a column is there twice: {', '.join(chosen)}")
    return chosen


def whole_file_error(error: Exception) -> RecordError:
    """What is wrong with a file of which no row can be read."""
    return error if isinstance(error, RecordError) else RecordError(Reason.damaged_archive, str(error))


def table_rows(batch: pa.RecordBatch, *, checked: bool) -> Iterator[dict[str, Any] | RecordError]:
    """Yield the rows of a batch; an error in place of one with a value that cannot be read.

    ``checked``: the batch is known to be well formed but for its UTF-8 (parquet's decoder has made it); one that was
    mapped from a file is looked at before it is followed.
    """
    for start in range(0, batch.num_rows, STEP):
        part = batch.slice(start, STEP)
        try:
            rows = _rows(part, checked)
        except _BAD_VALUE:
            for number in range(part.num_rows):
                yield _row(part.slice(number, 1), checked)
        else:
            yield from rows


def _row(part: pa.RecordBatch, checked: bool) -> dict[str, Any] | RecordError:
    try:
        return _rows(part, checked)[0]
    except UnicodeDecodeError as error:
        return RecordError(Reason.invalid_encoding, f"{error.reason} at byte {error.start} of a value")
    except _BAD_VALUE as error:
        reason = Reason.invalid_encoding if "UTF8" in str(error) else Reason.damaged_record
        return RecordError(reason, str(error))


def _rows(part: pa.RecordBatch, checked: bool) -> list[dict[str, Any]]:
    if not checked:
        part.validate(full=True)
    names = part.schema.names
    if not names:
        return [{} for _ in range(part.num_rows)]
    columns = [_values(column) for column in part.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _values(column: pa.Array) -> list[Any]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        used = pc.unique(column.indices).drop_null()
        values = dict(zip(used.to_pylist(), _values(column.dictionary.take(used)), strict=True))
        return [None if index is None else values[index] for index in column.indices.to_pylist()]
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        # Python's times end at microseconds.
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    found: list[Any] = column.to_pylist()
    return found
