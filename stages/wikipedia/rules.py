"""Decisions about pages: which are articles in a chosen language, and what their text is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document, note
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.wikipedia.languages import REDIRECT, is_disambiguation
from llama_data.stages.wikipedia.reader import Page
from llama_data.stages.wikipedia.template_pages import definitions_path
from llama_data.stages.wikipedia.templates.definitions import Cached, Definitions
from llama_data.stages.wikipedia.templates.store import StoredRecords, open_records
from llama_data.stages.wikipedia.wikitext import clean

MAX_NAMES = 100
"""Unknown templates of one page that the ledger names, the commonest first."""

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

    ``definitions``: folder with the definitions of the wikis' own templates, a file a language; None: the built-in
    tables alone. Notes ``templates_unknown``: how many templates inside lines nothing here knows, so that their first
    argument stands there when it is text; ``templates_unknown_names``: which, as JSON ``{"Name": count}``;
    ``templates_lost_names``: those in whose place nothing stands; ``too_deep``: how many brackets were dropped because
    they are nested too deeply; ``unclosed_comment``: how many characters stand behind a comment that is never closed,
    which readers of the wiki do not see either. A sentence that introduces a table or a list of templates stays when
    these are dropped: it is the article's, and may say more.

    Pages longer than ``max_page_chars`` are rejected: no article of the public Wikipedias is (MediaWiki's own limit
    is 2 MiB).
    """

    name = "clean_wikitext"

    def __init__(
        self,
        *,
        title: TitlePlace = "drop",
        min_chars: int = 1,
        max_page_chars: int = 4 << 20,
        definitions: str | None = None,
    ) -> None:
        super().__init__()
        self.definitions = definitions
        self._opened: dict[str, Definitions | None] = {}
        self._files: list[StoredRecords] = []
        self.title = title
        self.min_chars = min_chars
        self.max_page_chars = max_page_chars

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Clean the documents that are still open, and close the files of definitions at the end."""
        yield from super().run(data, rank, world_size)
        for file in self._files:
            file.close()
        self._files, self._opened = [], {}

    def judge(self, doc: Document) -> Reason | None:
        """Clean the text; the reason to reject it when nothing or too little is left."""
        if len(doc.text) > self.max_page_chars:
            return Reason.too_complex
        title = doc.metadata["title"]
        hidden = Page.of(doc).hidden_prefixes
        language = doc.metadata["language"]
        cleaned = clean(
            doc.text,
            title=title,
            language=language,
            hidden_prefixes=hidden,
            definitions=self._definitions_of(language),
        )
        note(
            doc,
            templates_unknown=cleaned.unknown_templates,
            templates_unknown_names=_as_json(cleaned.unknown_names),
            templates_lost_names=_as_json(cleaned.lost_names),
            too_deep=cleaned.too_deep,
        )
        if cleaned.unclosed_comment:
            note(doc, unclosed_comment=cleaned.unclosed_comment)
        if not cleaned.text:
            return Reason.empty_after_cleaning
        if len(cleaned.text) < self.min_chars:
            return Reason.too_short
        doc.text = f"{title}\n\n{cleaned.text}" if self.title == "first_line" else cleaned.text
        return None

    def _definitions_of(self, language: str) -> Definitions | None:
        """The definitions of a wiki, opened when its first page comes."""
        if self.definitions is None:
            return None
        if language not in self._opened:
            records = open_records(definitions_path(self.definitions, language))
            self._opened[language] = Cached(records) if records is not None else None
            self._files += [records] if records is not None else []
        return self._opened[language]


def _as_json(names: Mapping[str, int]) -> str | None:
    """Names and counts, the commonest first; None when there are none."""
    ranked = sorted((-count, name) for name, count in names.items() if count)[:MAX_NAMES]
    return json.dumps({name: -count for count, name in ranked}, ensure_ascii=False) if ranked else None
