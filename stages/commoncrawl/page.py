"""A page of Common Crawl, and how long CCNet says it is."""

from __future__ import annotations

from typing import Any

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import Utf8Document, characters_of
from llama_data.stages.steps.length import MIN_CHARACTERS


class Page(Utf8Document):
    """A page. ``tail``: how many characters more CCNet counts of it, for the newlines at its end (-1, 0 or 1)."""

    __slots__ = ("tail",)

    def __init__(self, *, id: str, characters: int, metadata: dict[str, Any]) -> None:
        super().__init__(id=id, characters=characters, metadata=metadata)
        self.tail = 0


class MinimumPage(Rule):
    """Rejects pages of fewer characters than the minimum, as CCNet counts them.

    Source: CCNet, cc_net/mine.py ``min_len`` (300) and cc_net/process_wet_file.py: before dedup, without the title,
    newlines included; a page whose last line has no newline counts one all the same.
    """

    name = "minimum_length"

    def __init__(self, *, minimum: int = MIN_CHARACTERS) -> None:
        super().__init__()
        self.minimum = minimum

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when the page is too short."""
        tail = doc.tail if isinstance(doc, Page) else 0
        return Reason.too_short if characters_of(doc) + tail < self.minimum else None
