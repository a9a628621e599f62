"""Files of a run: inputs and their splits, atomic writing, JSON lines; local paths and any fsspec URL."""

from __future__ import annotations

import bz2
import fnmatch
import io
import lzma
import os
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import fsspec  # type: ignore[import-untyped]
import orjson
import zstandard

from llama_data.pipeline.core.errors import InputError

ZSTD_LEVEL = 3

# How much a decompressor is given at a time: eight kilobytes can be a quarter of a gigabyte in zstd's format.
_FEED = 8 << 10
_CODECS: dict[str, Callable[[], Any]] = {
    ".gz": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lzma.LZMADecompressor,
    ".zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
}
_CODECS |= {".tgz": _CODECS[".gz"], ".tbz2": _CODECS[".bz2"], ".txz": _CODECS[".xz"], ".tzst": _CODECS[".zst"]}


class DamagedStream(Exception):
    """A compressed stream that cannot be decompressed on."""


# What reading a damaged compressed file raises.
DAMAGE = (DamagedStream, EOFError, OSError)


@dataclass(frozen=True)
class Split:
    """One piece of an input file.

    ``name`` is the path relative to the input folder; ``start`` and ``end`` are byte offsets in the file as
    it is stored (``end`` None: to the end); ``size`` is the size of the piece in bytes.
    """

    path: str
    name: str
    size: int
    start: int = 0
    end: int | None = None

    def identity(self) -> list[Any]:
        """What tells this piece from another, for the record of what a result was made from."""
        return [self.name, self.size, self.start, self.end]


def join(root: str, *parts: str) -> str:
    """Join path parts for local paths and URLs alike."""
    return "/".join([root.rstrip("/"), *(part.strip("/") for part in parts)]) if parts else root


def is_local(path: str) -> bool:
    """True for a path on this machine's file system."""
    return "://" not in path or path.startswith("file://")


def file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a path or URL, and the path in it. Raises InputError when there is none for it."""
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise InputError(f"{url}: this kind of address cannot be opened: {error}") from None
    return found


def list_inputs(root: str, patterns: Sequence[str]) -> list[Split]:
    """Whole files below ``root`` that match any of the globs, sorted by name, each once.

    Raises:
        InputError: the folder does not exist or holds one that may not be read, or nothing matches.
    """
    fs, base = file_system(root)
    if not fs.exists(base):
        raise InputError(f"{root}: no such folder; expected the input that holds {', '.join(patterns)}")
    if fs.isfile(base):
        return [Split(path=root, name=os.path.basename(base), size=int(fs.size(base) or 0))]
    if is_local(root):
        _check_readable(base, patterns)
    found: dict[str, Split] = {}
    prefix = base.rstrip("/") + "/"
    for pattern in patterns:
        for path, info in sorted(fs.glob(prefix + pattern, detail=True).items()):
            if info["type"] == "file":
                name = path.removeprefix(prefix)
                url = path if is_local(root) else fs.unstrip_protocol(path)
                found[name] = Split(path=url, name=name, size=int(info["size"] or 0))
    if not found:
        raise InputError(f"{root}: no file matches {', '.join(patterns)}")
    return [found[name] for name in sorted(found)]


def _check_readable(base: str, patterns: Sequence[str]) -> None:
    """Globbing steps over folders that may not be read without a word; here they are an error."""
    unreadable: list[str] = []
    for _ in os.walk(base, onerror=lambda error: unreadable.append(str(error.filename))):
        pass
    for folder in unreadable:
        parts = os.path.relpath(folder, base).split(os.sep)
        if folder == base or any(_reaches(pattern.split("/"), parts) for pattern in patterns):
            raise InputError(f"{folder}: this folder cannot be read; change its permissions, or narrow `inputs`")


def _reaches(pattern: list[str], folder: list[str]) -> bool:
    """True when a glob looks into a folder; both in parts, relative to the same place."""
    for index, part in enumerate(folder):
        if index >= len(pattern) - 1:
            return False
        if pattern[index] == "**":
            return True
        if not fnmatch.fnmatchcase(part, pattern[index]):
            return False
    return True


def exists(path: str) -> bool:
    """True when there is a file or folder at the path."""
    fs, target = file_system(path)
    return bool(fs.exists(target))


def list_files(folder: str, suffix: str) -> list[str]:
    """Sorted paths of the files directly below ``folder`` that end with ``suffix``; empty when there is none."""
    fs, base = file_system(folder)
    if not fs.isdir(base):
        return []
    names = sorted(path for path in fs.ls(base, detail=False) if path.endswith(suffix))
    return names if is_local(folder) else [fs.unstrip_protocol(name) for name in names]


def file_size(path: str) -> int:
    """Size of a file in bytes."""
    fs, target = file_system(path)
    return int(fs.size(target) or 0)


def remove_tree(folder: str) -> None:
    """Remove a folder of a run and all it holds, if it is there."""
    fs, base = file_system(folder)
    if fs.exists(base):
        fs.rm(base, recursive=True)


def open_binary(path: str) -> BinaryIO:
    """Open a file for reading bytes. Raises InputError when there is none, or none that may be read."""
    try:
        if is_local(path):
            return open(path.removeprefix("file://"), "rb")
        return cast("BinaryIO", fsspec.open(path, "rb").open())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (PermissionError, IsADirectoryError) as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def read_bytes(path: str) -> bytes:
    """The whole file."""
    with open_binary(path) as stream:
        return stream.read()


def read_pieces(path: str) -> Generator[bytes, None, None]:
    """Yield the bytes of a file as they come, decompressed by its suffix (.gz .bz2 .xz .zst).

    Damage is raised when all that stands before it has been given: EOFError where the file ends inside a stream,
    DamagedStream where it cannot be decompressed on.
    """
    with open_binary(path) as below:
        codec = _codec(path)
        if codec is not None:
            yield from _unpack(below, codec)
        else:
            while piece := below.read(1 << 20):
                yield piece


def open_decompressed(path: str) -> BinaryIO:
    """Open a file and decompress it by its suffix (.gz .bz2 .xz .zst; anything else as it is).

    Reading a damaged file raises one of ``DAMAGE``.
    """
    below, codec = open_binary(path), _codec(path)
    return below if codec is None else cast("BinaryIO", io.BufferedReader(_Unpacked(below, codec), 1 << 20))


def _codec(path: str) -> Callable[[], Any] | None:
    return next((make for suffix, make in _CODECS.items() if path.endswith(suffix)), None)


def _unpack(below: BinaryIO, make: Callable[[], Any]) -> Iterator[bytes]:
    """The streams of a compressed file, one after the other; zeros between them are padding."""
    stream: Any = None
    while packed := below.read(_FEED):
        while packed:
            if stream is None:
                packed = packed.lstrip(b"\0")
                if not packed:
                    break
                stream = make()
            try:
                piece = stream.decompress(packed)
            except (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
                raise DamagedStream(str(error)) from None
            if piece:
                yield piece
            packed, stream = (stream.unused_data, None) if stream.eof else (b"", stream)
    if stream is not None:
        raise EOFError("the file ends inside a compressed stream")


class _Unpacked(io.RawIOBase):
    """The decompressed bytes of a file; closes it too."""

    def __init__(self, below: BinaryIO, make: Callable[[], Any]) -> None:
        super().__init__()
        self._below = below
        self._pieces = _unpack(below, make)
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._ready:
            self._ready = memoryview(next(self._pieces, b""))
        size = min(len(self._ready), len(buffer))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def close(self) -> None:
        self._below.close()
        super().close()


@contextmanager
def atomic_write(path: str) -> Iterator[BinaryIO]:
    """Write a file that appears under its name only when the block ends without an error.

    On a local path the bytes go to ``path.tmp`` and are renamed; what a killed task left there is overwritten
    when it runs again (a file is written by one task only). An object store makes an
    object visible only when it is complete, so there the upload is simply abandoned on an error.
    """
    if not is_local(path):
        fs, target = file_system(path)
        stream = fs.open(target, "wb")
        try:
            yield cast("BinaryIO", stream)
        except BaseException:
            getattr(stream, "discard", lambda: None)()
            raise
        stream.close()
        return
    final = path.removeprefix("file://")
    os.makedirs(os.path.dirname(final) or ".", exist_ok=True)
    temporary = f"{final}.tmp"
    try:
        with open(temporary, "wb") as stream:
            yield stream
        os.replace(temporary, final)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


class JsonlWriter:
    """Writes one JSON object a line, zstd-compressed, atomically. A context manager."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.count = 0

    def __enter__(self) -> Self:
        self._file = atomic_write(self.path)
        self._raw = self._file.__enter__()
        compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
        self._stream = compressor.stream_writer(self._raw, closefd=False)
        return self

    def write(self, record: dict[str, Any]) -> None:
        """Add one line."""
        self._stream.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._stream.close()  # type: ignore[no-untyped-call]
        self._file.__exit__(kind, error, trace)


def read_jsonl(path: str) -> Iterator[dict[str, Any]]:
    """Read JSON lines that we wrote, decompressing by suffix.

    Raises:
        InputError: a line is not JSON or the stream is damaged; names the file and the line.
    """
    number = 0
    with open_decompressed(path) as stream:
        try:
            for line in stream:
                number += 1
                yield orjson.loads(line)
        except (orjson.JSONDecodeError, *DAMAGE) as error:
            raise InputError(f"{path}: line {number}: not a readable JSON line: {error}") from None
