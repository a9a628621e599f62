"""Rows of JSON-lines files, compressed or not: damaged lines by number, and all that stands before any damage."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import orjson
import zstandard

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import open_binary
from llama_data.pipeline.core.reasons import Reason

MAX_LINE = 256 << 20
# Small, for eight kilobytes can be a quarter of a gigabyte in zstd's format.
_FEED = 8 << 10


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


_FORMATS: dict[str, Callable[[], _Decompressor]] = {
    ".gz": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    ".zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lzma.LZMADecompressor,
}
_ERRORS = (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError, EOFError)


def json_rows(path: str) -> Iterator[tuple[int, dict[str, Any] | RecordError]]:
    """Yield (line number from 1, object) for every line that is not blank; an error in place of a damaged one.

    A file that cannot be decompressed on ends with one error, at the line that could not be read.

    Raises:
        InputError: there is no such file.
    """
    for number, line in enumerate(_lines(path), 1):
        if isinstance(line, RecordError):
            yield number, line
        elif line and not line.isspace():
            yield number, _parse(line)


def _parse(line: bytes) -> dict[str, Any] | RecordError:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return RecordError(Reason.invalid_json, str(error))
    if not isinstance(row, dict):
        return RecordError(Reason.invalid_json, f"expected an object, found {type(row).__name__}")
    return row


def _lines(path: str) -> Iterator[bytes | RecordError]:
    held: list[bytes] = []
    size = 0
    for piece in _pieces(path):
        if isinstance(piece, RecordError):
            # What is held is the line that the damage cut.
            yield piece
            return
        first, *others = piece.split(b"\n")
        size += len(first)
        if size <= MAX_LINE:
            held.append(first)
        else:
            held = []
        for line in others:
            yield _whole(held, size)
            held, size = [line], len(line)
    if size:
        yield _whole(held, size)


def _whole(held: list[bytes], size: int) -> bytes | RecordError:
    if size > MAX_LINE:
        return RecordError(Reason.too_complex, f"the line is longer than {MAX_LINE} bytes")
    return b"".join(held)


def _pieces(path: str) -> Iterator[bytes | RecordError]:
    """The decompressed bytes of a file, then an error where they cannot be read on."""
    make = next((make for suffix, make in _FORMATS.items() if path.endswith(suffix)), None)
    with open_binary(path) as stream:
        if make is None:
            while piece := stream.read(1 << 20):
                yield piece
            return
        current: _Decompressor | None = None
        while data := stream.read(_FEED):
            while data:
                if current is None:
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    current = make()
                try:
                    piece = current.decompress(data)
                except _ERRORS as error:
                    yield RecordError(Reason.damaged_archive, str(error))
                    return
                if piece:
                    yield piece
                data = b""
                if current.eof:
                    data, current = current.unused_data, None
        if current is not None:
            yield RecordError(Reason.truncated_file, "the file ends inside a compressed stream")
