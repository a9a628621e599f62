"""The contract of steps, over datatrove's ``PipelineStep``.

In a ``Job`` no document disappears: a rule marks it, every later rule passes it on, the sink writes it where it
belongs and gives every one a row in the ledger. That is why rows in equal rows out, by construction. In a datatrove
pipeline of somebody else the same steps do what datatrove's do: a document that is not kept goes no further, and the
statistics count it by its reason.

An exception in a rule costs its record, never the task; but what concerns all records (``LlamaDataError``: a model
that does not fit; ``OSError``: a disk that is full, a store that does not answer; ``ImportError``: a package that is
not there) ends the task, which is run again.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from inspect import isgeneratorfunction

from datatrove.pipeline.base import PipelineStep  # type: ignore[import-untyped]
from datatrove.utils.logging import logger  # type: ignore[import-untyped]
from datatrove.utils.stats import MetricStats  # type: ignore[import-untyped]

from llama_data.pipeline.core.document import MAX_LINES, Document, fail, is_open, new_document, reject
from llama_data.pipeline.core.errors import LlamaDataError, RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.ledger import count_lines
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.step_time import timed
from llama_data.pipeline.core.utf8_document import utf8_of
from llama_data.pipeline.core.whereabouts import at, counts

BATCH_BYTES = 1 << 19
BATCH_DOCUMENTS = 1024
_ENDS_THE_TASK = (LlamaDataError, OSError, MemoryError, ImportError)


class Step(PipelineStep):  # type: ignore[misc]
    """A step of ours: a plain name, counted by datatrove's statistics.

    ``splits``: the input that the step reads by itself. ``files``: what its decisions depend on besides, models and
    lists; a result is made anew when their content changes. ``leaves``: how the notes of its tasks about the files
    they have written begin (``core.written``); None: it writes nothing that stays. ``accountable``: whether documents
    that are not kept travel on, marked; a ``Job`` sets it for all its steps. ``last``: whether it ends a ``Job``.
    """

    type = "llama-data"
    splits: tuple[Split, ...] = ()
    files: tuple[str, ...] = ()
    leaves: str | None = None
    accountable = False
    last = False

    def __init__(self) -> None:
        super().__init__()

    def __call__(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Run a task; in a ``Job`` the step's own seconds become datatrove's ``time_stats``."""
        # In a pipeline of somebody else what stands before it cannot be told apart; what is no generator hands through.
        if not self.accountable or not isgeneratorfunction(type(self).run):
            return self._run(rank, world_size, data)
        return timed(partial(self._run, rank, world_size), data, self.stats.time_stats.update, last=self.last)

    def _run(self, rank: int, world_size: int, data: Iterable[Document] | None) -> Iterator[Document]:
        found: Iterator[Document] = self.run(data, rank, world_size)
        return found

    def __repr__(self) -> str:
        return str(self.name)

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the statistics as many documents for each label: the same as ``stat_update`` for each of them."""
        for label, n in counts.items():
            self.stats[label] += MetricStats(total=n, n=n, mean=1.0, min=1, max=1)

    def travels(self, doc: Document) -> bool:
        """True when the step passes the document on: it is open, or every record is accounted for."""
        return self.accountable or is_open(doc)


class Reader(Step):
    """Turns splits of raw dumps into documents.

    ``tasks``: the splits that each task reads, where several share one; else every one of ``splits`` is a task's.
    """

    name = "read"

    def __init__(
        self, *, splits: Sequence[Split] = (), tasks: Sequence[Sequence[Split]] | None = None, domain: str
    ) -> None:
        super().__init__()
        self.tasks = tuple(map(tuple, [[split] for split in splits] if tasks is None else tasks))
        self.splits = tuple(split for task in self.tasks for split in task)
        self.domain = domain

    @abstractmethod
    def read(self, split: Split) -> Iterator[Document]:
        """Yield a document for every record of the split, damaged ones as ``self.failed(...)``."""

    def task_splits(self, rank: int, world_size: int) -> Sequence[Split]:
        """The splits of every ``world_size``-th task from ``rank`` on: with as many as there are tasks, of one."""
        return [split for task in self.tasks[rank::world_size] for split in task]

    def failed(self, split: Split, *, key: str | int, reason: Reason, detail: str = "") -> Document:
        """The document of a record that cannot be read; ``key`` is its offset or name in the file."""
        source = f"{split.name}#{key}"
        doc = new_document(domain=self.domain, id=f"{self.domain}/{source}", text="", source=source)
        fail(doc, reason, self.name, detail)
        return doc

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yield the documents of this task's splits, with the length of the text as it was read."""
        if data:
            yield from data
        for split in self.task_splits(rank, world_size):
            at(split.name)
            for doc in self._read(split):
                at(doc.id)
                counts.records += 1
                if doc.chars_in is None:
                    doc.chars_in = len(doc.text)
                if doc.lines_in is None:
                    doc.lines_in = count_lines(doc.text)
                if doc.lines_in > MAX_LINES and is_open(doc):
                    detail = f"{doc.lines_in} lines, more than the limit of {MAX_LINES}"
                    fail(doc, Reason.too_complex, self.name, detail)
                if self.travels(doc):
                    yield doc
            counts.bytes += split.size

    def _read(self, split: Split) -> Iterator[Document]:
        """``read``; what breaks the reader costs what follows in the split, and is a row."""
        records = 0
        try:
            for doc in self.read(split):
                records += 1
                yield doc
        except _ENDS_THE_TASK:
            raise
        except Exception as error:
            logger.opt(exception=True).error(f"{self.name}: {split.name} after {records} records")
            detail = f"after {records} records: {describe(error)}; what follows was not read"
            yield self.failed(split, key=f"after-{records}", reason=Reason.broken_reader, detail=detail)


class Rule(Step):
    """One decision about a document; may also edit its text and metadata."""

    @abstractmethod
    def judge(self, doc: Document) -> Reason | str | None:
        """Return why the document is rejected (a ``Reason``, or a lower-case noun of your own), or None to keep it."""

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Judge the documents that are still open."""
        reasons: Counter[str] = Counter()
        for doc in data:
            if is_open(doc):
                self.settle(doc, reasons)
            if self.travels(doc):
                yield doc
        self.count(reasons)

    def settle(self, doc: Document, reasons: Counter[str]) -> None:
        """Judge one open document, mark it when it is not kept, and count why."""
        try:
            reason = _checked(self.judge(doc))
        except _ENDS_THE_TASK:
            raise
        except RecordError as error:
            fail(doc, error.reason, self.name, error.detail)
        except Exception as error:
            logger.opt(exception=True).error(f"{self.name}: {doc.id}")
            fail(doc, Reason.broken_step, self.name, describe(error))
            reasons[str(Reason.broken_step)] += 1
        else:
            if reason is not None:
                reject(doc, reason, self.name)
                reasons[str(reason)] += 1


class BatchRule(Rule):
    """A ``Rule`` that judges many documents in one call (``judge_all``), for models that are faster that way.

    The order of the documents stays. When ``judge_all`` breaks on a batch, its documents are judged one by one.
    """

    @abstractmethod
    def judge_all(self, docs: Sequence[Document]) -> Sequence[Reason | str | None]:
        """For each document why it is rejected, or None to keep it."""

    def judge(self, doc: Document) -> Reason | str | None:
        """Return why the document is rejected, or None to keep it."""
        return self.judge_all([doc])[0]

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Judge the open documents batch by batch."""
        docs: list[Document] = []
        opened: list[Document] = []
        size = 0
        for doc in data:
            docs.append(doc)
            if is_open(doc):
                opened.append(doc)
                size += len(utf8_of(doc))
            if size >= BATCH_BYTES or len(docs) >= BATCH_DOCUMENTS:
                self._settle_all(opened)
                yield from filter(self.travels, docs)
                docs, opened, size = [], [], 0
        self._settle_all(opened)
        yield from filter(self.travels, docs)

    def _settle_all(self, opened: list[Document]) -> None:
        """Judge open documents and mark those that go."""
        reasons: Counter[str] = Counter()
        try:
            found = [_checked(reason) for reason in self.judge_all(opened)] if opened else []
        except _ENDS_THE_TASK:
            raise
        except Exception:
            for doc in opened:
                self.settle(doc, reasons)
        else:
            for doc, reason in zip(opened, found, strict=True):
                if reason is not None:
                    reject(doc, reason, self.name)
                    reasons[str(reason)] += 1
        self.count(reasons)


def _checked(reason: Reason | str | None) -> Reason | str | None:
    """What a rule has decided. Raises TypeError when it is none of what a rule may say, such as True for "keep"."""
    if reason is not None and not (isinstance(reason, str) and reason):
        raise TypeError(f"expected a reason or None from the rule, found {reason!r}")
    return reason


def describe(error: BaseException) -> str:
    """An exception on one line: its type and what it says, at most 500 characters."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
