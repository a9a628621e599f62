"""What becomes of a thread: is its site one of those kept, has it answers, and how its text is laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.stackexchange.buckets import count_posts
from llama_data.stages.stackexchange.markup import html_to_text
from llama_data.stages.stackexchange.reader import Thread
from llama_data.stages.stackexchange.sites import chosen_sites

Layout = Literal["llama", "redpajama", "pile"]


class KeepChosenSites(Rule):
    """Keep the sites of the list, and of these the largest by posts (LLaMA paper: the 28 largest)."""

    name = "site"

    def __init__(self, *, folder: str, sites: Sequence[str] | None, largest: int | None) -> None:
        super().__init__()
        self.folder = folder
        self.sites = None if sites is None else tuple(sites)
        self.largest = largest
        self._chosen: frozenset[str] | None = None

    def judge(self, doc: Document) -> Reason | None:
        """Reject a thread of a site that is not kept."""
        if self._chosen is None:
            self._chosen = chosen_sites(count_posts(self.folder), self.sites, self.largest)
        return None if doc.metadata["site"] in self._chosen else Reason.site_not_chosen


class KeepAnswered(Rule):
    """Keep questions that have an answer (the Pile's rule; LLaMA and RedPajama keep all)."""

    name = "answered"

    def judge(self, doc: Document) -> Reason | None:
        """Reject a question without answers."""
        return None if doc.metadata["answer_count"] else Reason.unanswered


class WriteThread(Rule):
    """Remove the HTML tags and lay the thread out as one text. An answer without text (an image) is left out."""

    name = "text"

    def __init__(self, *, layout: Layout, link_targets: bool, struck_out: bool) -> None:
        super().__init__()
        self.layout = layout
        self.link_targets = link_targets
        self.struck_out = struck_out

    def judge(self, doc: Document) -> Reason | None:
        """Set the text; a thread whose question and answers hold no text but the title is still kept."""
        thread = Thread.of(doc)
        base = doc.metadata.get("url", "")
        question, *answers = [
            html_to_text(body, link_targets=self.link_targets, struck_out=self.struck_out, base=base)
            for body in thread.bodies
        ]
        title = " ".join(thread.heading.split())
        doc.text = lay_out(title, question, [answer for answer in answers if answer], self.layout)
        return None


def lay_out(title: str, body: str, answers: Sequence[str], layout: Layout) -> str:
    """One text of a thread.

    ``llama``: ``Q: title``, body and each ``A: answer``, a blank line between them. ``redpajama``:
    ``Q: title body`` and a line ``A: answer`` for each (rp/stack_exchange/post_processing.py). ``pile``: the marks on
    lines of their own (EleutherAI stackexchange-dataset).
    """
    if layout == "redpajama":
        return "\n".join([f"Q: {title} {body}".rstrip(), *(f"A: {answer}" for answer in answers)])
    if layout == "pile":
        parts = ["Q:", title, body]
        for answer in answers:
            parts += ["A:", answer]
    else:
        parts = [f"Q: {title}", body, *(f"A: {answer}" for answer in answers)]
    return "\n\n".join(part for part in parts if part)
