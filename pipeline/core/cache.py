"""Files of a store that all tasks of a node need, once on its disk: fetched by one process, mapped by all.

A copy is named after the address, the size and the etag of what it is a copy of, so that another version of a file is
another copy. It has its name only when it has come whole, with its CRC-32 beside it, which every process that maps it
compares once. Locks are the system's (``flock``), which a killed process does not keep; a copy in use is locked and is
not removed. The folder must be on a local disk. Several runs may share it.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import tempfile
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.utils.logging import logger  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import file_system, is_local, local_path, open_binary

CACHE_VARIABLE = "LLAMA_DATA_CACHE"
LIMIT_VARIABLE = "LLAMA_DATA_CACHE_BYTES"
LIMIT = 50_000_000_000
CONNECTIONS = 4
CHUNK = 16 << 20

_held: dict[str, int] = {}  # the copies that this process has mapped, with the file that holds each one's lock
_guard = threading.RLock()


def cache_folder() -> Path:
    """Where copies lie: ``$LLAMA_DATA_CACHE``, or a folder of the user's among the system's temporary ones."""
    return Path(os.environ.get(CACHE_VARIABLE) or os.path.join(tempfile.gettempdir(), f"llama-data-{os.getuid()}"))


def cache_limit() -> int:
    """Most bytes of all copies: ``$LLAMA_DATA_CACHE_BYTES``, or 50 GB. Raises RequestError: it is no number."""
    text = os.environ.get(LIMIT_VARIABLE, "")
    if text and not text.isdecimal():
        raise RequestError(f"${LIMIT_VARIABLE}: expected a number of bytes, found {text!r}")
    return int(text) if text else LIMIT


def map_file(path: str) -> NDArray[np.uint8]:
    """The bytes of a file, read-only: mapped where it is local, else from this node's copy of it.

    Raises:
        InputError: there is no such file.
        RequestError: it is larger than the copies may be together.
    """
    where = local_path(path) if is_local(path) else local_copy(path)
    if not os.path.getsize(where):
        return np.empty(0, np.uint8)
    # A memmap is slow to slice and to pass to kernels; a plain array over the same memory is not.
    return np.asarray(np.memmap(where, np.uint8, "r")).view(np.ndarray)


def local_copy(url: str) -> str:
    """The path of this node's copy of a file, which stays until this process ends. Raises as ``map_file``."""
    fs, target = file_system(url)
    try:
        info = fs.info(target)
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"{url}: {error.strerror or 'no such file'}") from None
    return _Cache(cache_folder(), cache_limit()).path(url, int(info["size"] or 0), _stamp(info))


def _stamp(info: dict[str, Any]) -> str:
    """What changes with a file's content, as far as its store says."""
    names = ("ETag", "etag", "e_tag", "md5Hash", "content_md5", "crc32c", "LastModified", "updated", "created", "mtime")
    return next((str(info[name]) for name in names if info.get(name)), "")


class _Cache:
    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit

    def path(self, url: str, size: int, stamp: str) -> str:
        """Where the copy of a version of a file lies."""
        name = hashlib.sha256(f"{url}\n{size}\n{stamp}".encode()).hexdigest()[:40]
        final = self.folder / f"{name}.copy"
        with _guard:
            if str(final) in _held:
                return str(final)
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.lstat(self.folder).st_uid != os.getuid():  # whoever owns it could change what is mapped
                raise RequestError(f"{self.folder}: it is another user's; name a folder of yours: ${CACHE_VARIABLE}")
            while True:
                lock = self._lock(name, fcntl.LOCK_SH)
                if final.exists() and self._is_whole(final, size):
                    os.utime(final)
                    _held[str(final)] = lock
                    return str(final)
                os.close(lock)
                with self._locked(name, fcntl.LOCK_EX):
                    if not final.exists():
                        self._fetch(url, size, final)

    def _lock(self, name: str, how: int) -> int:
        """Hold a lock. Raises BlockingIOError where ``how`` says not to wait for it."""
        path = self.folder / f"{name}.lock"
        while True:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
    def _locked(self, name: str, how: int) -> Iterator[None]:
        file = self._lock(name, how)
        try:
            yield
        finally:
            os.close(file)

    def _is_whole(self, final: Path, size: int) -> bool:
        """Compare a copy with what was noted of it when it came; one that differs is removed, to be fetched again."""
        noted = final.with_suffix(".crc")
        if noted.exists() and final.stat().st_size == size and noted.read_text() == f"{_crc(final):08x}":
            return True
        logger.warning(f"{final}: a damaged copy; it is fetched again")
        final.unlink(missing_ok=True)
        return False

    def _fetch(self, url: str, size: int, final: Path) -> None:
        """Fetch a file of which this process holds the lock."""
        part = final.with_suffix(".part")
        self._make_room(part, size, url)
        try:
            _download(url, size, part)
            final.with_suffix(".crc").write_text(f"{_crc(part):08x}")
            part.replace(final)
        finally:
            part.unlink(missing_ok=True)

    def _make_room(self, part: Path, size: int, url: str) -> None:
        """Remove the copies that were used longest ago until ``size`` more bytes fit, and claim these."""
        if size > self.limit:
            raise RequestError(
                f"{url}: {size:,} bytes, and the copies in {self.folder} may have {self.limit:,}; raise "
                f"${LIMIT_VARIABLE}, or name a folder on a larger disk as ${CACHE_VARIABLE}"
            )
        with self._locked("cache", fcntl.LOCK_EX):
            entries = [Path(entry.path) for entry in os.scandir(self.folder) if entry.name.endswith((".copy", ".part"))]
            files = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in entries)
            total = sum(bytes for _, bytes, _ in files) + size
            for _, bytes, path in files:
                if total > self.limit and path != part and self._remove(path):
                    total -= bytes
            if total > self.limit:
                raise RequestError(
                    f"{self.folder}: {size:,} more bytes do not fit beside the copies in use; raise ${LIMIT_VARIABLE} "
                    f"({self.limit:,})"
                )
            with part.open("wb") as stream:
                stream.truncate(size)

    def _remove(self, path: Path) -> bool:
        """Remove a copy, or what a killed process left of one; not one that is in use or on its way."""
        try:
            with self._locked(path.stem, fcntl.LOCK_EX | fcntl.LOCK_NB):
                for suffix in (".crc", path.suffix, ".lock"):
                    path.with_suffix(suffix).unlink(missing_ok=True)
                return True
        except BlockingIOError:
            return False


def _download(url: str, size: int, part: Path) -> None:
    """Write a file of a store to ``part``, some pieces of it at a time."""
    with part.open("r+b") as out, ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="fetch") as pool:

        def fetch(start: int) -> None:
            with open_binary(url) as stream:
                stream.seek(start)
                end = min(start + CHUNK, size)
                while start < end:
                    piece = stream.read(min(end - start, CHUNK // 2))
                    if not piece:
                        raise OSError(f"{url}: it ends at {start:,} of {size:,} bytes: it has changed meanwhile")
                    os.pwrite(out.fileno(), piece, start)
                    start += len(piece)

        list(pool.map(fetch, range(0, size, CHUNK)))


def _crc(path: Path) -> int:
    found = 0
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            found = zlib.crc32(piece, found)
    return found


@atexit.register
def let_go() -> None:
    """Give back the locks of this process's copies, which may then be removed."""
    for lock in _held.values():
        with suppress(OSError):
            os.close(lock)
    _held.clear()


def _forget() -> None:
    """A forked process holds its parent's locks as well as it does; what it maps itself it takes anew."""
    _held.clear()


os.register_at_fork(after_in_child=_forget)
