"""Copies of files of a store on a node's disk: fetched by one process, used by all; bounded, the oldest go first.

A copy has its name only when it has come whole; beside it may lie a note. Locks are the system's (``flock``), which a
killed process does not keep; a copy in use is locked, and is not removed. The folder must be on a local disk. Several
runs may share it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import open_binary

CONNECTIONS = 4
CHUNK = 16 << 20

NOTE = ".note"
_LOCK = ".lock"
_PART = ".part"


class Copies:
    """Files in a folder, at most ``limit`` bytes of them; ``hint`` says what to do where that is too little."""

    def __init__(self, folder: Path, limit: int, hint: str) -> None:
        self.folder = folder
        self.limit = limit
        self.hint = hint

    def lock(self, name: str, how: int) -> int:
        """Hold the lock of a copy until the file that is returned is closed. Raises BlockingIOError: not to wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}{_LOCK}"
        while True:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(file, how)
            except BaseException:
                os.close(file)
                raise
            with suppress(FileNotFoundError):
                if os.stat(path).st_ino == os.fstat(file).st_ino:
                    return file
            os.close(file)  # it was removed with its copy while this process waited

    @contextmanager
    def locked(self, name: str, how: int) -> Iterator[None]:
        """Hold the lock of a copy. Raises as ``lock``."""
        file = self.lock(name, how)
        try:
            yield
        finally:
            os.close(file)

    def fetch(self, url: str, size: int, part: Path, keep: str | None = None) -> None:
        """Write the ``size`` bytes of a file of a store to ``part``, the lock of whose copy this process holds.

        Raises InputError, StoreError, and RequestError where there is no room; what is fetched ahead of its time does
        not push out the copy ``keep``.
        """
        self._make_room(url, size, part, keep)
        download(url, size, part)

    def _make_room(self, url: str, size: int, part: Path, keep: str | None) -> None:
        """Remove the copies that were used longest ago until ``size`` more bytes fit, and claim these."""
        if size > self.limit:
            raise RequestError(
                f"{url}: {size:,} bytes, and all copies in {self.folder} may have {self.limit:,}; {self.hint}"
            )
        with self.locked("cache", fcntl.LOCK_EX):
            part.unlink(missing_ok=True)
            files = sorted(
                (stat.st_mtime_ns, stat.st_size, Path(entry.path))
                for entry in os.scandir(self.folder)
                if not entry.name.endswith((_LOCK, NOTE))
                for stat in [entry.stat()]
            )
            total = sum(bytes for _, bytes, _ in files) + size
            for _, bytes, path in files:
                if total > self.limit and path.name != keep and self._remove(path):
                    total -= bytes
            if total > self.limit:
                raise RequestError(
                    f"{self.folder}: {size:,} more bytes do not fit beside the copies in use, {self.limit:,} in all; "
                    f"{self.hint}"
                )
            with part.open("wb") as stream:
                stream.truncate(size)

    def _remove(self, path: Path) -> bool:
        """Remove a copy, or what a killed process left of one; not one that is in use or on its way."""
        name = path.name.removesuffix(_PART)
        try:
            with self.locked(name, fcntl.LOCK_EX | fcntl.LOCK_NB):
                for gone in (f"{name}{NOTE}", path.name, f"{name}{_LOCK}"):
                    (self.folder / gone).unlink(missing_ok=True)
                return True
        except BlockingIOError:
            return False


def part_of(copy: Path) -> Path:
    """Where a copy is while it comes."""
    return copy.with_name(copy.name + _PART)


def download(url: str, size: int, part: Path) -> None:
    """Write a file of a store to ``part``, which is there, some pieces of it at a time. Raises as ``open_binary``."""
    # A web server's file is read in one go: it counts requests, and what it has begun to send it sends to the end.
    most = 1 if url.startswith(("http://", "https://")) else CONNECTIONS
    starts = iter(range(0, size, CHUNK))  # its next is one step of the interpreter: no two threads get the same

    def fetch(_: int) -> None:
        with open_binary(url) as stream:
            for start in starts:
                stream.seek(start)
                end = min(start + CHUNK, size)
                while start < end:
                    piece = stream.read(end - start)
                    if not piece:
                        raise OSError(f"{url}: it ends at {start:,} of {size:,} bytes: it has changed meanwhile")
                    os.pwrite(out.fileno(), piece, start)
                    start += len(piece)

    with part.open("r+b") as out, ThreadPoolExecutor(most, thread_name_prefix="fetch") as pool:
        list(pool.map(fetch, range(min(most, -(-size // CHUNK)))))
