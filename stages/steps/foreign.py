"""datatrove's filters and formatters as rules: same decisions, and a row in the ledger for what goes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

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
        # A filter answers whether it keeps the document, or that with a reason.
        found = [
            result if isinstance(result, tuple) else (result, None) for result in self.inner.filter_batch(list(docs))
        ]
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


def wrapper_of(step: type) -> type[Filter] | type[Formatter] | None:
    """What makes a rule of datatrove's filters or formatters; None for any other class."""
    # Not at the top: datatrove's packages import all their members, which need packages that are extras of datatrove.
    # A class that is one of them has brought them in already.
    with suppress(ImportError):
        from datatrove.pipeline.filters.base_filter import BaseFilter  # type: ignore[import-untyped]

        if issubclass(step, BaseFilter):
            return Filter
    with suppress(ImportError):
        from datatrove.pipeline.formatters.base import BaseFormatter  # type: ignore[import-untyped]

        if issubclass(step, BaseFormatter):
            return Formatter
    return None
