"""The raw text of a record: read again from the input, by the reader of its stage, where the input still is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, verdict
from llama_data.pipeline.core.errors import LlamaDataError
from llama_data.pipeline.core.files import Split, exists, file_size, is_local, join, local_path, share_tasks
from llama_data.pipeline.looking.rows import Found
from llama_data.pipeline.recipe import Recipe
from llama_data.pipeline.registry import STAGES
from llama_data.stages.custom import jobs as custom
from llama_data.stages.github.repositories import repository_at

SECONDS = 30.0
"""So long is read to find a record; a file that is one compressed stream has to be read up to it."""


class Raw(NamedTuple):
    """A raw text, None where there is none; ``why`` there is none, or what makes it doubtful; None: nothing does."""

    text: str | None
    why: str | None


class _NotHere(Exception):
    """Why there is no raw text."""


def raw_text(run: str, recipe: Recipe, found: Found, seconds: float = SECONDS) -> Raw:
    """The text of a row as its reader gives it, before any step."""
    try:
        return _read(run, recipe, found, seconds)
    except _NotHere as error:
        return Raw(None, str(error))
    except (LlamaDataError, OSError) as error:
        return Raw(None, f"its input cannot be read: {error}")


def _read(run: str, recipe: Recipe, found: Found, seconds: float) -> Raw:
    place, row = found
    stage = recipe.stage_of(place.domain)
    settings = recipe.settings(stage)
    if settings is None:
        raise _NotHere(f"the run's recipe has no stage whose ledger is {place.domain}")
    pieces = _pieces(run, stage, place.domain, str(row["source"]))
    number = int(place.task) if place.task.isdigit() else -1
    tasks = share_tasks([piece for piece, _ in pieces], settings.max_task_bytes)
    own = set(tasks[number]) if 0 <= number < len(tasks) else set()
    # The pieces of the row's task come first; where tasks are cut in another way, the others hold it.
    ordered = sorted(pieces, key=lambda one: one[0] not in own)
    of_file = [_here(recipe, stage, piece, commit) for piece, commit in ordered if _is_of(piece, str(row["source"]))]
    if not of_file:
        raise _NotHere(f"{row['source']}: the manifest of {place.domain} names no input that it is from")
    if isinstance(settings, custom.Settings):
        reader: Reader = custom.reader(settings, [of_file], stage)
    else:
        reader = STAGES[stage].reader(settings, of_file)
    documents = _Documents(reader, seconds)
    rejoin = None if stage not in STAGES else STAGES[stage].raw
    text = rejoin(iter(documents), row) if rejoin is not None else _same_source(iter(documents), row)
    if text is None:
        raise _NotHere(
            f"{of_file[0].path}: the record was not reached within {seconds:g} s of reading"
            if documents.late
            else f"{of_file[0].path}: it has no record {row['source']} any more"
        )
    changed = any(_is_changed(piece) for piece in of_file) and len(text) != row["chars_in"]
    doubt = f"{of_file[0].path} was changed since the run read it: this may be another text"
    return Raw(text, doubt if changed else None)


def _is_of(piece: Split, source: str) -> bool:
    return source == piece.name or source.startswith(f"{piece.name}#")


def _pieces(run: str, stage: str, domain: str, source: str) -> list[tuple[Split, str | None]]:
    """What the stage has read, with the commit of a repository. Raises _NotHere: no manifest says it."""
    made = manifest.find(join(run, "documents", domain)) or manifest.find(join(run, "documents", stage))
    if made is None:
        raise _NotHere(f"{domain} is not finished, so nothing says yet which input {source} is from")
    found = []
    for record in made.inputs():
        name, size, start, end, *more = record["id"]
        split = Split(record["path"], name, size, start, end, str(record.get("stamp", "")))
        found.append((split, str(more[0]) if more and more[0] else None))
    return found


def _here(recipe: Recipe, stage: str, piece: Split, commit: str | None) -> Split:
    """The piece where it is now. Raises _NotHere: it is not there any more, or another file is in its place."""
    path = piece.path
    if not exists(path):
        path = join(recipe.context(stage).input, piece.name)
        if not exists(path):
            raise _NotHere(f"{piece.path}: the input is not there any more")
    piece = replace(piece, path=path)
    if is_local(path) and os.path.isdir(local_path(path)):
        return repository_at(piece, commit)
    size = file_size(path)
    if piece.end is None and size != piece.size:
        raise _NotHere(f"{path}: it has {size:,} bytes, that which the run read had {piece.size:,}: it is another file")
    return piece


def _is_changed(piece: Split) -> bool:
    """True when a file has another time than the run noted; a copy has that too, so it is no proof."""
    if not piece.stamp or not is_local(piece.path):
        return False
    return str(os.stat(local_path(piece.path)).st_mtime_ns) != piece.stamp


class _Documents:
    """The documents of a reader for some seconds from the first on; ``late``: then there were more."""

    def __init__(self, reader: Reader, seconds: float) -> None:
        self.reader = reader
        self.seconds = seconds
        self.late = False

    def __iter__(self) -> Iterator[Document]:
        until = None
        for split in self.reader.splits:
            for doc in self.reader.read(split):
                yield doc
                until = until or time.monotonic() + self.seconds
                if time.monotonic() >= until:
                    self.late = True
                    return


def _same_source(documents: Iterator[Document], row: dict[str, Any]) -> str | None:
    """The text of the record with the source of a row; of one that cannot be read there is none."""
    for doc in documents:
        if doc.metadata["source"] == row["source"] and doc.metadata.get("domain") is not None:
            found = verdict(doc)
            if found is not None and not doc.text:
                raise _NotHere(f"the record has no text: {found.detail or found.reason}")
            return str(doc.text)
    return None
