"""How much of held-out documents stands in training rows, and how many rows are the same. numpy only.

A text and the rows made from it have the same ids, so ids are compared. Of a row the hash of every ``SPAN`` ids that
begins at a multiple of ``STRIDE`` is looked up among those of the documents, which are hashed at every id: what they
share in ``SPAN + STRIDE - 1`` or more ids one after the other is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.loader import Ranges, merge_ranges

SPAN, STRIDE = 32, 16
ROWS = 4096  # that are hashed at a time
_BASE = 0x9E3779B97F4A7C15  # odd
_BITS = 22  # of the table that says of most hashes that no document has them

Hashes = NDArray[np.uint64]
Ids = NDArray[np.int64]
Rows = NDArray[np.unsignedinteger[Any]]


def _powers(count: int) -> Hashes:
    """base ** (count - 1) ... base ** 0, modulo 2 ** 64."""
    found, value = [], 1
    for _ in range(count):
        found.append(value)
        value = value * _BASE % (1 << 64)
    return np.array(found[::-1], np.uint64)


_BLOCK, _SHIFT = _powers(STRIDE), np.uint64(pow(_BASE, STRIDE, 1 << 64))


def span_hashes(ids: Ids) -> Hashes:
    """Of a document: the hash of the ``SPAN`` ids from each place on."""
    if len(ids) < SPAN:
        return np.empty(0, np.uint64)
    found, width = ids.astype(np.uint64) + np.uint64(1), 1
    while width < SPAN:
        shift = np.uint64(pow(_BASE, width, 1 << 64))
        found, width = found[:-width] * shift + found[width:], 2 * width
    return found


def row_hashes(rows: Rows) -> tuple[Hashes, Hashes]:
    """Of rows: one hash of each, and those of its spans (rows, spans)."""
    ids = rows.astype(np.uint64) + np.uint64(1)
    whole = ids @ _powers(ids.shape[1])
    blocks = ids.shape[1] // STRIDE
    found = ids[:, : blocks * STRIDE].reshape(len(ids), blocks, STRIDE) @ _BLOCK
    return whole, found[:, :-1] * _SHIFT + found[:, 1:]


class Known:
    """The spans of documents, to be looked for in rows."""

    def __init__(self, documents: Sequence[Ids]) -> None:
        spans = [span_hashes(ids) for ids in documents]
        self.sizes = [len(ids) for ids in documents]
        self.hashes, self._number = np.unique(np.concatenate([np.empty(0, np.uint64), *spans]), return_inverse=True)
        self._ends = np.cumsum([len(found) for found in spans], dtype=np.int64)
        self._table = np.zeros(1 << _BITS, np.bool_)
        self._table[self._slots(self.hashes)] = True

    def _slots(self, hashes: Hashes) -> Hashes:
        return (hashes * np.uint64(_BASE)) >> np.uint64(64 - _BITS)

    def find(self, hashes: Hashes, found: NDArray[np.bool_]) -> None:
        """Mark in ``found`` which of the documents' spans are among these."""
        flat = hashes.ravel()
        some = flat[self._table[self._slots(flat)]]
        places = np.minimum(np.searchsorted(self.hashes, some), len(self.hashes) - 1)
        found[places[self.hashes[places] == some]] = True

    def shares(self, found: NDArray[np.bool_]) -> list[float | None]:
        """Of each document the share of its ids that lie in spans which were found; None: too short for one."""
        shares: list[float | None] = []
        begin = 0
        for size, end in zip(self.sizes, self._ends.tolist(), strict=True):
            hits = np.flatnonzero(found[self._number[begin:end]])
            steps = np.zeros(size + 1, np.int64)
            np.add.at(steps, hits, 1)
            np.add.at(steps, np.minimum(hits + SPAN, size), -1)
            shares.append(float(np.count_nonzero(np.cumsum(steps[:-1]))) / size if end > begin else None)
            begin = end
        return shares


class Scan(NamedTuple):
    """What was found in rows of a mix: a hash of each row that was read (by its number), and spans of documents."""

    rows: Hashes
    found: NDArray[np.bool_]


def scan(mix: Mixture, ranges: Ranges, known: Known) -> Scan:
    """Read rows of a mix. Memory: 8 bytes for each of them, and ``ROWS`` rows."""
    hashes = np.zeros(len(mix), np.uint64)
    found = np.zeros(len(known.hashes), np.bool_)
    for begin, rows in _read(mix, merge_ranges(ranges)):
        hashes[begin : begin + len(rows)], spans = row_hashes(rows)
        known.find(spans, found)
    return Scan(hashes, found)


def _read(mix: Mixture, ranges: Ranges) -> Iterator[tuple[int, Rows]]:
    """Rows of the ranges, some at a time, each time with the number of the first."""
    for first, last in ranges:
        at = first
        while at < last:
            number, place = divmod(at, mix.rows_per_shard)
            shard = mix.shard(number)
            end = min(place + ROWS, place + last - at, shard.rows)
            yield at, shard.take(np.arange(place, end))
            at += end - place
