"""Plain text files of many entries: a line `@@ head | key=value | ...` starts one, its text follows."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TEXTS = Path(__file__).parent / "texts"
EPOCH = 1704067200
"""Modification time of everything that is written, 2024-01-01 UTC, in seconds."""


@dataclass(frozen=True)
class Entry:
    """One entry of a sheet; `text` has no newline at its end."""

    head: str
    fields: dict[str, str]
    text: str


def _entry(header: str, lines: list[str]) -> Entry:
    head, *parts = header.split(" | ")
    fields = {}
    for part in parts:
        key, equals, value = part.partition("=")
        fields[key if equals else "date"] = value if equals else part
    return Entry(head=head, fields=fields, text="\n".join(lines))


def sheet(name: str) -> Iterator[Entry]:
    """The entries of `texts/NAME`, in the order of the file."""
    header: str | None = None
    lines: list[str] = []
    for line in (TEXTS / name).read_text(encoding="utf-8").split("\n")[:-1]:
        if not line.startswith("@@ "):
            lines.append(line)
            continue
        if header is not None:
            yield _entry(header, lines)
        header, lines = line[3:], []
    if header is not None:
        yield _entry(header, lines)


def gzipped(data: bytes) -> bytes:
    """One gzip member without a name or time, so that equal data gives equal bytes."""
    return gzip.compress(data, compresslevel=9, mtime=0)


def write(path: Path, data: bytes) -> None:
    """Write a whole file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
