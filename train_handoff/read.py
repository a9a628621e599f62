"""Reads documents fast: ids and texts of jsonl files, some megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import DAMAGE, open_decompressed
from llama_data.pipeline.core.lines import cut_lines

READ_BYTES = 4 << 20


@dataclass(frozen=True)
class Texts:
    """Some documents: their ids, texts and sources (None where a document's metadata names none).

    ``values``: of the field of the metadata that was asked for, None where a document has none.
    """

    ids: list[str]
    texts: list[str]
    sources: list[str | None]
    values: list[Any]


def _chunks(path: str) -> Iterator[bytes]:
    """The decompressed bytes of a file. Raises InputError when it is damaged or cut short."""
    with open_decompressed(path) as stream:
        try:
            while data := stream.read(READ_BYTES):
                yield data
        except EOFError:
            raise InputError(
                f"{path}: cut short: the compressed stream does not end; make the documents again"
            ) from None
        except DAMAGE as error:
            raise InputError(f"{path}: the compressed stream is damaged: {error}") from None


def read_texts(path: str, field: str | None = None) -> Iterator[Texts]:
    """Documents of a jsonl file (compressed by suffix), some megabytes at a time.

    ``field``: of the metadata, whose values are wanted.

    Raises:
        InputError: a line is not a document, or the stream is damaged; names the file and the line.
    """
    number = 0
    for lines in cut_lines(_chunks(path)):
        found = Texts([], [], [], [])
        for line in lines:
            number += 1
            if not line:
                continue
            try:
                record = orjson.loads(line)
                found.ids.append(_text(record["id"]))
                found.texts.append(_text(record["text"]))
                metadata = record.get("metadata") or {}
                source = metadata.get("source")
                found.sources.append(None if source is None else str(source))
                found.values.append(None if field is None else metadata.get(field))
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{path}: line {number}: not a document with id and text: {error}") from None
        if found.ids:
            yield found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {str(value)[:40]!r}")
    return value
