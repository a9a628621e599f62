"""The ledger: one parquet row for every input record, saying what happened to it and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline.core.document import Document, Outcome, verdict
from llama_data.pipeline.core.files import atomic_write, read_bytes
from llama_data.pipeline.core.hashed import HashedStream, WrittenFile

COLUMNS: dict[str, str] = {
    "id": "string",
    "domain": "string",
    "source": "string",
    "url": "string",
    "outcome": "string",
    "reason": "string",
    "step": "string",
    "detail": "string",
    "chars_in": "int64",
    "chars_out": "int64",
    "lines_in": "int64",
    "lines_out": "int64",
    "language": "string",
    "language_score": "float64",
    "perplexity": "float64",
    "reference_score": "float64",
}
_KEPT = str(Outcome.kept)
_DICTIONARY = ["domain", "outcome", "reason", "step", "language"]


def schema(extra: Mapping[str, str]) -> pa.Schema:
    """The ledger's columns, then the domain's own. Raises ValueError when a name is taken twice."""
    taken = set(COLUMNS) & set(extra)
    if taken:
        raise ValueError(f"ledger columns given twice: {sorted(taken)}")
    types = {**COLUMNS, **extra}
    return pa.schema([pa.field(name, pa.type_for_alias(kind)) for name, kind in types.items()])


def row(doc: Document, extra: Iterable[str] = ()) -> tuple[Any, ...]:
    """The ledger row of a document that has come to its end, in the order of COLUMNS and the domain's own.

    ``extra``: the domain's columns; their values stand in the metadata or in the notes. Lengths are characters and
    lines.
    """
    found = verdict(doc)
    get, noted = doc.metadata.get, doc.notes.get
    kept = found is None
    return (
        doc.id,
        get("domain"),
        get("source"),
        get("url"),
        *((_KEPT, None, None, None) if found is None else (*found[:3], found.detail or None)),
        doc.chars_in or 0,
        len(doc.text) if kept else 0,
        doc.lines_in or 0,
        count_lines(doc.text) if kept else 0,
        get("language"),
        get("language_score"),
        get("perplexity"),
        get("reference_score"),
        *[get(name, noted(name)) for name in extra],
    )


def count_lines(text: str) -> int:
    """Lines of a text: 0 for the empty text, otherwise newlines + 1."""
    return text.count("\n") + 1 if text else 0


class LedgerWriter:
    """Writes one task's ledger file, row groups of 64k rows, atomically. A context manager.

    ``written``: what was written, once it is there.
    """

    GROUP = 65_536
    written: WrittenFile

    def __init__(self, path: str, extra: Mapping[str, str]) -> None:
        self.path = path
        self.schema = schema(extra)
        self._extra = tuple(extra)
        self._rows: list[tuple[Any, ...]] = []
        self._count = 0

    def __enter__(self) -> LedgerWriter:
        self._file = atomic_write(self.path)
        self._stream = HashedStream(self._file.__enter__())
        self._parquet = _parquet_writer(self._stream, self.schema)
        return self

    def add(self, doc: Document) -> None:
        """Add the row of one finished document."""
        self._rows.append(row(doc, self._extra))
        if len(self._rows) >= self.GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [_array(values, field.type) for values, field in zip(columns, self.schema, strict=True)]
            self._parquet.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
            self._count += len(self._rows)
            self._rows = []

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._flush()
        # Also after an error: left to itself it would write to the closed file.
        self._parquet.close()
        self._file.__exit__(*error)
        self.written = self._stream.result(self.path, self._count)


def _parquet_writer(stream: Any, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(stream, schema, compression="zstd", use_dictionary=_DICTIONARY)


def change_rows(table: pa.Table, changes: Mapping[int, Mapping[str, Any]], path: str) -> None:
    """Write a ledger with other values in some rows, atomically; ``changes``: the new ones by row and column."""
    for name in dict.fromkeys(name for row in changes.values() for name in row):
        index = table.schema.get_field_index(name)
        values = table.column(index).to_pylist()
        for row, new in changes.items():
            values[row] = new.get(name, values[row])
        table = table.set_column(index, table.schema.field(index), pa.array(values, table.schema.field(index).type))
    with atomic_write(path) as stream, _parquet_writer(stream, table.schema) as parquet:
        parquet.write_table(table, row_group_size=LedgerWriter.GROUP)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, type=kind)
    except (UnicodeEncodeError, OverflowError, TypeError, pa.ArrowException):
        return pa.array([_fitting(value, kind) for value in values], type=kind)


def _fitting(value: Any, kind: pa.DataType) -> Any:
    """The value if it fits the column, else None: what a step has put there stands in the document's metadata.

    Text has a question mark for each lone surrogate, as in the name of a file that is not UTF-8.
    """
    if isinstance(value, str) and pa.types.is_string(kind):
        return value.encode("utf-8", "replace").decode()
    try:
        pa.scalar(value, type=kind)
    except (OverflowError, TypeError, ValueError, pa.ArrowException):
        return None
    return value


def read_table(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A ledger file, or some of its columns.

    Read from memory and without Arrow's threads: one that still holds a Python stream when the program ends aborts it.
    """
    file = pq.ParquetFile(pa.BufferReader(read_bytes(path)))
    return file.read(columns=None if columns is None else list(columns), use_threads=False)
