"""Rows of the mix, in their order, for one process of many.

A global batch is the next rows of the mix that are not skipped, and process ``r`` of ``w`` takes every ``w``-th of them
from the r-th on. So the only state of the loader is the row that comes next, and a run may go on with another number of
processes or another batch. numpy only; imports no torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.train_handoff.shards.file import Footer, Rows

Ranges = tuple[tuple[int, int], ...]
"""Disjoint ranges ``(begin, end)`` of rows, in order."""


class Marks(NamedTuple):
    """Of a row: the targets that count (seq_len,) bool, and the number of the example of each input (seq_len,)."""

    counts: NDArray[np.bool_]
    examples: NDArray[np.int64]


class TrainingRows(Protocol):
    """What a loader reads: a mix, examples to tune on, or something that looks like them."""

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

    def place(self, index: int) -> str:
        """The shard and the row in it that hold a row, for people."""


class RunRows(TrainingRows, Protocol):
    """Rows that a run can go on with; ``kind`` is what they are, ``fingerprint`` fixes them and their order."""

    kind: str
    fingerprint: str


@runtime_checkable
class MarkedRows(Protocol):
    """Rows of which not every target counts."""

    def marks(self, index: int) -> Marks:
        """Which targets of a row count, and the number of each input's example."""

    def targets(self, index: int) -> int:
        """How many targets of a row count."""


@dataclass(frozen=True)
class Batch:
    """This process's part of a global batch.

    ``ids`` (rows, seq_len + 1) int64; ``domains`` (rows,) indexes ``Mixture.domains``; ``start`` is the first row of
    the global batch in the mix, ``end`` the one after its last. ``targets``: how many count in the whole global batch.
    ``counts`` and ``examples`` (rows, seq_len) are the rows' ``Marks``; None where every target counts. ``left_out``:
    ranges between ``start`` and ``end`` that are skipped.
    """

    step: int
    start: int
    end: int
    ids: NDArray[np.int64]
    domains: NDArray[np.int64]
    targets: int
    counts: NDArray[np.bool_] | None = None
    examples: NDArray[np.int64] | None = None
    left_out: Ranges = ()


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same rows as disjoint ranges in order."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(pair for pair in ranges if pair[0] < pair[1]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)


def rows_left(row: int, end: int, skip: Ranges) -> int:
    """Rows from ``row`` up to ``end`` that are not skipped."""
    return max(0, end - row) - sum(max(0, min(end, last) - max(row, first)) for first, last in skip)


def take_rows(row: int, count: int, skip: Ranges) -> tuple[list[range], int]:
    """The next ``count`` rows from ``row`` on that are not skipped, and the row after the last of them."""
    taken: list[range] = []
    for first, last in skip:
        if count and row < last:
            size = min(count, max(0, first - row))
            taken.append(range(row, row + size))
            count -= size
            row = last if count else row + size
    return [piece for piece in [*taken, range(row, row + count)] if piece], row + count


def require_rows(left: int, batch_rows: int, steps: int, world: int) -> None:
    """Raise RequestError when a batch does not divide among the processes, or the rows do not suffice for the steps.

    ``left``: rows of the mix that are still to be read; ``steps``: steps that are still to be taken.
    """
    if batch_rows % world:
        raise RequestError(f"a global batch of {batch_rows} rows does not divide among {world} processes")
    needed = steps * batch_rows
    if needed > left:
        raise RequestError(
            f"{steps:,} steps of {batch_rows:,} rows need {needed:,} rows, and the mix has {left:,} to read; "
            f"train {left // batch_rows:,} steps, or run `llama-data mix` with more --tokens"
        )


def batches(
    rows: TrainingRows,
    *,
    batch_rows: int,
    start_row: int,
    first: int,
    steps: int,
    rank: int,
    world: int,
    skip: Ranges = (),
) -> Iterator[Batch]:
    """This process's batches of the steps ``first`` to ``steps`` - 1, from ``start_row`` on, one read ahead.

    Raises:
        RequestError: the batch does not divide among the processes, or the mix has too few rows.
        InputError: a row holds an id that is not in the vocabulary.
    """
    require_rows(rows_left(start_row, len(rows), skip), batch_rows, steps - first, world)
    vocabulary = rows.footer.vocab_size

    def read(step: int, start: int) -> Batch:
        pieces, end = take_rows(start, batch_rows, skip)
        mine = [row for piece in pieces for row in piece][rank::world]
        ids = np.stack([rows[row] for row in mine]).astype(np.int64)
        if ids.max() >= vocabulary:
            row = mine[int(np.flatnonzero((ids >= vocabulary).any(axis=1))[0])]
            raise InputError(
                f"{rows.place(row)} (row {row:,} of the mix): id {ids.max()} is not in the vocabulary of "
                f"{vocabulary:,}; the shard is damaged or belongs to another tokenizer; mix again, or --skip-rows "
                f"{row}:{row + 1}"
            )
        domains = np.array([rows.domain_of(row) for row in mine], dtype=np.int64)
        first = pieces[0].start
        left_out = tuple((before.stop, after.start) for before, after in pairwise(pieces))
        if not isinstance(rows, MarkedRows):
            return Batch(step, first, end, ids, domains, batch_rows * rows.footer.seq_len, left_out=left_out)
        counts, examples = (np.stack(parts) for parts in zip(*map(rows.marks, mine), strict=True))
        targets = sum(map(rows.targets, itertools.chain(*pieces)))
        return Batch(step, first, end, ids, domains, targets, counts, examples, left_out)

    with ThreadPoolExecutor(1, thread_name_prefix="rows") as pool:
        pending = pool.submit(read, first, start_row) if first < steps else None
        for step in range(first, steps):
            assert pending is not None
            batch = pending.result()
            pending = pool.submit(read, step + 1, batch.end) if step + 1 < steps else None
            yield batch
