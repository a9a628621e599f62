"""Rows of the mix, in their order, for one process of many.

The order is a pure function of the step: global batch ``s`` is rows ``s*B .. (s+1)*B`` of the mix, and process
``r`` of ``w`` takes every ``w``-th of them from the r-th on. So the only state of the loader is the number of rows
consumed, and a run may go on with another number of processes. numpy only; imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.shards.file import Footer, Rows


class TrainingRows(Protocol):
    """What a loader reads: a mix, or something that looks like one."""

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains."""

    @property
    def footer(self) -> Footer:
        """What the rows say about themselves."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Rows: ...

    def domain_of(self, index: int) -> int:
        """Index in ``domains`` of a row's domain."""


@dataclass(frozen=True)
class Batch:
    """This process's part of a global batch.

    ``ids`` (rows, seq_len + 1) int64; ``domains`` (rows,) indexes ``Mixture.domains``; ``start`` is the first row of
    the global batch in the mix.
    """

    step: int
    start: int
    ids: NDArray[np.int64]
    domains: NDArray[np.int64]


def require_rows(rows: int, batch_rows: int, steps: int, world: int) -> None:
    """Raise RequestError when a batch does not divide among the processes, or the rows do not suffice for the steps."""
    if batch_rows % world:
        raise RequestError(f"a global batch of {batch_rows} rows does not divide among {world} processes")
    needed = steps * batch_rows
    if needed > rows:
        raise RequestError(
            f"{steps:,} steps of {batch_rows:,} rows need {needed:,} rows, and the mix has {rows:,}; "
            f"train {rows // batch_rows:,} steps, or run `llama-data mix` with more --tokens"
        )


def batches(
    rows: TrainingRows, *, batch_rows: int, start_row: int, steps: int, rank: int, world: int
) -> Iterator[Batch]:
    """This process's batches from ``start_row`` on, up to step ``steps`` (counted from row 0), one read ahead.

    Raises:
        RequestError: the batch does not divide among the processes, or the mix has too few rows.
    """
    require_rows(len(rows), batch_rows, steps, world)

    def read(step: int) -> Batch:
        start = step * batch_rows
        mine = range(start + rank, start + batch_rows, world)
        ids = np.stack([rows[row] for row in mine]).astype(np.int64)
        domains = np.array([rows.domain_of(row) for row in mine], dtype=np.int64)
        return Batch(step, start, ids, domains)

    first = start_row // batch_rows
    with ThreadPoolExecutor(1, thread_name_prefix="rows") as pool:
        pending = pool.submit(read, first) if first < steps else None
        for step in range(first, steps):
            assert pending is not None
            batch = pending.result()
            pending = pool.submit(read, step + 1) if step + 1 < steps else None
            yield batch
