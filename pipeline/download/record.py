"""``DOWNLOADS.ndjson``: a line for every file downloaded into a folder: what, from where, when, how checked."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.version import VERSION
from llama_data.pipeline.download.fetch import Fetched
from llama_data.pipeline.download.source import Item, Source

RECORD = "DOWNLOADS.ndjson"  # a name that no domain's globs take


def read_record(folder: Path) -> dict[str, dict[str, Any]]:
    """The last line of each file, by name; a last line that was not written whole is none.

    Raises RequestError: another line cannot be read.
    """
    path = folder / RECORD
    if not path.exists():
        return {}
    lines = path.read_text("utf-8", "replace").split("\n")
    found = {}
    for number, line in enumerate(lines, 1):
        try:
            if line:
                row = json.loads(line)
                found[str(row["name"])] = row
        except (ValueError, KeyError, TypeError):
            if number < len(lines):
                raise RequestError(f"{path}:{number}: not a line of this record; mend it or move it away") from None
    return found


def mend(folder: Path) -> None:
    """Cut off a last line that was not written whole, so that the next one begins a line."""
    path = folder / RECORD
    if path.exists():
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            os.truncate(path, data.rfind(b"\n") + 1)


def add(folder: Path, source: Source, item: Item, fetched: Fetched) -> None:
    """Write the line of a file; it is on the disk when this returns."""
    row = {
        "name": item.name,
        "url": item.url,
        "size": fetched.size,
        "sums": fetched.sums,
        "published": dict(item.sums),
        "checked": fetched.checked,
        "etag": fetched.mark.etag,
        "modified": fetched.mark.modified,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": source.name,
        "licence": source.licence,
        "terms": source.terms,
        "tool": f"llama-data {VERSION}",
    }
    with (folder / RECORD).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
