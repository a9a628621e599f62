"""datatrove's filters and formatters as rules: same decisions, and a row in the ledger for what goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datatrove.pipeline.filters.base_filter import get_filter_result  # type: ignore[import-untyped]

from llama_data.pipeline.core.block import BatchRule, Rule
from llama_data.pipeline.core.document import Document


class Filter(BatchRule):
    """A datatrove filter. What it drops is rejected for the filter's own reason, or as ``filtered`` without one."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner
        self.name = type(inner).__name__

    def judge_all(self, docs: Sequence[Document]) -> list[str | None]:
        """Ask the filter."""
        found = [get_filter_result(result) for result in self.inner.filter_batch(list(docs))]
        return [None if keep else str(reason or "filtered") for keep, reason in found]


class Formatter(Rule):
    """A datatrove formatter, which edits the text and keeps every document."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner
        self.name = type(inner).__name__

    def judge(self, doc: Document) -> None:
        """Put the edited text into the document."""
        doc.text = self.inner.format(doc.text)
