"""GitHub samples: rows like those of BigQuery's data set, from this package's modules and from files with defects."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import zstandard

from llama_data.pipeline.samples.sheets import Entry, sheet, write

MAX_FILES = 40
MAX_BYTES = 400_000
FILE_BYTES = (1_500, 16_000)
# Folders of this package whose files are the sample's larger part: they are the same for everyone.
FOLDERS = ("pipeline/kernels", "pipeline/core", "stages/steps", "tokenizer", "train_handoff/shards")
REPOSITORY = "llama-data/llama-data"
LICENCE = "apache-2.0"


def row(repo_name: str, path: str, content: str | None, key: str) -> dict[str, Any]:
    """One row with the columns of the `contents` and `files` tables; `id` is git's name for the blob."""
    data = b"" if content is None else content.encode()
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return {
        "repo_name": repo_name,
        "path": path,
        "content": content,
        "license": key,
        "size": len(data),
        "ref": "refs/heads/main",
        "mode": 33188,
        "id": blob,
        "binary": content is None,
        "copies": 1,
    }


def package_rows(limit: int) -> Iterator[dict[str, Any]]:
    """At most ``limit`` rows of this package's own modules of a fit size, by path; each folder gives one in turn."""
    queues = [_modules(folder) for folder in FOLDERS]
    while queues and limit:
        for queue in list(queues):
            found = next(queue, None)
            if found is None:
                queues.remove(queue)
            elif limit:
                limit -= 1
                yield row(REPOSITORY, *found, LICENCE)


def _modules(folder: str) -> Iterator[tuple[str, str]]:
    """Path and text of a folder's modules, in the order of their names."""
    place = resources.files("llama_data").joinpath(*folder.split("/"))
    for file in sorted(place.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".py") and file.name != "__init__.py":
            text = file.read_text("utf-8")
            if FILE_BYTES[0] <= len(text.encode()) <= FILE_BYTES[1]:
                yield f"{folder}/{file.name}", text


def _own_row(entry: Entry, contents: dict[str, str]) -> dict[str, Any]:
    fields = entry.fields
    content: str | None = entry.text + "\n"
    if "copy" in fields:
        content = contents[fields["copy"]]
    elif fields.get("content") == "null":
        content = None
    elif fields.get("minify"):
        content = " ".join(line.strip() for line in entry.text.split("\n"))
    return row(entry.head, fields["path"], content, fields["license"])


def own_rows() -> list[dict[str, Any]]:
    """The rows of `texts/code/own.txt`, which hold the planted defects."""
    entries = list(sheet("code/own.txt"))
    contents = {entry.fields["path"]: entry.text + "\n" for entry in entries}
    return [_own_row(entry, contents) for entry in entries]


def build_github(folder: Path, seed: int) -> None:
    """Rows as JSON lines in zstd: at most 40 files and 400,000 bytes of content, in a seeded order."""
    rows, room = own_rows(), MAX_BYTES
    room -= sum(each["size"] for each in rows)
    for each in package_rows(MAX_FILES - len(rows)):
        if each["size"] <= room:
            rows.append(each)
            room -= each["size"]
    random.Random(seed).shuffle(rows)
    lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows)
    write(folder / "sample.jsonl.zst", zstandard.ZstdCompressor(level=9).compress(lines.encode()))
