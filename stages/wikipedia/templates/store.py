"""Definitions on disk: an index by hash that fits memory, and the records, which are read one by one.

A file is the number of records (uint64), the index (``INDEX``, sorted by hash), then the records: title, NUL, what
``record_of`` gives, in UTF-8. A record is found by the hash of its title and then known by the title itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.cache import local_copy
from llama_data.pipeline.core.files import atomic_write, exists, is_local, open_binary

INDEX = np.dtype([("hash", "<u8"), ("at", "<u8"), ("size", "<u4")])
_COPY_BYTES = 8 << 20


def title_hash(title: str) -> int:
    """64 bits of BLAKE2b of the title's UTF-8."""
    return int.from_bytes(hashlib.blake2b(title.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def write_records(path: str, records: Iterable[tuple[str, str]]) -> None:
    """Write records (title, what it defines); the first of a title counts."""
    stored = [(title_hash(title), f"{title}\0{record}".encode("utf-8", "surrogatepass")) for title, record in records]
    index = np.zeros(len(stored), INDEX)
    sizes = [len(blob) for _, blob in stored]
    index["hash"] = [key for key, _ in stored]
    index["size"] = sizes
    index["at"] = np.cumsum([0, *sizes[:-1]]) if stored else []
    with atomic_write(path) as stream:
        _write_index(stream, index)
        stream.write(b"".join(blob for _, blob in stored))


def _write_index(stream: BinaryIO, index: NDArray[Any]) -> None:
    stream.write(np.array([len(index)], "<u8").tobytes())
    stream.write(index[np.argsort(index["hash"], kind="stable")].tobytes())


def _read_index(stream: BinaryIO) -> NDArray[Any]:
    count = int.from_bytes(stream.read(8), "little")
    return np.frombuffer(stream.read(count * INDEX.itemsize), INDEX)


def merge(paths: Sequence[str], target: str) -> int:
    """Merge files into one, the first of a title counts; returns how many records there are.

    Memory is that of the index: 20 bytes a record.
    """
    indexes = []
    for path in paths:
        with open_binary(path) as stream:
            indexes.append(_read_index(stream))
    ends = [int(index["at"].max() + index["size"][index["at"].argmax()]) if len(index) else 0 for index in indexes]
    begins = np.cumsum([0, *ends])
    moved = [index.copy() for index in indexes]
    for index, begin in zip(moved, begins, strict=False):
        index["at"] += np.uint64(begin)
    together = np.concatenate([np.empty(0, INDEX), *moved])
    order = np.lexsort((together["at"], together["hash"]))
    kept = together[order]
    first = np.ones(len(kept), bool)
    first[1:] = kept["hash"][1:] != kept["hash"][:-1]
    with atomic_write(target) as out:
        _write_index(out, kept[first])
        for path, index in zip(paths, indexes, strict=True):
            with open_binary(path) as stream:
                stream.seek(8 + index.nbytes)
                while data := stream.read(_COPY_BYTES):
                    out.write(data)
    return int(first.sum())


class StoredRecords:
    """Records of a file, by title. The index is in memory; a record is read when it is asked for."""

    def __init__(self, path: str) -> None:
        # A page asks for many records, anywhere in the file, and all tasks ask the same one.
        self._stream = open_binary(path if is_local(path) else local_copy(path))
        index = _read_index(self._stream)
        self._begin = 8 + index.nbytes
        self._index = index
        self._hashes = np.ascontiguousarray(index["hash"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __len__(self) -> int:
        return len(self._index)

    def get(self, title: str) -> str | None:
        """The record of this title, or None."""
        key = np.uint64(title_hash(title))
        place = int(np.searchsorted(self._hashes, key))
        if place >= len(self._hashes) or self._hashes[place] != key:
            return None
        entry = self._index[place]
        self._stream.seek(self._begin + int(entry["at"]))
        found, _, record = self._stream.read(int(entry["size"])).decode("utf-8", "surrogatepass").partition("\0")
        return record if found == title else None


def open_records(path: str) -> StoredRecords | None:
    """The records of a file; None when there is no such file, or none in it."""
    if not exists(path):
        return None
    records = StoredRecords(path)
    if len(records):
        return records
    records.close()
    return None
