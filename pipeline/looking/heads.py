"""Reads how a file begins, whatever it is: its first bytes, decompressed, and the names in it."""

from __future__ import annotations

import re
import tarfile
from contextlib import suppress
from itertools import islice

import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import DAMAGE, compression_of, open_binary, open_decompressed, read_pieces
from llama_data.pipeline.core.head import Head
from llama_data.stages.shared.zip_members import DAMAGED, open_archive

HEAD = 64 << 10
_MEMBERS = 64
_USTAR = (257, b"ustar")
_BLANK = b"\xef\xbb\xbf \t\r\n"
# A whole string, or a mark of structure; of a string that is cut by the head's end nothing behind it is seen.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],]|"(?:[^"\\]|\\.)*\Z', re.S)


def read_head(path: str) -> Head:
    """The head of a file; damage ends what is seen of it. Raises InputError: there is no such file."""
    name = path.replace("\\", "/").rpartition("/")[2].lower()
    with open_binary(path) as stream:
        data = stream.read(HEAD)
    compression = compression_of(data)
    if compression:
        data = _decompressed(path, compression)
    fields: frozenset[str] = frozenset()
    members: tuple[str, ...] = ()
    if data.startswith(b"PAR1"):
        with suppress(pa.ArrowException, OSError), open_binary(path) as stream:
            fields = frozenset(pq.read_schema(stream).names)
    elif data.startswith(b"PK\3\4"):
        members = _zip_members(path)
    elif data[_USTAR[0] :].startswith(_USTAR[1]):
        members = _tar_members(path)
    else:
        with suppress(ValueError):
            row = orjson.loads(data.partition(b"\n")[0])
            fields = frozenset(row) if isinstance(row, dict) else frozenset()
    return Head(
        name, data, compression, fields or (_keys(data) if data.lstrip(_BLANK).startswith(b"{") else fields), members
    )


def _keys(data: bytes) -> frozenset[str]:
    """The keys of an object of JSON that goes on behind the head, as far as they are seen."""
    keys: list[bytes] = []
    depth, expecting = 0, False
    for found in _TOKEN.finditer(data):
        token = found[0]
        if token in b"{[":
            depth, expecting = depth + 1, token == b"{"
        elif token in b"}]":
            depth -= 1
        elif token == b",":
            expecting = depth == 1
        elif token.startswith(b'"') and expecting:
            if depth == 1:
                keys.append(token[1:-1])
            expecting = False
    return frozenset(key.decode("utf-8", "replace") for key in keys)


def _decompressed(path: str, compression: str) -> bytes:
    data = b""
    with suppress(*DAMAGE):
        for piece in read_pieces(path, compression):
            data += piece
            if len(data) >= HEAD:
                break
    return data[:HEAD]


def _zip_members(path: str) -> tuple[str, ...]:
    with suppress(RecordError, *DAMAGED), open_binary(path) as stream, open_archive(stream) as archive:
        return tuple(item.filename for item in islice(archive.infolist(), _MEMBERS))
    return ()


def _tar_members(path: str) -> tuple[str, ...]:
    damage = (tarfile.TarError, *DAMAGE)
    with suppress(*damage), open_decompressed(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        return tuple(item.name for item in islice(archive, _MEMBERS))
    return ()
