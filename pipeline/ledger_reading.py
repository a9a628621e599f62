"""Ledgers read as streams: the columns that are asked for, one row group (65,536 rows) at a time.

Nothing here holds more than a row group, so a ledger of billions of rows is read in the memory of one. Arrow's threads
stay off: one that still holds a Python stream when the program ends aborts it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline.core.domains import DOMAINS
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import join, list_files, open_binary

SUFFIX = ".parquet"


def ledger_domains(run: str) -> list[str]:
    """The domains of a run that have a ledger: LLaMA's in the order of its Table 1, then the others by name."""
    names = [path.rstrip("/").rpartition("/")[2] for path in list_files(join(run, "ledger"), "")]
    present = sorted(name for name in names if ledger_files(run, name))
    return [*(name for name in DOMAINS if name in present), *(name for name in present if name not in DOMAINS)]


def ledger_files(run: str, domain: str) -> list[str]:
    """The ledger files of a domain, in the order of its tasks."""
    return list_files(join(run, "ledger", domain), SUFFIX)


def read_groups(path: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of a ledger file, a row group at a time; of ``columns`` those that the file has.

    Raises:
        InputError: the file is no parquet file, or damaged.
    """
    with open_binary(path) as stream, _named(path):
        file = pq.ParquetFile(stream)
        present = [name for name in columns if name in file.schema_arrow.names]
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=present, use_threads=False)


def count_rows(path: str) -> int:
    """How many rows a ledger file has, by its footer. Raises InputError: it is damaged."""
    with open_binary(path) as stream, _named(path):
        return int(pq.ParquetFile(stream).metadata.num_rows)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Turns Arrow's errors into one that names the file."""
    try:
        yield
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a readable ledger file: {error}") from None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


class Bounds(NamedTuple):
    """Smallest and largest value of a column in a row group; both None: all are null."""

    least: Any
    most: Any


class LedgerFile:
    """A ledger file opened for questions about its row groups; reads only the columns that one concerns.

    A context manager. ``task``: the name of the task that wrote it. Raises InputError: it is damaged.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.task = path.rpartition("/")[2].removesuffix(SUFFIX)

    def __enter__(self) -> Self:
        self._stream = open_binary(self.path)
        try:
            with _named(self.path):
                self._file = pq.ParquetFile(self._stream)
        except BaseException:
            self._stream.close()
            raise
        self._metadata = self._file.metadata
        self.names: list[str] = self._file.schema_arrow.names
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    @property
    def groups(self) -> int:
        """How many row groups it has."""
        return int(self._metadata.num_row_groups)

    def figures(self) -> list[str]:
        """The columns that hold numbers."""
        return [field.name for field in self._file.schema_arrow if _is_number(field.type)]

    def group_rows(self, group: int) -> int:
        """How many rows a row group has."""
        return int(self._metadata.row_group(group).num_rows)

    def bounds(self, group: int, name: str) -> Bounds | None:
        """What the statistics say of a column; None: nothing, or there is no such column."""
        if name not in self.names:
            return None
        column = self._metadata.row_group(group).column(self.names.index(name))
        found = column.statistics
        if found is None:
            return None
        if found.has_min_max:
            return Bounds(found.min, found.max)
        return Bounds(None, None) if found.has_null_count and found.null_count == column.num_values else None

    def read(self, group: int, columns: Sequence[str] | None) -> pa.Table:
        """A row group: of ``columns`` those that the file has, or all."""
        present = None if columns is None else [name for name in columns if name in self.names]
        with _named(self.path):
            return self._file.read_row_group(group, columns=present, use_threads=False)
