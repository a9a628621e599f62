"""Rows of Arrow IPC files, the file format and the stream format (Hugging Face's datasets are kept in both)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import ipc

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import is_local, local_path, open_binary
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.table_rows import chosen_columns, is_damage, table_rows, whole_file_error

FILE_MAGIC = b"ARROW1"


def arrow_rows(path: str, fields: Sequence[str] | None = None) -> Iterator[tuple[int, dict[str, Any] | RecordError]]:
    """Yield (row number from 1, row) of an Arrow file; an error in place of a row that cannot be read.

    A record batch that cannot be read is one error, for nothing says how many rows it had; in a file the next batch is
    read on, in a stream nothing is. ``fields``: what is read of a row, whole columns; None: everything.

    Raises:
        InputError: there is no such file.
    """
    number = 0
    for batch in _batches(path, fields):
        for row in (batch,) if isinstance(batch, RecordError) else table_rows(batch, checked=False):
            number += 1
            yield number, row


def _batches(path: str, fields: Sequence[str] | None) -> Iterator[pa.RecordBatch | RecordError]:
    with ExitStack() as stack:
        stream = stack.enter_context(open_binary(path))
        whole = stream.read(len(FILE_MAGIC)) == FILE_MAGIC
        stream.seek(0)
        # A local file is mapped: a batch, however large, is not copied.
        source = stack.enter_context(pa.memory_map(local_path(path)) if is_local(path) else stream)
        try:
            with (ipc.open_file if whole else ipc.open_stream)(source) as reader:
                columns = chosen_columns(reader.schema.names, fields)
                for batch in _file_batches(reader) if whole else _stream_batches(reader, source):
                    yield batch if isinstance(batch, RecordError) else batch.select(columns)
        except Exception as error:
            if not (isinstance(error, RecordError) or is_damage(error)):
                raise
            yield whole_file_error(error)


def _file_batches(reader: Any) -> Iterator[pa.RecordBatch | RecordError]:
    for number in range(reader.num_record_batches):
        try:
            batch = reader.get_batch(number)
        except Exception as error:
            if not is_damage(error):
                raise
            yield RecordError(Reason.damaged_record, f"record batch {number} cannot be read: {error}")
        else:
            yield batch


def _stream_batches(reader: Any, source: Any) -> Iterator[pa.RecordBatch | RecordError]:
    number = 0
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            # A length of 0 ends a stream; where it is damage, batches stand behind it.
            if source.read(1):
                detail = f"the stream ends after record batch {number - 1}, the file does not; the rest was not read"
                yield RecordError(Reason.damaged_record, detail)
            return
        except Exception as error:
            if not is_damage(error):
                raise
            detail = f"record batch {number} cannot be read: {error}; what follows was not read"
            yield RecordError(Reason.damaged_record, detail)
            return
        number += 1
        yield batch
