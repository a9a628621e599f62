"""Shards of an object store on this machine's disk: fetched once a node, mapped by all of its processes.

A copy (``core.copies``) has its final name only when it has been checked (CRC-32 of the file, hash of its rows), and
its CRC-32 is checked again by every process that opens it.
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from llama_data.pipeline.core.copies import Copies, part_of
from llama_data.pipeline.core.errors import InputError, LlamaDataError
from llama_data.pipeline.core.files import file_system
from llama_data.train_handoff.shards.checked import check_value
from llama_data.train_handoff.shards.file import Shard

TRIES = 6  # of a shard that comes whole and is not what was written
CACHE_BYTES = 20_000_000_000

_Result = TypeVar("_Result")


def default_folder() -> str:
    """Where copies are kept when nothing else is said: ``llama-data/rows`` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "llama-data", "rows")


def open_cache(folder: str | None, limit: int = CACHE_BYTES) -> ShardCache:
    """The cache of at most ``limit`` bytes in a folder, or in the default one."""
    return ShardCache(folder or default_folder(), limit)


class ShardCache(Copies):
    """Local copies of remote shards, at most ``limit`` bytes of files; the one not used for longest goes first."""

    def __init__(self, folder: str, limit: int = CACHE_BYTES) -> None:
        super().__init__(Path(folder), limit, "give --cache-bytes of at least twice the shard")

    def read(self, url: str, name: str, content_sha256: str | None, use: Callable[[str], _Result]) -> _Result:
        """What ``use`` makes of the copy of a shard, which cannot be taken away meanwhile.

        ``name``: the same for the same content only. ``content_sha256``: of its rows, None where it is not known.

        Raises:
            InputError: there is no such shard, or it does not arrive as it was written.
            RequestError: the cache is too small for it.
            StoreError: the store does not answer.
        """
        final = self.folder / name
        while True:
            with self.locked(name, fcntl.LOCK_SH):
                if final.exists() and self._is_whole(final):
                    now = time.time_ns()  # finer than the clock that utime itself would take
                    os.utime(final, ns=(now, now))
                    return use(str(final))
            with self.locked(name, fcntl.LOCK_EX):
                if not final.exists():
                    self._bring(url, final, content_sha256)

    def ahead(self, url: str, name: str, content_sha256: str | None, keep: str) -> None:
        """Begin to fetch a shard that will be read soon, unless somebody does, or it would push ``keep`` out."""
        arguments = (url, name, content_sha256, keep)
        threading.Thread(target=self._bring_ahead, args=arguments, name="ahead", daemon=True).start()

    def _bring_ahead(self, url: str, name: str, content_sha256: str | None, keep: str) -> None:
        final = self.folder / name
        try:
            with self.locked(name, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if not final.exists():
                    self._bring(url, final, content_sha256, keep)
        except (OSError, LlamaDataError):
            pass  # another process is at it; or something is wrong, which who needs the shard will say

    def _is_whole(self, path: Path) -> bool:
        damage = check_value(str(path))
        if damage is not None:
            _say(f"{path}: {damage}; it is fetched again")
            path.unlink(missing_ok=True)
        return damage is None

    def _bring(self, url: str, final: Path, content_sha256: str | None, keep: str | None = None) -> None:
        """Fetch a shard whose lock this process holds."""
        part = part_of(final)
        try:
            for attempt in range(TRIES):
                self.fetch(url, self._size(url), part, keep)
                problem = check_value(str(part)) or _other_rows(str(part), content_sha256)
                if problem is None:
                    part.replace(final)
                    return
                _say(f"{url}: {problem} (as it arrived, attempt {attempt + 1} of {TRIES})")
            raise InputError(f"{url}: {problem}; it is damaged in the store: put it back from a copy, or mix again")
        finally:
            part.unlink(missing_ok=True)

    def _size(self, url: str) -> int:
        fs, target = file_system(url)
        try:
            return int(fs.size(target) or 0)
        except (FileNotFoundError, PermissionError) as error:
            raise InputError(f"{url}: cannot be read: {error.strerror or 'no such file'}") from None


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
