"""Files of a store that all tasks of a node need, once on its disk, and mapped (``core.copies``).

A copy is named after the address, the size and the etag of what it is a copy of, so that another version of a file is
another copy. Its CRC-32 is noted when it comes, and compared once by every process that maps it.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import tempfile
import threading
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
from datatrove.utils.logging import logger  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core.copies import NOTE, Copies, part_of
from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import file_system, is_local, local_path
from llama_data.pipeline.core.listing import stamp_of

CACHE_VARIABLE = "LLAMA_DATA_CACHE"
LIMIT_VARIABLE = "LLAMA_DATA_CACHE_BYTES"
LIMIT = 50_000_000_000

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
    hint = f"raise ${LIMIT_VARIABLE}, or name a folder on a larger disk as ${CACHE_VARIABLE}"
    return _Cache(cache_folder(), cache_limit(), hint).path(url, int(info["size"] or 0), stamp_of(info))


class _Cache(Copies):
    def path(self, url: str, size: int, stamp: str) -> str:
        """Where the copy of a version of a file lies."""
        name = hashlib.sha256(f"{url}\n{size}\n{stamp}".encode()).hexdigest()[:40] + ".copy"
        final = self.folder / name
        with _guard:
            if str(final) in _held:
                return str(final)
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.lstat(self.folder).st_uid != os.getuid():  # whoever owns it could change what is mapped
                raise RequestError(f"{self.folder}: it is another user's; name a folder of yours: ${CACHE_VARIABLE}")
            while True:
                lock = self.lock(name, fcntl.LOCK_SH)
                if final.exists() and self._is_whole(final, size):
                    os.utime(final)
                    _held[str(final)] = lock
                    return str(final)
                os.close(lock)
                with self.locked(name, fcntl.LOCK_EX):
                    if not final.exists():
                        self._bring(url, size, final)

    def _is_whole(self, final: Path, size: int) -> bool:
        """Compare a copy with what was noted of it when it came; one that differs is removed, to be fetched again."""
        note = final.with_name(final.name + NOTE)
        if note.exists() and final.stat().st_size == size and note.read_text() == f"{_crc(final):08x}":
            return True
        logger.warning(f"{final}: a damaged copy; it is fetched again")
        final.unlink(missing_ok=True)
        return False

    def _bring(self, url: str, size: int, final: Path) -> None:
        part = part_of(final)
        try:
            self.fetch(url, size, part)
            final.with_name(final.name + NOTE).write_text(f"{_crc(part):08x}")
            part.replace(final)
        finally:
            part.unlink(missing_ok=True)


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
