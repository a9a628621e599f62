"""Reads documents fast: ids and texts of jsonl files, some megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import orjson
import zstandard

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import open_binary, open_decompressed

READ_BYTES = 4 << 20


@dataclass(frozen=True)
class Texts:
    """Some documents: their ids and texts."""

    ids: list[str]
    texts: list[str]


def _chunks(path: str) -> Iterator[bytes]:
    """The decompressed bytes of a file. Raises InputError when a zstd stream is damaged or cut short."""
    if not path.endswith(".zst"):
        with open_decompressed(path) as stream:
            while data := stream.read(READ_BYTES):
                yield data
        return
    frame = None
    with open_binary(path) as stream:
        while data := stream.read(READ_BYTES // 4):
            while data:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                try:
                    yield frame.decompress(data)
                except zstandard.ZstdError as error:
                    raise InputError(f"{path}: the compressed stream is damaged: {error}") from None
                data, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None:
        raise InputError(f"{path}: cut short: the compressed stream does not end; make the documents again")


def read_texts(path: str) -> Iterator[Texts]:
    """Documents of a jsonl file (compressed by suffix), some megabytes at a time.

    Raises:
        InputError: a line is not a document, or the stream is damaged; names the file and the line.
    """
    number, rest = 0, b""
    for data in chain(_chunks(path), [b"\n"]):
        lines = (rest + data).split(b"\n")
        rest = lines.pop()
        found = Texts([], [])
        for line in lines:
            number += 1
            if not line:
                continue
            try:
                record = orjson.loads(line)
                found.ids.append(record["id"])
                found.texts.append(record["text"])
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise InputError(f"{path}: line {number}: not a document with id and text: {error}") from None
        if found.ids:
            yield found
