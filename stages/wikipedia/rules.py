"""Decisions about pages: which are articles in a chosen language, and what their text is."""

from __future__ import annotations

from typing import Literal

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document, note
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.wikipedia.languages import REDIRECT, is_disambiguation
from llama_data.stages.wikipedia.reader import Page
from llama_data.stages.wikipedia.wikitext import clean

TitlePlace = Literal["drop", "first_line"]


class SelectArticles(Rule):
    """Keep articles (namespace 0, no redirects) of the chosen languages: LLaMA names twenty (section 2.1).

    ``disambiguation``: whether pages that only tell similar names apart are kept; LLaMA's recipe does not
    drop them.
    """

    name = "select_articles"

    def __init__(self, *, languages: tuple[str, ...] | None, disambiguation: bool = True) -> None:
        super().__init__()
        self.languages = None if languages is None else frozenset(languages)
        self.disambiguation = disambiguation

    def judge(self, doc: Document) -> Reason | None:
        """The reason why the page is no article of ours, or None."""
        page = Page.of(doc)
        if self.languages is not None and page.metadata["language"] not in self.languages:
            return Reason.language_not_chosen
        if page.namespace != "0":
            return Reason.other_namespace
        if page.redirect or REDIRECT.match(doc.text):
            return Reason.redirect
        if page.model != "wikitext":
            return Reason.wrong_format
        if not doc.text.strip():
            return Reason.empty_text
        if not self.disambiguation and is_disambiguation(doc.text):
            return Reason.disambiguation
        return None


class CleanWikitext(Rule):
    """Replace wikitext by its running text (LLaMA: "remove hyperlinks, comments and other formatting boilerplate").

    Notes ``templates_unknown`` and ``too_deep``: how many templates inside lines were dropped because nothing here
    knows them, and how many brackets because they are nested too deeply. Pages longer than
    ``max_page_chars`` are rejected: no article of the public Wikipedias is (MediaWiki's own limit is 2 MiB).
    """

    name = "clean_wikitext"

    def __init__(self, *, title: TitlePlace = "drop", min_chars: int = 1, max_page_chars: int = 4 << 20) -> None:
        super().__init__()
        self.title = title
        self.min_chars = min_chars
        self.max_page_chars = max_page_chars

    def judge(self, doc: Document) -> Reason | None:
        """Clean the text; the reason to reject it when nothing or too little is left."""
        if len(doc.text) > self.max_page_chars:
            return Reason.too_complex
        title = doc.metadata["title"]
        hidden = Page.of(doc).hidden_prefixes
        cleaned = clean(doc.text, title=title, language=doc.metadata["language"], hidden_prefixes=hidden)
        note(doc, templates_unknown=cleaned.unknown_templates, too_deep=cleaned.too_deep)
        if not cleaned.text:
            return Reason.empty_after_cleaning
        if len(cleaned.text) < self.min_chars:
            return Reason.too_short
        doc.text = f"{title}\n\n{cleaned.text}" if self.title == "first_line" else cleaned.text
        return None
