"""What the jobs of ``near_dup`` leave for each other, and how a document is known in it.

A document that has shingles is known by its task and its row among those of the task. All of them, task behind task,
are numbered: that number is what components are made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.exchange import Exchange, read_groups, write_groups, write_names
from llama_data.pipeline.core.files import join, open_binary

# One of a document's bands.
BAND = np.dtype([("hash", "<u8"), ("task", "<u4"), ("row", "<u4")])
# Two documents that share a band.
EDGE = np.dtype([("task", "<u4"), ("row", "<u4"), ("other_task", "<u4"), ("other_row", "<u4")])
# A document that has shingles. ``rank``: what the rule that chooses says of it, least first; ``high``, ``low``: a hash
# of the text.
SIGNED = np.dtype([("place", "<u4"), ("size", "<u4"), ("rank", "<i8"), ("high", "<u8"), ("low", "<u8")])
# A document that shares a band, and the least number in its component.
CANDIDATE = np.dtype([("component", "<u8"), ("task", "<u4"), ("id_bytes", "<u4"), *SIGNED.descr])
# A document that goes, and how alike the kept one is, whose id stands beside.
DROPPED = np.dtype([("place", "<u4"), ("id_bytes", "<u4"), ("similarity", "<f8")])

NUMBER_32 = (1 << 32) - 1
"""With fewer documents than this their numbers have 32 bits; the greatest number is what says "none"."""


class Files:
    """The files of one step, below its folder."""

    def __init__(self, work: str) -> None:
        self.work = work
        self.bands = Exchange(work, "bands", BAND)
        self.edges = Exchange(work, "edges", EDGE)
        self.candidates = Exchange(work, "candidates", CANDIDATE)
        self.candidate_sets = Exchange(work, "candidate-sets", np.dtype("<u8"))
        self.candidate_ids = Exchange(work, "candidate-ids", np.dtype("u1"))
        self.dropped = Exchange(work, "dropped", DROPPED)
        self.kept_ids = Exchange(work, "kept-ids", np.dtype("u1"))

    def sets(self, task: int) -> str:
        """The sets of a task's documents, one behind the other, 8 bytes a shingle."""
        return join(self.work, "sets", f"{task:05d}.bin")

    def ids(self, task: int) -> str:
        """The ids of a task's documents (``exchange.write_names``)."""
        return join(self.work, "ids", f"{task:05d}.bin")

    def components(self) -> str:
        """For every task and row the least number in its component, or "none"."""
        return join(self.work, "components.bin")

    def write_signed(self, task: int, rows: NDArray[Any], ids: Sequence[str], bands: NDArray[np.uint64]) -> None:
        """Write a task's documents; ``bands``: a row of hashes for each. Their sets are written apart."""
        records = np.empty(bands.size, BAND)
        records["hash"] = bands.ravel()
        records["task"] = task
        records["row"] = np.repeat(np.arange(len(rows)), bands.shape[1])
        self.bands.put(task, records["hash"], records)
        write_names(self.ids(task), ids)
        write_groups(self._signed(task), np.zeros(len(rows), np.int64), 1, rows)

    def read_signed(self, task: int) -> NDArray[Any]:
        """The rows of a task's documents."""
        return read_groups(self._signed(task), SIGNED, 1, 0, 1)

    def count_signed(self, tasks: int) -> NDArray[np.int64]:
        """How many documents each task has."""
        counts = np.empty(tasks, np.int64)
        for task in range(tasks):
            with open_binary(self._signed(task)) as stream:
                counts[task] = int.from_bytes(stream.read(16)[8:], "little")
        return counts

    def write_edges(self, part: int, edges: NDArray[Any]) -> None:
        """Write the edges of a partition."""
        self.edges.give_back(part, np.zeros(len(edges), np.int64), 1, edges)

    def read_edges(self, parts: int) -> Iterator[NDArray[Any]]:
        """The edges of every partition."""
        for part in range(parts):
            yield read_groups(self.edges.path(part), EDGE, 1, 0, 1)

    def _signed(self, task: int) -> str:
        return join(self.work, "signed", f"{task:05d}.bin")


def number_type(documents: int) -> np.dtype[Any]:
    """The type of the numbers of so many documents."""
    return np.dtype("<u4" if documents < NUMBER_32 else "<u8")


def none_of(numbers: np.dtype[Any]) -> int:
    """The number that says "none"."""
    return int(np.iinfo(numbers).max)
