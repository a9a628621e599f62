"""Exact deduplication by a 128-bit MD5 of a text; the first in input order stays, or the newest.

A document is known by its task and its place in the task's stream, so the order does not depend on workers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, is_open, note
from llama_data.pipeline.core.exchange import (
    DecidedRule,
    Exchange,
    grouped_by_hash,
    partitions,
    read_names,
    write_names,
)
from llama_data.pipeline.core.files import join
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import utf8_of
from llama_data.stages.steps.contract import Built, Pass, StepContext, StepSettings
from llama_data.stages.steps.preference import date_number, field_bytes

# ``rank``: what ``keep`` says of a document, least first.
HASH = np.dtype([("high", "<u8"), ("low", "<u8"), ("rank", "<i8"), ("task", "<u4"), ("place", "<u4")])
COPY = np.dtype([("place", "<u4"), ("first_task", "<u4"), ("first_place", "<u4")])
Keep = Literal["first", "newest"]
# Stored bytes of input for a byte of records: these are 32 bytes for a document of some kilobytes.
RATIO = 64


class Settings(StepSettings):
    """Rejects every document but one with the same text; ``duplicate_of`` in the ledger names that one.

    ``keep``: the ``first`` in the order of the input, or the ``newest`` by the metadata field ``date`` (one without is
    the oldest; of equal dates the first). ``within``: only documents with the same value of this metadata field are
    compared; null: all of the source.
    """

    keep: Keep = "first"
    date: str = "date"
    within: str | None = None

    def build(self, context: StepContext) -> Built:
        """Three jobs: hashes, their first owners, and the documents without copies."""
        return dedup(
            context, Reason.duplicate_document, date=self.date if self.keep == "newest" else None, within=self.within
        )

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """What the text was compared with."""
        return (copies_check(Reason.duplicate_document),)


def copies_check(reason: Reason) -> Check:
    """The comparison of whole texts; ``reason``: why a copy goes."""
    return Check(step="duplicates", says="keeps one of equal texts", reasons=(reason,), shows=("duplicate_of",))


def dedup(context: StepContext, reason: Reason, *, date: str | None = None, within: str | None = None) -> Built:
    """The step; ``reason``: why a copy goes; ``date``: the field by which the newest stays, None: the first does."""
    parts = partitions(context.stored, RATIO, context.task_bytes)
    return Built(
        rules=[DropCopies(work=context.work, parts=parts, reason=reason)],
        passes=[
            Pass("hashes", [WriteHashes(work=context.work, date=date, within=within)]),
            Pass("duplicates", [FindCopies(work=context.work, tasks=context.tasks, parts=parts)], parts),
        ],
        columns={"duplicate_of": "string"},
    )


def text_digest(doc: Document) -> bytes:
    """MD5 of the text's UTF-8."""
    return hashlib.md5(utf8_of(doc), usedforsecurity=False).digest()


def _hashes(work: str) -> Exchange:
    return Exchange(work, "hashes", HASH)


def _copies(work: str) -> Exchange:
    return Exchange(work, "duplicates", COPY)


def _ids_path(work: str, task: int) -> str:
    return join(work, "ids", f"{task:05d}.bin")


class WriteHashes(Step):
    """End of the first job: the hash of every document that is still open, and the documents' ids."""

    name = "write_hashes"

    def __init__(self, *, work: str, date: str | None, within: str | None) -> None:
        super().__init__()
        self.work = work
        self.date = date
        self.within = within

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's two files. Yields nothing."""
        rows, ids = [], []
        for place, doc in enumerate(data):
            ids.append(doc.id)
            if is_open(doc):
                digest = text_digest(doc)
                if self.within is not None:
                    digest = hashlib.md5(digest + field_bytes(doc, self.within), usedforsecurity=False).digest()
                newest = 0 if self.date is None else -date_number(doc.metadata.get(self.date))
                rows.append((int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big"), newest, rank, place))
        records = np.array(rows, HASH)
        _hashes(self.work).put(rank, records["high"], records)
        write_names(_ids_path(self.work, rank), ids)
        yield from ()


class FindCopies(Step):
    """Finds for every hash of one range the document that stays, and tells the tasks of the others."""

    name = "find_duplicates"

    def __init__(self, *, work: str, tasks: int, parts: int) -> None:
        super().__init__()
        self.work = work
        self.tasks = tasks
        self.parts = parts

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the copies of this range. Yields nothing."""
        taken = _hashes(self.work).take_all(self.tasks, rank, self.parts)
        found, first = grouped_by_hash(taken, by=("rank", "task", "place"))
        keeper = np.maximum.accumulate(np.where(first, np.arange(len(found)), 0))
        copies = np.flatnonzero(~first)
        records = np.empty(len(copies), COPY)
        records["place"] = found["place"][copies]
        records["first_task"] = found["task"][keeper[copies]]
        records["first_place"] = found["place"][keeper[copies]]
        _copies(self.work).give_back(rank, found["task"][copies], self.tasks, records)
        yield from ()


class DropCopies(DecidedRule):
    """Rejects every copy but the one that stays, and notes the id of that one as ``duplicate_of``."""

    name = "duplicates"

    def __init__(self, *, work: str, parts: int, reason: Reason) -> None:
        super().__init__()
        self.work = work
        self.parts = parts
        self.reason = reason

    def load(self, rank: int, world_size: int) -> None:
        """Read which documents of this task are copies, and of which ones."""
        copies = _copies(self.work).take_back(rank, world_size, self.parts)
        self._original: dict[int, str] = {}
        for task in np.unique(copies["first_task"]).tolist():
            some = copies[copies["first_task"] == task]
            names = read_names(_ids_path(self.work, task), some["first_place"].tolist())
            firsts = zip(some["place"].tolist(), some["first_place"].tolist(), strict=True)
            self._original |= {place: names[first] for place, first in firsts}

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when another document with the same text stays."""
        original = self._original.get(self.place)
        if original is None:
            return None
        note(doc, duplicate_of=original)
        return self.reason
