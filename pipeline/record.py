"""The record of a group's jobs while they are not finished: what they are made from, and whether they have failed.

``logs/<group>/made-from.json`` with the inputs beside it in ``made-from.inputs.zst``. The manifest takes it over.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from llama_data.pipeline.core.files import atomic_write, join, read_if_there
from llama_data.pipeline.core.manifest import RECORD, read_list, write_list

INPUTS = "made-from.inputs.zst"


@dataclass(frozen=True)
class Record:
    """What a group is made from.

    ``content``: what must be the same for its result to be used again: version, settings, jobs, inputs by name and
    size, models by hash, results of the step before by the hash of their manifests. ``inputs``: every input with its
    path and stamp. ``models``: by path what tells that a model was not touched since it was hashed, and last its hash.
    ``failed``: how its last try ended, or None.
    """

    content: dict[str, Any]
    inputs: list[dict[str, Any]] = field(default_factory=list)
    models: dict[str, list[Any]] = field(default_factory=dict)
    failed: str | None = None


def record_path(run: str, group: str) -> str:
    """Where the record of a group lies."""
    return join(run, "logs", group, RECORD)


def read_record(run: str, group: str) -> Record | None:
    """The record of a group; None where there is none, or one of a version that wrote no manifests."""
    data = read_if_there(record_path(run, group))
    found = None if data is None else orjson.loads(data)
    if found is None or "content" not in found:
        return None
    rows = read_list(join(run, "logs", group, INPUTS)) if found["content"]["inputs"]["count"] else []
    return Record(found["content"], rows, found["models"], found["failed"])


def is_of_older_version(run: str, group: str) -> bool:
    """True when the group was made by a version that wrote no manifests."""
    data = read_if_there(record_path(run, group))
    return data is not None and "content" not in orjson.loads(data)


def note_failure(run: str, group: str, says: str) -> None:
    """Note that the group's last try has failed, so that its record forbids no other try with mended settings."""
    with suppress(OSError):
        record = read_record(run, group)
        if record is not None:
            write_record(run, group, replace(record, failed=says))


def write_record(run: str, group: str, record: Record) -> None:
    """Write the record; the inputs go first."""
    if record.inputs:
        write_list(join(run, "logs", group, INPUTS), record.inputs)
    content = {"content": record.content, "models": record.models, "failed": record.failed}
    with atomic_write(record_path(run, group)) as stream:
        stream.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
