"""The lines of a run's metrics, as those that read them again need them. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

METRICS = "metrics.jsonl"
REPLACED = "metrics-replaced.jsonl"  # lines of rows that were read again
UNREADABLE = (ValueError, KeyError, TypeError, OverflowError, RecursionError)  # what damaged lines make of json and int
LAST_BYTES = 1 << 16  # of a file, in which its last line is looked for


def lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each whole line of a file that may not be there, and what it says; not one that a killed process left half."""
    if path.exists():
        with path.open(errors="replace") as stream:
            yield from _whole(stream)


def last_line(path: Path) -> list[dict[str, Any]]:
    """What the last whole line of a file says that may not be there."""
    if not path.exists():
        return []
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - LAST_BYTES))
        return [content for _, content in _whole(stream.read().decode(errors="replace").splitlines())][-1:]


def _whole(found: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in found:
        try:
            content = json.loads(line)
            content["row"] = int(content["row"])
        except UNREADABLE:
            continue
        yield line.rstrip("\n") + "\n", content
