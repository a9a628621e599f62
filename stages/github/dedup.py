"""Exact deduplication of files by a 128-bit MD5 of their cleaned text; the first in input order stays.

A file is known by its task (one input file) and its row there, so the order does not depend on workers. A task of
the second job holds one range of hashes at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.block import Rule, Step
from llama_data.pipeline.core.document import Document, is_open
from llama_data.pipeline.core.exchange import (
    HASH_GROUPS,
    hash_groups,
    partition_range,
    read_groups,
    write_groups,
)
from llama_data.pipeline.core.files import join
from llama_data.pipeline.core.reasons import Reason

FILE = np.dtype([("high", "<u8"), ("low", "<u8"), ("task", "<u4"), ("row", "<u4")])
COPY = np.dtype([("row", "<u4"), ("first_task", "<u4"), ("first_row", "<u4")])


def text_digest(text: str) -> bytes:
    """MD5 of the text's UTF-8."""
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


class RawHash(Rule):
    """Records the MD5 of the file as it was read, for the ledger."""

    name = "raw_hash"

    def judge(self, doc: Document) -> Reason | None:
        """Keep every file."""
        doc.metadata["_raw_md5"] = text_digest(doc.text).hex()
        return None


class CleanHash(Rule):
    """Records the MD5 of the cleaned file: two with the same are duplicates."""

    name = "clean_hash"

    def judge(self, doc: Document) -> Reason | None:
        """Keep every file."""
        doc.metadata["_clean_md5"] = text_digest(doc.text).hex()
        return None


class WriteHashes(Step):
    """End of the first job: the hash of every file that is still open."""

    name = "write_hashes"

    def __init__(self, *, work: str) -> None:
        super().__init__()
        self.work = work

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's file. Yields nothing."""
        rows = []
        for doc in data:
            if is_open(doc):
                digest = bytes.fromhex(doc.metadata["_clean_md5"])
                high, low = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
                rows.append((high, low, rank, doc.metadata["_key"]))
        records = np.array(rows, FILE)
        write_groups(_path(self.work, "hashes", rank), hash_groups(records["high"]), HASH_GROUPS, records)
        yield from ()


class FindDuplicates(Step):
    """Finds for every hash of one range the first file, and writes the others by task."""

    name = "find_duplicates"

    def __init__(self, *, work: str, tasks: int, parts: int) -> None:
        super().__init__()
        self.work = work
        self.tasks = tasks
        self.parts = parts

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the duplicates of this range. Yields nothing."""
        first, last = partition_range(rank, self.parts)
        files = np.concatenate(
            [
                read_groups(_path(self.work, "hashes", task), FILE, HASH_GROUPS, first, last)
                for task in range(self.tasks)
            ]
        )
        files = files[np.lexsort((files["row"], files["task"], files["low"], files["high"]))]
        starts = _run_starts(files)
        keeper = np.maximum.accumulate(np.where(starts, np.arange(len(files)), 0))
        copies = np.flatnonzero(~starts)
        records = np.empty(len(copies), COPY)
        records["row"] = files["row"][copies]
        records["first_task"] = files["task"][keeper[copies]]
        records["first_row"] = files["row"][keeper[copies]]
        tasks = files["task"][copies].astype(np.int64)
        write_groups(_path(self.work, "duplicates", rank), tasks, self.tasks, records)
        yield from ()


def _run_starts(files: NDArray[Any]) -> NDArray[np.bool_]:
    starts = np.ones(len(files), bool)
    starts[1:] = (files["high"][1:] != files["high"][:-1]) | (files["low"][1:] != files["low"][:-1])
    return starts


class DropDuplicates(Rule):
    """Rejects every copy but the first; ``duplicate_of`` in the ledger names that one."""

    name = "duplicates"

    def __init__(self, *, work: str, parts: int, sources: Iterable[str]) -> None:
        super().__init__()
        self.work = work
        self.parts = parts
        self.sources = tuple(sources)

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Judge this task's files by what the job before found."""
        paths = [_path(self.work, "duplicates", part) for part in range(self.parts)]
        copies = np.concatenate([read_groups(path, COPY, world_size, rank, rank + 1) for path in paths])
        self._first_of = {row: (task, first) for row, task, first in copies.tolist()}
        yield from super().run(data, rank, world_size)

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when an earlier file has the same cleaned text."""
        first = self._first_of.get(doc.metadata["_key"])
        if first is None:
            return None
        doc.metadata["_duplicate_of"] = f"{doc.metadata['domain']}/{self.sources[first[0]]}#{first[1]}"
        return Reason.duplicate_file


def _path(work: str, kind: str, number: int) -> str:
    return join(work, kind, f"{number:05d}.bin")
