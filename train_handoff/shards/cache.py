"""Shards of an object store on this machine's disk: fetched once a node, mapped by all of its processes.

A copy has its final name only when it has been checked (CRC-32 of the file, hash of its rows), and its CRC-32 is
checked again by every process that opens it. Locks are the system's (`flock`), which a killed process does not keep. So
several processes and several runs may share a folder. The folder must be on a local disk.
"""

from __future__ import annotations

import fcntl
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import file_system
from llama_data.train_handoff.shards.checked import check_value
from llama_data.train_handoff.shards.file import Shard

CHUNK_BYTES = 16 << 20
CONNECTIONS = 4
TRIES = 6
PAUSE = 1.0  # seconds before the second try; doubled for each further one
CACHE_BYTES = 20_000_000_000
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotImplementedError)

_Result = TypeVar("_Result")


def default_folder() -> str:
    """Where copies are kept when nothing else is said: ``llama-data/rows`` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "llama-data", "rows")


def open_cache(folder: str | None, limit: int = CACHE_BYTES) -> ShardCache:
    """The cache of at most ``limit`` bytes in a folder, or in the default one."""
    return ShardCache(folder or default_folder(), limit)


class ShardCache:
    """Local copies of remote shards, at most ``limit`` bytes of files; the one not used for longest goes first."""

    def __init__(self, folder: str, limit: int = CACHE_BYTES) -> None:
        self.folder = Path(folder)
        self.limit = limit

    def read(self, url: str, name: str, content_sha256: str | None, use: Callable[[str], _Result]) -> _Result:
        """What ``use`` makes of the copy of a shard, which cannot be taken away meanwhile.

        ``name``: the same for the same content only. ``content_sha256``: of its rows, None where it is not known.

        Raises:
            InputError: there is no such shard, or it does not arrive as it was written.
            RequestError: the cache is too small for it.
        """
        final = self.folder / name
        while True:
            with self._locked(name, fcntl.LOCK_SH):
                if final.exists() and self._is_whole(final):
                    now = time.time_ns()  # finer than the clock that utime itself would take
                    os.utime(final, ns=(now, now))
                    return use(str(final))
            with self._locked(name, fcntl.LOCK_EX):
                if not final.exists():
                    self._fetch(url, final, content_sha256, keep=None)

    def ahead(self, url: str, name: str, content_sha256: str | None, keep: str) -> None:
        """Begin to fetch a shard that will be read soon, unless somebody does, or it would push ``keep`` out."""
        arguments = (url, name, content_sha256, keep)
        threading.Thread(target=self._fetch_ahead, args=arguments, name="ahead", daemon=True).start()

    def _fetch_ahead(self, url: str, name: str, content_sha256: str | None, keep: str) -> None:
        final = self.folder / name
        try:
            with self._locked(name, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if not final.exists():
                    self._fetch(url, final, content_sha256, keep=keep)
        except (OSError, InputError, RequestError):
            pass  # another process is at it; or something is wrong, which who needs the shard will say

    @contextmanager
    def _locked(self, name: str, how: int) -> Iterator[None]:
        """Hold the lock of a name. Raises BlockingIOError when ``how`` says not to wait and another holds it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.lock"
        while True:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(file, how)
                try:
                    current = os.stat(path).st_ino == os.fstat(file).st_ino
                except FileNotFoundError:
                    current = False
                if current:  # else it was removed with its shard while this process waited
                    yield
                    return
            finally:
                os.close(file)

    def _is_whole(self, path: Path) -> bool:
        damage = check_value(str(path))
        if damage is not None:
            _say(f"{path}: {damage}; it is fetched again")
            path.unlink(missing_ok=True)
        return damage is None

    def _fetch(self, url: str, final: Path, content_sha256: str | None, keep: str | None) -> None:
        """Fetch a shard whose lock this process holds."""
        fs, target = file_system(url)
        part = final.with_name(f"{final.name}.part")
        try:
            for attempt in range(TRIES):
                size = int(_insist(url, lambda: fs.size(target)) or 0)
                self._make_room(part, size, keep)
                download(fs, target, url, part, size)
                problem = check_value(str(part)) or _other_rows(str(part), content_sha256)
                if problem is None:
                    part.replace(final)
                    return
                _say(f"{url}: {problem} (as it arrived, attempt {attempt + 1} of {TRIES})")
            raise InputError(f"{url}: {problem}; it is damaged in the store: put it back from a copy, or mix again")
        finally:
            part.unlink(missing_ok=True)

    def _make_room(self, part: Path, size: int, keep: str | None) -> None:
        """Remove copies until ``size`` more bytes fit, and claim them under the name ``part``."""
        if size > self.limit:
            raise RequestError(
                f"{self.folder}: a shard has {size:,} bytes and the cache may have {self.limit:,}; give --cache-bytes "
                "of at least twice the shard"
            )
        with self._locked("cache", fcntl.LOCK_EX):
            part.unlink(missing_ok=True)
            files = sorted(
                (stat.st_mtime_ns, stat.st_size, Path(entry.path))
                for entry in os.scandir(self.folder)
                if entry.name.endswith((".parquet", ".part"))
                for stat in [entry.stat()]
            )
            total = sum(bytes for _, bytes, _ in files) + size
            for _, bytes, path in files:
                if total <= self.limit:
                    break
                if path.name != keep and self._remove(path):
                    total -= bytes
            if total > self.limit and keep is not None:
                raise RequestError(f"{self.folder}: no room to fetch ahead")
            with part.open("wb") as stream:
                stream.truncate(size)

    def _remove(self, path: Path) -> bool:
        """Remove a copy, or what a killed process left of one; not what another process is reading or fetching."""
        name = path.name.removesuffix(".part")
        try:
            with self._locked(name, fcntl.LOCK_EX | fcntl.LOCK_NB):
                path.unlink(missing_ok=True)
                (self.folder / f"{name}.lock").unlink(missing_ok=True)
                return True
        except BlockingIOError:
            return False


def download(fs: Any, target: str, url: str, part: Path, size: int) -> None:
    """Write the bytes of a remote file to ``part``, which has its size, some pieces at a time. Raises InputError."""
    with part.open("r+b") as stream, ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="fetch") as pool:

        def fetch(start: int) -> None:
            end = min(start + CHUNK_BYTES, size)

            def piece() -> bytes:
                data: bytes = fs.cat_file(target, start=start, end=end)
                if len(data) != end - start:
                    raise OSError(f"{len(data):,} bytes came instead of {end - start:,}")
                return data

            os.pwrite(stream.fileno(), _insist(url, piece), start)

        list(pool.map(fetch, range(0, size, CHUNK_BYTES)))


def _insist(url: str, action: Callable[[], _Result]) -> _Result:
    """The action's result, however often the store fails. Raises InputError: it is not there, or fails too often."""
    for attempt in range(TRIES):
        try:
            return action()
        except _FINAL as error:
            raise InputError(f"{url}: cannot be read: {error or type(error).__name__}") from None
        except Exception as error:  # each store has errors of its own
            if attempt + 1 == TRIES:
                raise InputError(f"{url}: cannot be fetched, tried {TRIES} times: {error!r}") from error
            time.sleep(PAUSE * 2**attempt * random.uniform(0.5, 1))
    raise AssertionError  # the last attempt returns or raises


def _other_rows(path: str, content_sha256: str | None) -> str | None:
    """What is wrong with the rows of a file that is a whole shard; None: nothing."""
    if content_sha256 is None:
        return None
    shard, digest = Shard(path), sha256()
    for group in range(shard.groups):
        digest.update(shard.group(group).data)
    return None if digest.hexdigest() == content_sha256 else "its rows are not those that mix.json lists (content hash)"


def _say(text: str) -> None:
    print(f"llama-train: {text}", file=sys.stderr, flush=True)
