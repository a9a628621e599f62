"""Hashes a file while it is written, so that nobody has to read it again for its hash."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import Any, BinaryIO, NamedTuple


class WrittenFile(NamedTuple):
    """A file of a run: its name below the run's folder, its size in bytes, and how many documents or rows it holds.

    ``sha256`` is that of its bytes; of a token shard that of its rows (``content_sha256`` in its footer).
    """

    name: str
    bytes: int
    rows: int
    sha256: str


class HashedStream(io.RawIOBase):
    """Passes bytes on and keeps their sha256 and number."""

    def __init__(self, target: BinaryIO) -> None:
        super().__init__()
        self._target = target
        self._hash = sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        """Pass some bytes on."""
        size = memoryview(data).nbytes
        self._hash.update(data)
        self.size += size
        self._target.write(data)
        return size

    def result(self, path: str, rows: int) -> WrittenFile:
        """What was written, under its whole path."""
        return WrittenFile(path, self.size, rows, self._hash.hexdigest())
