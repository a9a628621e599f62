"""What the tasks of a job have written: hashed while it is written, noted a task, gathered when all tasks are done.

A task's note is a small file ``logs/<group>/written/<task>.json`` that appears when the task's files are complete. The
last job of a group gathers the notes into its manifest, so that no byte is read twice for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import orjson

from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.files import atomic_write, join, list_entries, list_files, read_bytes
from llama_data.pipeline.core.hashed import WrittenFile

WRITTEN = "written"
_THREADS = 16


def written_bytes(path: str, data: bytes, rows: int = 0) -> WrittenFile:
    """Write a small file atomically; what was written, under its whole path."""
    with atomic_write(path) as stream:
        stream.write(data)
    return WrittenFile(path, len(data), rows, sha256(data).hexdigest())


def notes_folder(run: str, group: str) -> str:
    """Where the tasks of a group leave their notes."""
    return join(run, "logs", group, WRITTEN)


def leave_note(run: str, group: str, task: str, files: Iterable[WrittenFile]) -> None:
    """Say what a task has written, after its files are there; ``files`` have whole paths below ``run``."""
    root = join(run, "")
    found = [[file.name.removeprefix(root), *file[1:]] for file in files]
    with atomic_write(join(notes_folder(run, group), f"{task}.json")) as stream:
        stream.write(orjson.dumps(found))


def gather_notes(run: str, group: str, tasks: Sequence[str]) -> list[WrittenFile]:
    """All that the tasks of a group have written, sorted by name.

    Raises:
        RunError: a task has left no note, so what it wrote is not known.
    """
    folder = notes_folder(run, group)
    present = {path.rpartition("/")[2].removesuffix(".json") for path in list_files(folder, ".json")}
    absent = sorted(set(tasks) - present)
    if absent:
        raise RunError(
            f"{folder}: {len(absent)} of {len(tasks)} tasks have left no note of what they wrote, the first of them "
            f"{absent[0]}; make {group} anew with --overwrite"
        )
    found = [WrittenFile(*row) for data in _read_all(folder, sorted(present)) for row in orjson.loads(data)]
    return sorted(found)


def _read_all(folder: str, names: Sequence[str]) -> Iterable[bytes]:
    """Many small files, several at a time: a store answers each of them in some tens of milliseconds."""
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(read_bytes, [join(folder, f"{name}.json") for name in names])


def sizes_in(folders: Iterable[str]) -> dict[str, int]:
    """Size of every file directly below the folders, by ``folder/name``; one listing a folder."""
    found: dict[str, int] = {}
    for folder in folders:
        for entry in list_entries(folder):
            if entry["type"] == "file":
                found[join(folder, entry["name"].rstrip("/").rpartition("/")[2])] = int(entry["size"] or 0)
    return found


def in_short(wrong: Sequence[str]) -> str:
    """The first of some sentences, and how many there are besides."""
    return wrong[0] if len(wrong) == 1 else f"{wrong[0]}, and {len(wrong) - 1} more"


def sizes_beside(root: str, files: Iterable[WrittenFile]) -> dict[str, int]:
    """Size of every file in the folders in which these should lie; one listing a folder."""
    return sizes_in(sorted({join(root, file.name).rpartition("/")[0] for file in files}))


def unlike_disk(root: str, files: Sequence[WrittenFile], present: Mapping[str, int] | None = None) -> list[str]:
    """What is wrong with the files that should lie below ``root``, told by names and sizes: a sentence for each.

    ``present``: what ``sizes_beside`` says of them.
    """
    paths = [join(root, file.name) for file in files]
    found = sizes_beside(root, files) if present is None else present
    told = []
    for path, file in zip(paths, files, strict=True):
        if path not in found:
            told.append(f"{path}: missing; expected {file.bytes:,} bytes")
        elif found[path] != file.bytes:
            told.append(f"{path}: {found[path]:,} bytes, expected {file.bytes:,}")
    return told
