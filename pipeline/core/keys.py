"""Records that are one and the same in two archives: of each key of the source one record is kept, and has its id.

Most ids hold the place of their record and cannot repeat. Those of arXiv and Wikipedia are the source's own, and one
paper or page may stand in two archives, or twice in one. The sink of such a domain leaves a hash of every record's key;
a job over ranges of the hashes finds the keys that stand twice, and says to each task which of its rows these are. Of
the records with one key the first that is kept stays (the first of all where none is). The ids of the others end with
``@2``, ``@3`` in the order of the input, and none of them is kept.

A record's key is its id, unless its reader notes another one as ``KEY``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.exchange import Exchange, grouped_by_hash, read_groups

KEYED = np.dtype([("high", "<u8"), ("low", "<u8"), ("task", "<u4"), ("place", "<u4"), ("kept", "u1")])
REPEAT = np.dtype([("task", "<u4"), ("place", "<u4"), ("number", "<u4"), ("first_task", "<u4"), ("first_place", "<u4")])

KEY = "key"


def _keys(work: str) -> Exchange:
    return Exchange(work, "keys", KEYED)


def _repeats(work: str) -> Exchange:
    return Exchange(work, "repeats", REPEAT)


class KeyHashes:
    """The keys of a task's rows, in their order, on their way to the job that compares those of all tasks."""

    def __init__(self, work: str, task: int) -> None:
        self._work = work
        self._task = task
        self._digests: list[bytes] = []
        self._kept = bytearray()

    def add(self, doc: Document, kept: bool) -> None:
        """Take note of the next row."""
        data = str(doc.notes.get(KEY, doc.id)).encode("utf-8", "surrogatepass")
        self._digests.append(hashlib.blake2b(data, digest_size=16).digest())
        self._kept.append(kept)

    def write(self) -> None:
        """Leave them for ``FindRepeated``."""
        halves = np.frombuffer(b"".join(self._digests), "<u8").reshape(-1, 2)
        records = np.empty(len(halves), KEYED)
        records["high"], records["low"] = halves[:, 0], halves[:, 1]
        records["task"], records["place"] = self._task, np.arange(len(halves))
        records["kept"] = np.frombuffer(bytes(self._kept), np.uint8)
        _keys(self._work).put(self._task, records["high"], records)


class FindRepeated(Step):
    """Finds for every key of one range of hashes the rows that do not keep it, and tells their tasks."""

    name = "find_repeated"

    def __init__(self, *, work: str, tasks: int, parts: int) -> None:
        super().__init__()
        self.work = work
        self.tasks = tasks
        self.parts = parts

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write what is repeated in this range. Yields nothing."""
        found = repeats(_keys(self.work).take_all(self.tasks, rank, self.parts))
        _repeats(self.work).give_back(rank, found["task"], self.tasks, found)
        yield from ()


def repeats(found: NDArray[np.void]) -> NDArray[np.void]:
    """Of records ``KEYED`` the rows that do not keep their key, as ``REPEAT``: their number among the rows that
    share it (from 2), and the row that keeps it.
    """
    found, first = grouped_by_hash(found)
    starts = np.flatnonzero(first)
    group = np.cumsum(first) - 1
    rows = np.arange(len(found))
    # The first kept row of each group; where there is none, its first.
    holder = starts.copy()
    kept = np.flatnonzero(found["kept"])
    owners, index = np.unique(group[kept], return_index=True)
    holder[owners] = kept[index]
    others = np.flatnonzero(rows != holder[group])
    # Rows before the holder move up by one to make room for it: they are numbers 2, 3, ... with those behind it.
    place = others - starts[group[others]]
    made = np.empty(len(others), REPEAT)
    made["task"], made["place"] = found["task"][others], found["place"][others]
    made["number"] = place + 1 + (others < holder[group[others]])
    made["first_task"] = found["task"][holder[group[others]]]
    made["first_place"] = found["place"][holder[group[others]]]
    return made


def read_repeats(work: str, *, tasks: int, parts: int, first: int, last: int) -> NDArray[np.void]:
    """What ``FindRepeated`` found for the reading tasks ``first`` to ``last`` (exclusive) of ``tasks``."""
    exchange = _repeats(work)
    pieces = [read_groups(exchange.path(part), REPEAT, tasks, first, last) for part in range(parts)]
    return np.concatenate([np.empty(0, REPEAT), *pieces])
