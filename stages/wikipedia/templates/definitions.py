"""What the pages of a dump's Template namespace define: which are worth keeping, and as what.

A definition is a redirect, a text to expand, or the knowledge that the template is a box and shows nothing of
the running text. What only calls a Lua module is not kept: its output cannot be told from here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from llama_data.stages.wikipedia.languages import REDIRECT
from llama_data.stages.wikipedia.templates.call import title_of
from llama_data.stages.wikipedia.templates.functions import shows_an_argument
from llama_data.stages.wikipedia.templates.preprocessor import Node, parse, transcluded

MAX_BODY = 64 << 10
"""Characters of the longest definition that is kept; longer ones are tables of data."""

MAX_REDIRECTS = 3
_CACHED = 4096

_TARGET = re.compile(r"\[\[\s*:?([^\[\]|#<>]{1,255})")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HELPERS = re.compile(
    r"/(?:doc|docs|dok|doku|documentation|documentación|documentação|documentació|sandbox|testcases|test|tests|meta|"
    r"xml|man|doc/.*|styles\.css|.*\.css|документация|док|документ|тест|песочница|preload|editintro|bac à sable|"
    r"zona de pruebas|zelfstudie|opis|kladblok|uitleg)$",
    re.IGNORECASE,
)
_BOX = re.compile(
    r"\s*(?:\{\||<table\b|:*\{\|)|\s*\{\{\s*(?:navbox|infobox|sidebar|[acdfiot]?mbox|asbox|stub|hatnote|navigation|"
    r"navigationsleiste|palette|méta |infoboks|succession|s-start|taxobox|jct|dmbox|navigacija|навигац|карточка|"
    r"картка|инфокутија|bandeau|navegación|ficha|navbar|geobox|navenica|sjabloon navigatie|navigační|nawigacja)",
    re.IGNORECASE,
)
_INVOKE = re.compile(
    r"\s*\{\{\s*(?:\{\{\{[^{}|]{0,8}\|?\s*(?:safe)?(?:subst:)?\s*\}\}\}|safesubst:|<[^<>]*>)*\s*#invoke:([^|{}]*)",
    re.IGNORECASE,
)


class Definition(NamedTuple):
    """A template: another one's title, or the tree of what it shows (without nodes: nothing)."""

    redirect: str
    nodes: tuple[Node, ...]


class Definitions(Protocol):
    """Definitions of one wiki, by ``title_of``."""

    def get(self, title: str) -> Definition | None:
        """The definition of this title; None when there is none that can be expanded."""


def record_of(title: str, wikitext: str, redirect: str = "") -> str | None:
    """What is stored of a page of the Template namespace: ``R`` and a title, ``T`` and a text, or ``N``.

    ``title``: without the namespace. None: the page is no template (documentation, style sheets), or one that is too
    long or only calls a Lua module.
    """
    if _HELPERS.search(title):
        return None
    found = REDIRECT.match(wikitext)
    if redirect or found:
        named = _TARGET.search(wikitext, found.start() if found else 0)
        target = redirect or (named.group(1) if named else "")
        return f"R{title_of(target.partition(':')[2] or target)}" if target else None
    body = transcluded(wikitext)
    if len(body) > MAX_BODY:
        return None
    bare = _COMMENT.sub("", body)
    if not bare.strip() or _BOX.match(bare):
        return "N"
    invoked = _INVOKE.match(bare)
    return None if invoked and not shows_an_argument(invoked.group(1)) else f"T{body}"


def definition_of(record: str) -> Definition:
    """The definition that a record says."""
    if record[:1] == "R":
        return Definition(record[1:], ())
    return Definition("", parse(record[1:]) if record[:1] == "T" else ())


class Records(Protocol):
    """Anything that finds a record by title."""

    def get(self, title: str, /) -> str | None:
        """The record, or None."""


class Cached:
    """Definitions over anything that finds records by title; the trees of those that are used are kept."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[str, Definition | None] = {}

    def get(self, title: str) -> Definition | None:
        """The definition of this title; None when there is none that can be expanded."""
        if title not in self._known:
            if len(self._known) >= _CACHED:
                self._known.clear()
            record = self._records.get(title)
            self._known[title] = None if record is None else definition_of(record)
        return self._known[title]


def from_pages(pages: Mapping[str, str]) -> Cached:
    """Definitions from the wikitext of template pages, by title without the namespace."""
    records = {title_of(title): record_of(title, text) for title, text in pages.items()}
    return Cached({title: record for title, record in records.items() if record is not None})
