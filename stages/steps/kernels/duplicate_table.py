"""Sorted hashes on disk, memory-mapped, with look-ups that touch two places."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.core.cache import map_file
from llama_data.pipeline.core.files import atomic_write

Hashes = NDArray[np.uint64]


@njit(cache=True, nogil=True)
def _look_up(hashes, table, buckets, shift, low, found):  # type: ignore[no-untyped-def]
    """Set ``found`` to the place in the sorted table of every hash that is there."""
    count = np.uint64(buckets.size - 1)
    for n in range(hashes.size):
        value = hashes[n]
        bucket = (value - low) >> shift
        if value < low or bucket >= count:
            continue
        for at in range(buckets[bucket], buckets[bucket + np.uint64(1)]):
            if table[at] == value:
                found[n] = at
                break


class DuplicateTable:
    """Sorted hashes with buckets of about eight: a look-up touches one place of the buckets and one of the hashes.

    A file is a header of four uint64 (hashes, buckets, whether owners follow, shift), one more uint64 (the least hash),
    the buckets' offsets (uint64), the hashes, the owners (uint32).
    """

    def __init__(self, hashes: Hashes, owners: NDArray[np.uint32] | None) -> None:
        self.hashes = hashes
        self.owners = owners
        self.low = int(hashes[0]) if hashes.size else 0
        span = int(hashes[-1]) - self.low if hashes.size else 0
        self.shift = 0
        while self.shift < 63 and (span >> self.shift) + 1 > max(1, hashes.size // 8):
            self.shift += 1
        bucket = (hashes - np.uint64(self.low)) >> np.uint64(self.shift)
        self.buckets: Hashes = np.searchsorted(bucket, np.arange((span >> self.shift) + 2, dtype=np.uint64)).astype(
            np.uint64
        )

    def write(self, path: str) -> None:
        """Write the file, atomically."""
        header = [self.hashes.size, self.buckets.size, int(self.owners is not None), self.shift, self.low]
        with atomic_write(path) as stream:
            stream.write(np.array(header, "<u8").tobytes())
            stream.write(self.buckets.astype("<u8").tobytes())
            stream.write(np.ascontiguousarray(self.hashes, "<u8").tobytes())
            if self.owners is not None:
                stream.write(np.ascontiguousarray(self.owners, "<u4").tobytes())

    @classmethod
    def open(cls, path: str) -> DuplicateTable:
        """Map the file into memory; of one in an object store the copy that all tasks of this node share."""
        table = cls.__new__(cls)
        plain = map_file(path)
        size, buckets, owned, table.shift, table.low = (int(n) for n in plain[:40].view("<u8"))
        at = 40 + 8 * buckets
        table.buckets = plain[40:at].view("<u8")
        table.hashes = plain[at : at + 8 * size].view("<u8")
        table.owners = plain[at + 8 * size : at + 12 * size].view("<u4") if owned else None
        return table

    def look_up(self, hashes: Hashes) -> NDArray[np.int64]:
        """The place of each hash in the table, -1 for those that are not there."""
        found = np.full(hashes.size, -1, np.int64)
        if self.hashes.size:
            _look_up(hashes, self.hashes, self.buckets, np.uint64(self.shift), np.uint64(self.low), found)
        return found
