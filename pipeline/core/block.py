"""The contract of a stage's steps, over datatrove's ``PipelineStep``.

A document never disappears from the stream: a rule marks it, the sink writes it where it belongs and gives
every one a row in the ledger. That is why rows in equal rows out, by construction.
"""

from __future__ import annotations

import gc
import hashlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from datatrove.pipeline.base import PipelineStep  # type: ignore[import-untyped]
from datatrove.utils.stats import MetricStats  # type: ignore[import-untyped]

from llama_data.pipeline.core.document import (
    Document,
    fail,
    is_open,
    new_document,
    public_metadata,
    reject,
    verdict,
)
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import JsonlWriter, Split, join
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.ledger import CHARS_IN, LINES_IN, LedgerWriter, count_lines
from llama_data.pipeline.core.reasons import Reason


class Step(PipelineStep):  # type: ignore[misc]
    """A step of ours: a plain name, counted by datatrove's statistics."""

    type = "llama-data"

    def __init__(self) -> None:
        super().__init__()

    def __repr__(self) -> str:
        return str(self.name)

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the statistics as many documents for each label: the same as ``stat_update`` for each of them."""
        for label, n in counts.items():
            self.stats[label] += MetricStats(total=n, n=n, mean=1.0, min=1, max=1)


class Reader(Step):
    """Turns splits of raw dumps into documents; a task takes every ``world_size``-th split from its rank on."""

    name = "read"

    def __init__(self, *, splits: Sequence[Split], domain: str) -> None:
        super().__init__()
        self.splits = tuple(splits)
        self.domain = domain

    @abstractmethod
    def read(self, split: Split) -> Iterator[Document]:
        """Yield a document for every record of the split, damaged ones as ``self.failed(...)``."""

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
        for split in self.splits[rank::world_size]:
            for doc in self.read(split):
                if CHARS_IN not in doc.metadata:
                    doc.metadata[CHARS_IN] = len(doc.text)
                if LINES_IN not in doc.metadata:
                    doc.metadata[LINES_IN] = count_lines(doc.text)
                yield doc


class Rule(Step):
    """One decision about a document; may also edit its text and metadata."""

    @abstractmethod
    def judge(self, doc: Document) -> Reason | None:
        """Return why the document is rejected, or None to keep it."""

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Judge the documents that are still open and pass every one on."""
        reasons: Counter[str] = Counter()
        for doc in data:
            if is_open(doc):
                try:
                    reason = self.judge(doc)
                except RecordError as error:
                    fail(doc, error.reason, self.name, error.detail)
                else:
                    if reason is not None:
                        reject(doc, reason, self.name)
                        reasons[str(reason)] += 1
            yield doc
        self.count(reasons)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for garbage in cycles a hundred times more rarely: documents make none, and every search walks the heap."""
    before = gc.get_threshold()
    gc.set_threshold(100 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Sink(Step):
    """The end of every domain's last job: documents, ledger, and a seeded sample of the rejected texts."""

    name = "write"

    def __init__(self, *, run: RunContext, domain: str, columns: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.context = run
        self.domain = domain
        self.columns = dict(columns or {})

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's three files. Yields nothing."""
        context, name = self.context, f"{rank:05d}"
        outcomes: Counter[str] = Counter()
        with (
            _few_collections(),
            JsonlWriter(join(context.documents(self.domain), name + ".jsonl.zst")) as documents,
            JsonlWriter(join(context.rejected(self.domain), name + ".jsonl.zst")) as rejected,
            LedgerWriter(join(context.ledger(self.domain), name + ".parquet"), self.columns) as ledger,
        ):
            for doc in data:
                ledger.add(doc)
                found = verdict(doc)
                outcomes["kept" if found is None else str(found.outcome)] += 1
                if found is None:
                    documents.write({"id": doc.id, "text": doc.text, "metadata": public_metadata(doc)})
                elif self._sampled(doc.id):
                    metadata = {**public_metadata(doc), "reason": str(found.reason), "step": found.step}
                    rejected.write({"id": doc.id, "text": doc.text, "metadata": metadata})
        self.count(outcomes)
        yield from ()

    def _sampled(self, id: str) -> bool:
        """True for the share of ids that the recipe keeps, chosen by a hash of seed and id."""
        digest = hashlib.blake2b(f"{self.context.seed}:{id}".encode("utf-8", "surrogatepass"), digest_size=8)
        return int.from_bytes(digest.digest(), "little") < self.context.rejected_sample * 2**64
