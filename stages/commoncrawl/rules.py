"""CCNet's decisions about one page."""

from __future__ import annotations

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import characters_of

MIN_CHARACTERS = 300


class MinimumLength(Rule):
    """Rejects pages of fewer characters than the minimum, counted before dedup and without the title.

    Source: CCNet, cc_net/mine.py ``min_len`` (300). Unit: characters, newlines included.
    """

    name = "minimum_length"

    def __init__(self, *, minimum: int = MIN_CHARACTERS) -> None:
        super().__init__()
        self.minimum = minimum

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when the page is too short."""
        return Reason.too_short if characters_of(doc) < self.minimum else None
