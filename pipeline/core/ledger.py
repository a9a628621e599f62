"""The ledger: one parquet row for every input record, saying what happened to it and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline.core.document import Document, Outcome, verdict
from llama_data.pipeline.core.files import atomic_write, open_binary

CHARS_IN = "_chars_in"
LINES_IN = "_lines_in"

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
_FROM_METADATA = ("domain", "source", "url", "language", "language_score", "perplexity", "reference_score")
_DICTIONARY = ["domain", "outcome", "reason", "step", "language"]


def schema(extra: Mapping[str, str]) -> pa.Schema:
    """The ledger's columns, then the domain's own. Raises ValueError when a name is taken twice."""
    taken = set(COLUMNS) & set(extra)
    if taken:
        raise ValueError(f"ledger columns given twice: {sorted(taken)}")
    types = {**COLUMNS, **extra}
    return pa.schema([pa.field(name, pa.type_for_alias(kind)) for name, kind in types.items()])


def row(doc: Document, extra: Iterable[str] = ()) -> dict[str, Any]:
    """The ledger row of a document that has come to its end. Lengths are characters and lines."""
    found = verdict(doc)
    metadata = doc.metadata
    kept = found is None
    values: dict[str, Any] = {
        "id": doc.id,
        "outcome": str(Outcome.kept if found is None else found.outcome),
        "reason": None if found is None else str(found.reason),
        "step": None if found is None else found.step,
        "detail": None if found is None else found.detail or None,
        "chars_in": metadata.get(CHARS_IN, 0),
        "chars_out": len(doc.text) if kept else 0,
        "lines_in": metadata.get(LINES_IN, 0),
        "lines_out": count_lines(doc.text) if kept else 0,
    }
    for name in _FROM_METADATA:
        values[name] = metadata.get(name)
    for name in extra:
        values[name] = metadata.get(name, metadata.get("_" + name))
    return values


def count_lines(text: str) -> int:
    """Lines of a text: 0 for the empty text, otherwise newlines + 1."""
    return text.count("\n") + 1 if text else 0


class LedgerWriter:
    """Writes one task's ledger file, row groups of 64k rows, atomically. A context manager."""

    GROUP = 65_536

    def __init__(self, path: str, extra: Mapping[str, str]) -> None:
        self.path = path
        self.schema = schema(extra)
        self._extra = tuple(extra)
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> LedgerWriter:
        self._file = atomic_write(self.path)
        self._parquet = pq.ParquetWriter(
            self._file.__enter__(), self.schema, compression="zstd", use_dictionary=_DICTIONARY
        )
        return self

    def add(self, doc: Document) -> None:
        """Add the row of one finished document."""
        self._rows.append(row(doc, self._extra))
        if len(self._rows) >= self.GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._parquet.write_table(pa.Table.from_pylist(self._rows, schema=self.schema))
            self._rows = []

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._flush()
            self._parquet.close()
        self._file.__exit__(*error)


def read_table(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A ledger file, or some of its columns.

    Without Arrow's threads: one that still holds the Python stream when the program ends aborts it.
    """
    with open_binary(path) as stream:
        return pq.read_table(
            stream, columns=None if columns is None else list(columns), use_threads=False, pre_buffer=False
        )
