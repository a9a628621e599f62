"""What the tasks of one job leave for the tasks of the next, when a decision needs all of them.

A decision over the whole input has three jobs. Each reading task puts records under 64-bit hashes; each partition of
the hash range takes its share of every task's file and decides; and what it decides goes back by reading task. Both
ways it is one file a writer, in which fixed-size records stand sorted by group, so that a reader takes any range of
groups with two contiguous reads: N tasks and M partitions are N + M files and not N x M.

A file is ``count + 1`` little-endian uint64 offsets (in records), then the records.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.files import atomic_write, join, open_binary

HASH_GROUPS = 4096
_SHIFT = np.uint64(52)


class Exchange:
    """Records of one kind and type between the ``tasks`` of a job that reads and the ``parts`` of one that decides."""

    def __init__(self, work: str, kind: str, dtype: np.dtype[Any]) -> None:
        self.folder = join(work, kind)
        self.dtype = dtype

    def path(self, writer: int) -> str:
        """The file of one writer."""
        return join(self.folder, f"{writer:05d}.bin")

    def put(self, task: int, hashes: NDArray[np.uint64], records: NDArray[Any]) -> None:
        """Leave the records of a reading task, each under its hash, in their order where hashes are near."""
        write_groups(self.path(task), hash_groups(hashes), HASH_GROUPS, records)

    def take(self, task: int, part: int, parts: int) -> NDArray[Any]:
        """The records that a reading task left for a partition."""
        first, last = partition_range(part, parts)
        return read_groups(self.path(task), self.dtype, HASH_GROUPS, first, last)

    def take_all(self, tasks: int, part: int, parts: int) -> NDArray[Any]:
        """The records that all reading tasks left for a partition, in the order of tasks."""
        return self._joined(self.take(task, part, parts) for task in range(tasks))

    def give_back(self, part: int, owners: NDArray[Any], tasks: int, records: NDArray[Any]) -> None:
        """Leave a partition's decisions, each for the reading task that owns it."""
        write_groups(self.path(part), owners.astype(np.int64), tasks, records)

    def take_back(self, task: int, tasks: int, parts: int) -> NDArray[Any]:
        """What all partitions decided for a reading task, in the order of partitions."""
        return self._joined(read_groups(self.path(part), self.dtype, tasks, task, task + 1) for part in range(parts))

    def _joined(self, pieces: Iterable[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([np.empty(0, self.dtype), *pieces])


class DecidedRule(Rule):
    """A rule that knows what an earlier job decided about the documents of its task, by their ``place`` in the stream.

    Both jobs must see the same stream: the same reader, and the same rules before this one.
    """

    place = -1

    @abstractmethod
    def load(self, rank: int, world_size: int) -> None:
        """Read the decisions for this task."""

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Judge the documents, counting every one that passes."""
        self.load(rank, world_size)
        self.place = -1
        yield from super().run(self._counted(data), rank, world_size)

    def _counted(self, data: Iterable[Document]) -> Iterator[Document]:
        for doc in data:
            self.place += 1
            yield doc


def write_names(path: str, names: Sequence[str]) -> None:
    """Write strings, to be read by their number, atomically."""
    blob = [name.encode("utf-8", "surrogatepass") for name in names]
    offsets = np.zeros(len(blob) + 1, "<u8")
    np.cumsum([len(name) for name in blob], out=offsets[1:])
    with atomic_write(path) as stream:
        stream.write(np.array([len(blob)], "<u8").tobytes())
        stream.write(offsets.tobytes())
        stream.write(b"".join(blob))


def read_names(path: str, numbers: Iterable[int]) -> dict[int, str]:
    """Some of the strings that ``write_names`` wrote."""
    with open_binary(path) as stream:
        count = int.from_bytes(stream.read(8), "little")
        offsets = np.frombuffer(stream.read(8 * (count + 1)), "<u8")
        begin = 8 * (count + 2)
        found = {}
        for number in sorted(set(numbers)):
            stream.seek(begin + int(offsets[number]))
            name = stream.read(int(offsets[number + 1] - offsets[number]))
            found[number] = name.decode("utf-8", "surrogatepass")
        return found


def partitions(stored: int, ratio: int, task_bytes: int) -> int:
    """How many partitions keep a task's records under about ``task_bytes``.

    ``stored``: bytes of the input as it is stored; ``ratio``: how many of them make one byte of records.
    """
    return min(HASH_GROUPS, 1 + stored // (ratio * task_bytes))


def hash_groups(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The group of each 64-bit hash: its twelve highest bits."""
    return (hashes >> _SHIFT).astype(np.int64)


def partition_range(part: int, parts: int) -> tuple[int, int]:
    """First group and the one after the last of partition ``part`` of ``parts`` (at most HASH_GROUPS)."""
    return part * HASH_GROUPS // parts, (part + 1) * HASH_GROUPS // parts


def first_of_each(*keys: NDArray[Any]) -> NDArray[np.bool_]:
    """True for every row of sorted columns that differs from the one before it."""
    first = np.zeros(len(keys[0]), bool)
    first[:1] = True
    for key in keys:
        first[1:] |= key[1:] != key[:-1]
    return first


def grouped_by_hash(
    records: NDArray[Any], by: Sequence[str] = ("task", "place")
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Records with ``high`` and ``low``: those of one hash together, in the order of some fields: of the input.

    The second value is True for the first of each hash.
    """
    records = records[np.lexsort([records[name] for name in (*reversed(by), "low", "high")])]
    return records, first_of_each(records["high"], records["low"])


def write_groups(path: str, groups: NDArray[np.int64], count: int, records: NDArray[Any]) -> None:
    """Write ``records`` (in their order inside each of the ``count`` groups), atomically."""
    # numpy sorts small numbers by their digits, several times faster
    order = np.argsort(groups.astype(np.uint16) if count <= 1 << 16 else groups, kind="stable")
    write_spans(path, np.bincount(groups, minlength=count), [np.ascontiguousarray(records[order]).tobytes()])


def write_spans(path: str, counts: NDArray[np.int64], pieces: Iterable[bytes]) -> None:
    """Write records that already stand by group, as bytes; ``counts``: how many of them each group has."""
    offsets = np.zeros(len(counts) + 1, "<u8")
    np.cumsum(counts, out=offsets[1:])
    with atomic_write(path) as stream:
        stream.write(offsets.tobytes())
        for piece in pieces:
            stream.write(piece)


def read_groups(path: str, dtype: np.dtype[Any], count: int, first: int, last: int) -> NDArray[Any]:
    """The records of groups ``first`` to ``last`` (exclusive) of a file with ``count`` groups."""
    with open_binary(path) as stream:
        stream.seek(8 * first)
        offsets = np.frombuffer(stream.read(8 * (last - first + 1)), "<u8")
        start, end = int(offsets[0]), int(offsets[-1])
        stream.seek(8 * (count + 1) + start * dtype.itemsize)
        return np.frombuffer(stream.read((end - start) * dtype.itemsize), dtype)
