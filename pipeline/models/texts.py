"""Texts to train and measure models on: plain text, JSON lines, parquet and WET, as files, folders or globs."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import is_local, list_inputs, open_decompressed, read_bytes
from llama_data.pipeline.core.jsonl import read_jsonl

_PACKED = (".gz", ".zst", ".bz2", ".xz")
_PLAIN = (".txt",)
_JSON = (".jsonl", ".json")
_WET = (".wet",)
_PARQUET = (".parquet",)
_OURS = (manifest.MANIFEST,)  # beside documents that a run has written
_PATTERNS = [
    *(f"**/*{kind}{packed}" for kind in (*_PLAIN, *_JSON, *_WET) for packed in ("", *_PACKED)),
    *(f"**/*{kind}" for kind in _PARQUET),
]


class Text(NamedTuple):
    """One text: its url (None where the source has none), and the language that the source declares for it."""

    text: str
    url: str | None = None
    language: str | None = None


def find_files(paths: Sequence[str]) -> list[str]:
    """The files that paths, folders (all readable files below them) and globs stand for, sorted within each.

    Raises:
        InputError: one of them stands for nothing.
    """
    found: list[str] = []
    for path in paths:
        if is_local(path) and not os.path.exists(path):
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise InputError(f"{path}: no such file or folder, and no file matches it")
            found += find_files(matches)
        else:
            found += [split.path for split in list_inputs(path, _PATTERNS) if os.path.basename(split.name) not in _OURS]
    return list(dict.fromkeys(found))


def read_texts(paths: Iterable[str]) -> Iterator[Text]:
    """The texts of files: one for a plain text file, a JSON line or a row of parquet with a ``text``, a web page.

    Raises:
        InputError: a file of another kind, or a line without a text.
    """
    for path in paths:
        kind = _kind(path)
        if kind in _PLAIN:
            with open_decompressed(path) as stream:
                yield Text(stream.read().decode("utf-8", "replace"))
        elif kind in _JSON:
            yield from _read_json(path)
        elif kind in _WET:
            yield from _read_pages(path)
        elif kind in _PARQUET:
            yield from _read_parquet(path)
        else:
            raise InputError(
                f"{path}: expected .txt, .jsonl, .json or .wet, possibly compressed ({' '.join(_PACKED)}), or .parquet"
            )


def split_text(text: str, max_chars: int) -> Iterator[str]:
    """The text, cut between lines into documents of about ``max_chars`` characters where it is longer."""
    part: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        if size and size + len(line) > max_chars:
            yield "".join(part)
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield "".join(part)


def is_plain(path: str) -> bool:
    """True for a file of plain text, by its name."""
    return _kind(path) in _PLAIN


def stem(path: str) -> str:
    """The file's name without its suffixes."""
    return os.path.splitext(_unpacked(os.path.basename(path)))[0]


def _kind(path: str) -> str:
    return os.path.splitext(_unpacked(path))[1].lower()


def _unpacked(path: str) -> str:
    """The path without the suffix of its compression."""
    return path[: -len(os.path.splitext(path)[1])] if path.lower().endswith(_PACKED) else path


def _read_json(path: str) -> Iterator[Text]:
    for number, record in enumerate(read_jsonl(path), 1):
        text = record.get("text") if isinstance(record, dict) else None
        if not isinstance(text, str):
            raise InputError(f"{path}: line {number}: expected an object with a text")
        metadata = record.get("metadata") or {}
        yield Text(text, metadata.get("url", record.get("url")), metadata.get("language"))


def _read_parquet(path: str) -> Iterator[Text]:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        file = pq.ParquetFile(pa.BufferReader(read_bytes(path)))
        known = [name for name in ("text", "url", "language") if name in file.schema_arrow.names]
        if "text" not in known:
            raise InputError(f"{path}: expected a column `text`, found {', '.join(file.schema_arrow.names[:20])}")
        for batch in file.iter_batches(columns=known, use_threads=False):
            for row in batch.to_pylist():
                if not isinstance(row["text"], str):
                    raise InputError(f"{path}: expected a string in every row of `text`, found {row['text']!r:.40}")
                yield Text(row["text"], row.get("url"), row.get("language"))
    except pa.ArrowException as error:
        raise InputError(f"{path}: not readable as parquet: {error}; make the file anew") from None


def _read_pages(path: str) -> Iterator[Text]:
    from llama_data.stages.shared.wet import WetRecord, read_wet

    for record in read_wet(path):
        if isinstance(record, WetRecord):
            # Common Crawl lists the languages it detected, the one with most text first.
            declared = record.languages.split(",")[0].strip() if record.languages else None
            yield Text(record.body.decode("utf-8", "replace"), record.url, declared)
