"""GitHub samples: rows like those of BigQuery's data set, from installed packages and from own files."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import zstandard

from llama_data.pipeline.samples.sheets import Entry, sheet, write

MAX_FILES = 40
MAX_BYTES = 400_000
FILE_BYTES = (1_500, 16_000)
FILES_PER_PACKAGE = 2
EXPRESSIONS = {
    "MIT": "mit",
    "BSD-2-Clause": "bsd-2-clause",
    "BSD-3-Clause": "bsd-3-clause",
    "Apache-2.0": "apache-2.0",
}
CLASSIFIERS = {
    "License :: OSI Approved :: MIT License": "mit",
    "License :: OSI Approved :: Apache Software License": "apache-2.0",
}
VENDORED = re.compile(r"(^|/)(\.\.|_?vendor|vendored|_?extern|tests?|[^/]*\.(dist|egg)-info)(/|$)")


def licence(package: Distribution) -> str | None:
    """BigQuery's licence key for a package whose metadata state exactly one of MIT, BSD or Apache, else None.

    A bare "BSD License" classifier does not say which BSD licence it is; the free-text field must then.
    """
    expressions = package.metadata.get_all("License-Expression") or []
    if expressions:
        return EXPRESSIONS.get(expressions[0])
    stated = [c for c in package.metadata.get_all("Classifier") or [] if c.startswith("License :: OSI Approved")]
    if len(stated) != 1:
        return None
    if stated[0] == "License :: OSI Approved :: BSD License":
        free_text = package.metadata.get_all("License") or [""]
        return EXPRESSIONS.get(free_text[0])
    return CLASSIFIERS.get(stated[0])


def _repo_name(package: Distribution, name: str) -> str:
    urls = [*(package.metadata.get_all("Project-URL") or []), *(package.metadata.get_all("Home-page") or [])]
    for url in sorted(urls):
        if match := re.search(r"github\.com/([\w.-]+/[\w.-]+)", url):
            return match[1].removesuffix(".git")
    return f"{name}/{name}"


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


def _package_files(package: Distribution) -> Iterator[tuple[str, str]]:
    """Path and text of the package's own modules of a fit size, in the order of their paths."""
    for file in sorted(package.files or [], key=str):
        path = file.as_posix()
        if not path.endswith(".py") or path.endswith("__init__.py") or VENDORED.search(path):
            continue
        located = Path(str(file.locate()))
        if not located.is_file() or not FILE_BYTES[0] <= located.stat().st_size <= FILE_BYTES[1]:
            continue
        try:
            yield path, located.read_bytes().decode()
        except UnicodeDecodeError:
            continue


def package_rows(limit: int) -> Iterator[dict[str, Any]]:
    """At most `limit` rows from pure-Python packages by name; each gives one before any gives a second."""
    found: dict[str, tuple[Distribution, str]] = {}
    for package in distributions():
        name = package.metadata["Name"].lower().replace("_", "-")
        key = licence(package)
        pure = "Root-Is-Purelib: true" in (package.read_text("WHEEL") or "")
        if key and pure and not name.startswith("llama"):
            found.setdefault(name, (package, key))
    queues = [
        (_repo_name(package, name), key, _package_files(package)) for name, (package, key) in sorted(found.items())
    ]
    for _ in range(FILES_PER_PACKAGE):
        for repo_name, key, files in queues:
            if limit and (file := next(files, None)):
                limit -= 1
                yield row(repo_name, file[0], file[1], key)


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
