"""The manifest of a finished result: what it is, every file with its hash, and what it was made from.

It is written last, so a folder without one is not finished. Three files lie in the folder: ``manifest.json``, and the
two lists that may be long, one JSON value a line: ``manifest.files.zst`` (name, bytes, rows, sha256) and
``manifest.inputs.zst``. The result's own hash (``sha256``) is over the part ``content`` of the first, which holds no
time and no path of a machine: two runs that made the same from the same have the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
import zstandard

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import (
    Split,
    atomic_write,
    exists,
    join,
    read_bytes,
    read_if_there,
    remove_file,
)
from llama_data.pipeline.core.hashed import WrittenFile

FORMAT = 1
MANIFEST = "manifest.json"
RECORD = "made-from.json"  # what a group of jobs was begun with, in its folder of logs
FILES = "manifest.files.zst"
INPUTS = "manifest.inputs.zst"


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read. ``folder``: where it lies, with the whole path."""

    folder: str
    record: dict[str, Any]

    @property
    def sha256(self) -> str:
        """The hash by which what is made from the result knows it."""
        return str(self.record["sha256"])

    @property
    def content(self) -> dict[str, Any]:
        """What the hash is over."""
        found: dict[str, Any] = self.record["content"]
        return found

    @property
    def made_from(self) -> dict[str, Any]:
        """Settings, models, and the results of the step before, with their hashes."""
        found: dict[str, Any] = self.content["made_from"]
        return found

    @property
    def root(self) -> str:
        """The folder from which the names of files go: the run's, or for a mix its own."""
        up = int(self.record["levels"])
        return "/".join(self.folder.rstrip("/").split("/")[: -up or None]) or "/"

    @cached_property
    def files(self) -> list[WrittenFile]:
        """Every file of the result. Raises InputError: the list is damaged."""
        path = join(self.folder, FILES)
        data = read_bytes(path)
        if hashlib.sha256(data).hexdigest() != self.content["files"]["sha256"]:
            raise InputError(f"{path}: not the list that {MANIFEST} beside it was written with; make the result anew")
        return [WrittenFile(*row) for row in _rows(path, data)]

    def inputs(self) -> list[dict[str, Any]]:
        """The inputs as they were: name, size, start, end, path, stamp, and a sha256 where it was taken."""
        return read_list(join(self.folder, INPUTS)) if self.made_from["inputs"]["count"] else []

    def below(self, folder: str, suffix: str = "") -> list[Split]:
        """The files directly below a folder of the run that end with a suffix, in order."""
        prefix = f"{folder.strip('/')}/" if folder else ""
        return [
            Split(join(self.root, file.name), file.name.removeprefix(prefix), file.bytes)
            for file in self.files
            if file.name.startswith(prefix) and "/" not in file.name[len(prefix) :] and file.name.endswith(suffix)
        ]


def find(folder: str) -> Manifest | None:
    """The manifest of a folder, or None when it has none. Raises InputError: it cannot be read."""
    path = join(folder, MANIFEST)
    content = read_if_there(path)
    if content is None:
        return None
    try:
        record = orjson.loads(content)
        if record["format"] == FORMAT and record["sha256"] == content_hash(record["content"]):
            return Manifest(folder, record)
        why = f"format {record['format']}; this version reads {FORMAT}"
        if record["format"] == FORMAT:
            why = "its hash is not that of its content"
    except (ValueError, KeyError, TypeError) as error:
        why = f"not readable: {error!r}"
    raise InputError(f"{path}: {why}; it was changed after it was written: make the result anew with --overwrite")


def require(folder: str, make: str) -> Manifest:
    """The manifest of a folder. Raises RequestError: there is none, the result is not finished; ``make`` makes it."""
    found = find(folder)
    if found is None:
        raise RequestError(f"{folder}: {what_is_missing(folder)}; `{make}` makes it, or goes on where it was stopped")
    return found


def what_is_missing(folder: str) -> str:
    """What a folder without a manifest is, in words."""
    return f"not finished: it has no {MANIFEST}" if exists(folder) else "there is no such result"


def content_hash(content: Any) -> str:
    """sha256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def write_list(path: str, rows: Iterable[Any]) -> str:
    """Write JSON values, one a line, compressed; the sha256 of the file. The same rows give the same bytes."""
    lines = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    data = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(lines)
    with atomic_write(path) as stream:
        stream.write(data)
    return hashlib.sha256(data).hexdigest()


def read_list(path: str) -> list[Any]:
    """What ``write_list`` wrote. Raises InputError: it is not there, or damaged."""
    return _rows(path, read_bytes(path))


def _rows(path: str, data: bytes) -> list[Any]:
    try:
        stream = zstandard.ZstdDecompressor().decompressobj()
        lines = stream.decompress(data).splitlines()
        if not stream.eof:
            raise ValueError("it ends too early")
        return [orjson.loads(line) for line in lines]
    except (ValueError, zstandard.ZstdError) as error:
        raise InputError(f"{path}: not readable: {error}; make the result anew") from None


def remove(folder: str) -> None:
    """Say that a folder is not finished any more. The manifest goes first: without it the lists mean nothing."""
    for name in (MANIFEST, FILES, INPUTS):
        remove_file(join(folder, name))


def write(
    folder: str,
    *,
    levels: int,
    what: str,
    files: Sequence[WrittenFile],
    totals: dict[str, int],
    made_from: dict[str, Any],
    account: dict[str, Any],
    inputs: Sequence[dict[str, Any]],
    about: dict[str, Any],
) -> Manifest:
    """Write the lists, and then the manifest. ``levels``: how many folders the names of files begin above.

    ``account``: what else is to be known of the content. ``about``: what does not belong to it: times, paths, the tool.
    """
    if inputs:
        write_list(join(folder, INPUTS), inputs)
    digest = write_list(join(folder, FILES), map(list, files))
    content = {
        "what": what,
        "totals": {"files": len(files), "bytes": sum(file.bytes for file in files), **totals},
        "account": account,
        "files": {"list": FILES, "sha256": digest},
        "made_from": made_from,
    }
    record = {"format": FORMAT, "sha256": content_hash(content), "levels": levels, "content": content, "about": about}
    with atomic_write(join(folder, MANIFEST)) as stream:
        stream.write(orjson.dumps(record, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return Manifest(folder, record)
