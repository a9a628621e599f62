"""Files of a run: inputs and their splits, atomic writing, JSON lines; local paths and any fsspec URL."""

from __future__ import annotations

import bz2
import hashlib
import io
import lzma
import os
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec  # type: ignore[import-untyped]
import zstandard

from llama_data.pipeline.core import stores
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.extras import require_store
from llama_data.pipeline.core.failures import is_no_room
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.core.listing import look_in_folder, look_in_store, printable, stamp_of
from llama_data.pipeline.core.unfound import no_such, nothing_taken
from llama_data.pipeline.core.writers import temporary_name

ZSTD_LEVEL = 3
SHARES = 64
LEAST_TASK = 4 << 20

# How much a decompressor is given at a time, and how much of it is given on: two kilobytes of zstd can be 64 megabytes.
_FEED = 8 << 10
_ZSTD_FEED = 2 << 10
_MOST = 1 << 20
_XZ_MEMORY = 256 << 20  # the strongest preset of xz needs 65 MiB
_CODECS: dict[str, Callable[[], Any]] = {
    ".gz": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY),
    ".zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
}
_ZSTD = (_CODECS[".zst"],)
_CODECS |= {".tgz": _CODECS[".gz"], ".tbz2": _CODECS[".bz2"], ".txz": _CODECS[".xz"], ".tzst": _CODECS[".zst"]}
_MAGIC = {b"\x1f\x8b": ".gz", b"\xfd7zXZ\x00": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}


class DamagedStream(Exception):
    """A compressed stream that cannot be decompressed on."""


# What reading a damaged compressed file raises.
DAMAGE = (DamagedStream, EOFError, OSError)


@dataclass(frozen=True)
class Split:
    """One piece of an input file.

    ``name`` is the path relative to the input folder; ``start`` and ``end`` are byte offsets in the file as
    it is stored (``end`` None: to the end); ``size`` is the size of the piece in bytes. ``stamp``: what changes when
    the file does, its time of modification in nanoseconds or a store's etag; "" where it is not known.
    """

    path: str
    name: str
    size: int
    start: int = 0
    end: int | None = None
    stamp: str = ""

    def identity(self) -> list[Any]:
        """What tells this piece from another, for the record of what a result was made from; without ``stamp``."""
        return [self.name, self.size, self.start, self.end]


def join(root: str, *parts: str) -> str:
    """Join path parts for local paths and URLs alike."""
    return "/".join([root.rstrip("/"), *(part.strip("/") for part in parts)]) if parts else root


def is_local(path: str) -> bool:
    """True for a path on this machine's file system."""
    return "://" not in path or path.startswith("file://")


def local_path(path: str) -> str:
    """A local path as the operating system takes it: without ``file://``; a ``~`` at its beginning is a home folder."""
    return os.path.expanduser(path.removeprefix("file://"))


def file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a path or URL, and the path in it. Raises InputError when there is none for it."""
    if is_local(url):
        # A local name may hold ``::``, which fsspec takes for a chain of addresses.
        local = fsspec.filesystem("file")
        return local, str(local._strip_protocol(url))
    protocol = url.partition("://")[0]
    require_store(url, InputError)
    try:
        stores.store_class(protocol)
        fs, target = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise InputError(f"{url}: what opens this kind of address is not installed: {error}") from None
    except ValueError as error:
        raise InputError(f"{url}: this kind of address cannot be opened: {error}") from None
    return stores.adopt(fs), str(target)


def list_inputs(root: str, patterns: Sequence[str], left_out: LeftOut | None = None) -> list[Split]:
    """Whole files below ``root`` that match any of the globs, sorted by name, each once.

    A link to a file is a file, a link to a folder a folder; one that leads back to a folder it lies in is not followed.
    ``left_out`` is told what was seen and not taken.

    Raises:
        InputError: the folder does not exist or holds one that may not be read, a link leads nowhere, nothing matches,
            a glob cannot be read.
    """
    fs, base = file_system(root)
    if not fs.exists(base):
        raise InputError(no_such(root, f"the input that holds {', '.join(patterns)}", is_local(root)))
    if fs.isfile(base):
        path = base if is_local(root) else root
        info = fs.info(base)
        stamp = str(os.stat(base).st_mtime_ns) if is_local(root) else stamp_of(info)
        return [Split(path, printable(os.path.basename(base)), int(info["size"] or 0), stamp=stamp)]
    if not patterns:
        raise InputError(f"{root}: no glob says which of its files to take; give some as `inputs`")
    found = look_in_folder(base, patterns) if is_local(root) else look_in_store(fs, base, patterns)
    if left_out is not None:
        left_out.saw(root, patterns, found)
    if not found.taken:
        raise InputError(nothing_taken(root, patterns, found))
    return [Split(entry.path, entry.name, entry.size, stamp=entry.stamp) for entry in found.taken]


def cut_split(split: Split, size: int) -> Iterator[Split]:
    """Pieces of at most ``size`` bytes of a file that can be read from any byte on; a file of no bytes is one piece."""
    for start in range(0, max(split.size, 1), size):
        end = min(start + size, split.size)
        yield replace(split, start=start, end=end, size=end - start)


def group_splits(splits: Sequence[Split], max_bytes: int) -> list[list[Split]]:
    """Neighbours in groups of at most ``max_bytes`` stored bytes, or one alone where that is larger; one task each."""
    groups: list[list[Split]] = []
    size = 0
    for split in splits:
        if not groups or size + split.size > max_bytes:
            groups.append([])
            size = 0
        groups[-1].append(split)
        size += split.size
    return groups


def share_tasks(splits: Sequence[Split], max_bytes: int) -> list[list[Split]]:
    """What each task reads: neighbours together, so that the tasks, and the files they write, follow from the bytes."""
    return group_splits(splits, task_size(splits, max_bytes))


def task_size(splits: Sequence[Split], max_bytes: int) -> int:
    """Most stored bytes of a task that takes several splits: ``max_bytes``, or less where that leaves few tasks.

    It is a ``SHARES``-th of all bytes where that is less, so that there is work for many workers; but not under
    ``LEAST_TASK``, for then a task takes longer to start than to run.
    """
    return min(max_bytes, max(LEAST_TASK, sum(split.size for split in splits) // SHARES))


def exists(path: str) -> bool:
    """True when there is a file or folder at the path."""
    fs, target = file_system(path)
    return bool(fs.exists(target))


def is_file(path: str) -> bool:
    """True when there is a file at the path; of a store this is one request, where ``exists`` may be two."""
    if is_local(path):
        return os.path.isfile(local_path(path))
    fs, target = file_system(path)
    return bool(fs.isfile(target))


def list_files(folder: str, suffix: str) -> list[str]:
    """Sorted paths of the files directly below ``folder`` that end with ``suffix``; empty when there is none."""
    fs, base = file_system(folder)
    found = {entry["name"] for entry in list_entries(folder) if entry["name"].endswith(suffix)} - {base, f"{base}/"}
    return sorted(found if is_local(folder) else map(fs.unstrip_protocol, found))


def list_entries(folder: str) -> list[dict[str, Any]]:
    """What lies directly in a folder, as fsspec describes it; empty when there is none. One request of a store."""
    fs, base = file_system(folder)
    if is_local(folder) and not os.path.isdir(base):
        return []
    try:
        fs.invalidate_cache(base)
        return list(fs.ls(base, detail=True))
    except (FileNotFoundError, NotADirectoryError):
        return []


def file_size(path: str) -> int:
    """Size of a file in bytes."""
    fs, target = file_system(path)
    return int(fs.size(target) or 0)


def remove_tree(folder: str) -> None:
    """Remove a folder of a run and all it holds, or a file, if it is there."""
    fs, base = file_system(folder)
    if getattr(fs, "patient", False) or fs.exists(base):
        fs.rm(base, recursive=True)


def remove_file(path: str) -> None:
    """Remove a file of a run, if it is there."""
    with suppress(FileNotFoundError):
        if is_local(path):
            os.unlink(local_path(path))
        else:
            fs, target = file_system(path)
            fs.rm_file(target)


def open_binary(path: str) -> BinaryIO:
    """Open a file for reading bytes. Raises InputError when there is none, or none that may be read."""
    with _in_words(path):
        if is_local(path):
            return open(local_path(path), "rb")
        return stores.open_store(*file_system(path), path)


@contextmanager
def _in_words(path: str, absent: bool = True) -> Iterator[None]:
    """Say in a sentence why a file cannot be read; ``absent``: also that it is not there."""
    try:
        yield
    except FileNotFoundError as error:
        if not absent:
            raise
        own = not is_local(path) and error.filename and error.strerror
        raise InputError(f"{path}: {own or 'no such file'}") from None
    except (PermissionError, IsADirectoryError) as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def read_bytes(path: str) -> bytes:
    """The whole file. Raises InputError when there is none, or none that may be read."""
    with _in_words(path):
        return _whole(path)


def read_if_there(path: str) -> bytes | None:
    """The whole file; None: there is none. Raises InputError when it may not be read."""
    with suppress(FileNotFoundError, NotADirectoryError), _in_words(path, absent=False):
        return _whole(path)
    return None


def _whole(path: str) -> bytes:
    if is_local(path):
        return Path(local_path(path)).read_bytes()
    fs, target = file_system(path)
    return bytes(fs.cat_file(target))


def sha256_of(path: str | os.PathLike[str]) -> str:
    """sha256 of a file, hexadecimal."""
    with open_binary(os.fspath(path)) as stream:
        return hashlib.file_digest(cast("Any", stream), "sha256").hexdigest()


def compression_of(head: bytes) -> str:
    """The suffix of the compressed format that a file begins like; "" for none. UTF-8 text begins like none of them."""
    if head[:3] == b"BZh":
        return ".bz2" if head[4:10] in (b"1AY&SY", b"\x17rE8P\x90") else ""
    # A frame of zstd may stand behind skippable ones, which begin with 0x184D2A50 to 0x184D2A5F.
    if head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5:
        return ".zst"
    return next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), "")


def read_pieces(path: str, compression: str | None = None) -> Generator[bytes, None, None]:
    """Yield the bytes of a file as they come, decompressed by its suffix, or by another that is given.

    ``compression``: .gz .bz2 .xz .zst, or "" for none; None: the suffix of the path. Damage is raised when all that
    stands before it has been given: EOFError where the file ends inside a stream, DamagedStream where it cannot be
    decompressed on.
    """
    with open_binary(path) as below:
        codec = _codec(path if compression is None else compression)
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
    name = path.lower()
    return next((make for suffix, make in _CODECS.items() if name.endswith(suffix)), None)


def _unpack(below: BinaryIO, make: Callable[[], Any]) -> Iterator[bytes]:
    """The streams of a compressed file, one after the other; zeros between them are padding."""
    stream: Any = None
    feed = _ZSTD_FEED if make in _ZSTD else _FEED
    while packed := below.read(feed):
        while packed:
            if stream is None:
                packed = packed.lstrip(b"\0")
                if not packed:
                    break
                stream = make()
            try:
                yield from filter(None, _pieces(stream, packed))
            except (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
                raise DamagedStream(str(error)) from None
            packed, stream = (stream.unused_data, None) if stream.eof else (b"", stream)
    if stream is not None:
        raise EOFError("the file ends inside a compressed stream")


def _pieces(stream: Any, packed: bytes) -> Iterator[bytes]:
    """What a stream makes of some bytes, in pieces: two kilobytes of bzip2 can be gigabytes."""
    if not isinstance(stream, (bz2.BZ2Decompressor, lzma.LZMADecompressor)):
        data = stream.decompress(packed)
        yield from (data,) if len(data) <= _MOST else (data[at : at + _MOST] for at in range(0, len(data), _MOST))
        return
    yield stream.decompress(packed, _MOST)
    while not (stream.eof or stream.needs_input):
        yield stream.decompress(b"", _MOST)


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

    On a local path the bytes go to a name that is the writer's own (``core.writers``) and are renamed, so that of two
    writers each leaves a whole file or none; what a killed one left is removed by the next run. An object store makes
    an object visible only when it is complete, so there the upload is simply abandoned on an error. Where there is no
    room, the error names the file.
    """
    if not is_local(path):
        fs, target = file_system(path)
        with stores.whole_write(fs, target) as written:
            yield written
        return
    final = local_path(path)
    os.makedirs(os.path.dirname(final) or ".", exist_ok=True)
    temporary = temporary_name(final)
    try:
        with open(temporary, "wb") as stream:
            yield stream
        os.replace(temporary, final)
    except BaseException as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError) and is_no_room(error) and error.filename in (None, temporary):
            error.filename = final
        raise
