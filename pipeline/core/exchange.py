"""Files of fixed-size records in groups: what one job leaves for the next when a decision needs all tasks.

A file is ``count + 1`` little-endian uint64 offsets (in records), then the records sorted by group. Any range of
groups is one contiguous read, so a later task takes its share of every file in O(share).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.files import atomic_write, open_binary

HASH_GROUPS = 4096
_SHIFT = np.uint64(52)


def hash_groups(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The group of each 64-bit hash: its twelve highest bits."""
    return (hashes >> _SHIFT).astype(np.int64)


def partition_range(part: int, parts: int) -> tuple[int, int]:
    """First group and the one after the last of partition ``part`` of ``parts`` (at most HASH_GROUPS)."""
    return part * HASH_GROUPS // parts, (part + 1) * HASH_GROUPS // parts


def write_groups(path: str, groups: NDArray[np.int64], count: int, records: NDArray[Any]) -> None:
    """Write ``records`` (in their order inside each of the ``count`` groups), atomically."""
    order = np.argsort(groups, kind="stable")
    offsets = np.zeros(count + 1, "<u8")
    np.cumsum(np.bincount(groups, minlength=count), out=offsets[1:])
    with atomic_write(path) as stream:
        stream.write(offsets.tobytes())
        stream.write(np.ascontiguousarray(records[order]).tobytes())


def read_groups(path: str, dtype: np.dtype[Any], count: int, first: int, last: int) -> NDArray[Any]:
    """The records of groups ``first`` to ``last`` (exclusive) of a file with ``count`` groups."""
    with open_binary(path) as stream:
        stream.seek(8 * first)
        offsets = np.frombuffer(stream.read(8 * (last - first + 1)), "<u8")
        start, end = int(offsets[0]), int(offsets[-1])
        stream.seek(8 * (count + 1) + start * dtype.itemsize)
        return np.frombuffer(stream.read((end - start) * dtype.itemsize), dtype)
