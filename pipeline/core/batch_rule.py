"""A rule that judges many documents in one call, for models that are faster that way."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document, is_open, reject
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import utf8_of

BATCH_BYTES = 1 << 19
BATCH_DOCUMENTS = 1024


class BatchRule(Rule):
    """A ``Rule`` whose subclass implements ``judge_all``; the order of the documents stays."""

    @abstractmethod
    def judge_all(self, docs: Sequence[Document]) -> Sequence[Reason | None]:
        """For each document why it is rejected, or None to keep it."""

    def judge(self, doc: Document) -> Reason | None:
        """Return why the document is rejected, or None to keep it."""
        return self.judge_all([doc])[0]

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Judge the open documents batch by batch and pass every document on."""
        docs: list[Document] = []
        opened: list[Document] = []
        size = 0
        for doc in data:
            docs.append(doc)
            if is_open(doc):
                opened.append(doc)
                size += len(utf8_of(doc))
            if size >= BATCH_BYTES or len(docs) >= BATCH_DOCUMENTS:
                self._judge(opened)
                yield from docs
                docs, opened, size = [], [], 0
        self._judge(opened)
        yield from docs

    def _judge(self, opened: list[Document]) -> None:
        """Judge open documents and mark those that go."""
        reasons: Counter[str] = Counter()
        for doc, reason in zip(opened, self.judge_all(opened) if opened else (), strict=True):
            if reason is not None:
                reject(doc, reason, self.name)
                reasons[str(reason)] += 1
        self.count(reasons)
