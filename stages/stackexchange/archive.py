"""A site's ``Posts.xml`` as a stream of bytes: plain, gzipped or inside a 7z archive; not held whole, nor on disk."""

from __future__ import annotations

import errno
import io
import queue
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import BinaryIO, cast

import py7zr
from py7zr.io import Py7zIO, WriterFactory

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import DamagedStream, Split, open_binary, read_pieces
from llama_data.pipeline.core.reasons import Reason

_PIECE = 1 << 20
_PIECES = 8
_WAIT = 0.2


@contextmanager
def open_posts(split: Split, *, max_bytes: int, max_ratio: int) -> Iterator[BinaryIO]:
    """Open the split's ``Posts.xml``; a piece of a plain file stands at ``split.start``.

    Reading raises RecordError when the file is damaged, holds no ``Posts.xml``, or unpacks to more than
    ``max_bytes`` or ``max_ratio`` times its own size.
    """
    if split.name.lower().endswith(".7z"):
        limit = min(max_bytes, max_ratio * max(split.size, _PIECE))
        with open_binary(split.path) as raw, _SevenZip(raw, limit) as stream:
            yield cast("BinaryIO", stream)
    elif split.name.lower().endswith(".gz"):
        limit = min(max_bytes, max_ratio * max(split.size, _PIECE))
        with closing(read_pieces(split.path)) as pieces:
            yield cast("BinaryIO", _Limited(pieces, limit))
    else:
        with open_binary(split.path) as raw:
            raw.seek(split.start)
            yield raw


class _Limited:
    """Reads at most ``limit`` bytes of a decompressed file, and names what is wrong with it."""

    def __init__(self, pieces: Iterator[bytes], limit: int) -> None:
        self._pieces = pieces
        self._left = limit

    def read(self, _size: int) -> bytes:
        """What one step of unpacking gives, whatever its size; damage loses nothing before it."""
        try:
            data = next(self._pieces, b"")
        except EOFError:
            raise RecordError(Reason.truncated_file, "the compressed file ends early") from None
        except DamagedStream as error:
            raise RecordError(Reason.damaged_archive, str(error)) from None
        self._left -= len(data)
        if self._left < 0:
            raise RecordError(Reason.unsafe_archive, "unpacks to more than the limit")
        return data


class _Stopped(Exception):
    """The reader went away; ends the unpacking thread."""


class _SevenZip(io.RawIOBase):
    """py7zr pushes bytes, we pull them: a thread unpacks into a short queue."""

    def __init__(self, raw: BinaryIO, limit: int) -> None:
        super().__init__()
        self._raw = raw
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue(_PIECES)
        self._buffer = b""
        self._done = False
        self._stop = threading.Event()
        self.left = limit
        self._thread = threading.Thread(target=self._unpack, name="unpack-7z", daemon=True)

    def __enter__(self) -> _SevenZip:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def put(self, item: bytes | BaseException | None) -> None:
        """Hand one item to the reader, or raise _Stopped when it has gone."""
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_WAIT)
                return
            except queue.Full:
                continue
        raise _Stopped

    def _unpack(self) -> None:
        end: BaseException | None = None
        try:
            with py7zr.SevenZipFile(self._raw) as archive:
                members = [item for item in archive.list() if not item.is_directory]
                names = [item.filename for item in members if _is_posts_member(item.filename)]
                if not names:
                    raise RecordError(Reason.missing_field, "the archive holds no Posts.xml")
                before = sum(item.uncompressed for item in members)
                if before > self.left:
                    raise RecordError(Reason.unsafe_archive, f"unpacks to {before} bytes, more than the limit")
                archive.extract(targets=names[:1], factory=_Pipes(self))
        except _Stopped:
            return
        except (RecordError, MemoryError) as error:
            end = error
        except OSError as error:
            end = error if error.errno != errno.EINVAL else _damaged(error)
        except Exception as error:  # py7zr meets damaged headers with whatever its parser trips over
            end = _damaged(error)
        try:
            self.put(end)
        except _Stopped:
            return

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most ``size``; empty at the end."""
        if not self._buffer and not self._done:
            item = self._queue.get()
            if isinstance(item, bytes):
                self._buffer = item
            else:
                self._done = True
                if item is not None:
                    raise item
        data = self._buffer if size < 0 else self._buffer[:size]
        self._buffer = self._buffer[len(data) :]
        return data


def _damaged(error: Exception) -> RecordError:
    return RecordError(Reason.damaged_archive, f"{type(error).__name__}: {error}")


def _is_posts_member(name: str) -> bool:
    return name.replace("\\", "/").rsplit("/", 1)[-1] == "Posts.xml"


class _Pipes(WriterFactory):
    def __init__(self, target: _SevenZip) -> None:
        self._target = target

    def create(self, filename: str) -> Py7zIO:
        return _Pipe(self._target)


class _Pipe(Py7zIO):
    """The file that py7zr believes it writes: what comes is counted and handed on in pieces."""

    def __init__(self, target: _SevenZip) -> None:
        self._target = target
        self._size = 0

    def write(self, s: bytes | bytearray) -> int:
        self._target.left -= len(s)
        if self._target.left < 0:
            raise RecordError(Reason.unsafe_archive, "unpacks to more than the limit")
        for start in range(0, len(s), _PIECE):
            self._target.put(bytes(s[start : start + _PIECE]))
        self._size += len(s)
        return len(s)

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def flush(self) -> None:
        return None

    def size(self) -> int:
        return self._size
