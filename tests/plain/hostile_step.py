"""A step of somebody else, whose reason is none that belongs on a screen or a page; ``hostile_run`` names it."""

from __future__ import annotations

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document

REASON = '\x1b[2J\u202e"onload="alert(4)" <script>alert(5)</script>\nkept: 5'


class Judge(Rule):
    """Rejects short texts."""

    name = "judge"

    def judge(self, doc: Document) -> str | None:
        """The reason, for texts of less than 1,000 characters."""
        return REASON if len(doc.text) < 1000 else None
