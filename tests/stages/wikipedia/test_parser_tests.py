"""MediaWiki's own parser tests, from a folder that ``MEDIAWIKI_PARSER_TESTS`` names (tests/parser of its repository).

What a case shows on the page and what is left of its wikitext must hold the same words. The names of the cases that
hold today are in parser_tests.txt; none of them may be lost. The cases themselves are not part of this project.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest

from llama_data.stages.wikipedia.wikitext import clean

VARIABLE = "MEDIAWIKI_PARSER_TESTS"
KNOWN = Path(__file__).with_name("parser_tests.txt")

FILES = (
    "badCharacters", "catAndLangLinks", "comments", "definitionLists", "extLinks", "fuzzTests", "headings", "indentPre",
    "interwikiLinks", "magicLinks", "magicWords", "mediaLinks", "pWrapping", "parserTests", "preTags", "preprocessor",
    "quotes", "regressions", "sanitizer", "separatorTests", "tables", "tokenStreamPatcher", "treeBuilder", "wikiLinks",
    "wtEscaping",
)  # fmt: skip
PAGE_SECTIONS = ("wikitext", "input")
HTML_SECTIONS = ("html/php", "html", "html/*", "result", "html/parsoid")

_NO_PAGE = re.compile(r"\b(?:pst|msg|cat|ill|comment|title|section=|replace=|preload|disabled|showtitle|extension)\b")
# What this project drops by design, or what needs a wiki: templates, files, other languages, links that get numbers.
_NOT_OURS = (
    re.compile(r"\{\{|include(?:only)?>|<(?:tag|html|x|\w*tag|aside|i18ntag|style|script)\b", re.IGNORECASE),
    re.compile(r"\[\[ *:?(?:File|Image|Media)\b|\[(?:https?|ftp|irc|mailto|//)[^\s\]]*\]", re.IGNORECASE),
    re.compile(r"\s*#\S*REDIR", re.IGNORECASE),
)
_HIDDEN = frozenset({"table", "figure", "style", "script"})
_NESTING = frozenset({*_HIDDEN, "div", "span"})
_BLOCKS = frozenset(
    {
        "p",
        "div",
        "li",
        "br",
        "dd",
        "dt",
        "dl",
        "ul",
        "ol",
        "hr",
        "pre",
        "td",
        "th",
        "tr",
        *(f"h{n}" for n in range(1, 7)),
    }
)
_MARKS = ("[[", "]]", "{{", "}}", "''", "<!--", "-->", "</", "{|", "|}", "==", "__")


class Case(NamedTuple):
    """One case: its file and name, its wikitext, and the HTML that MediaWiki makes of it."""

    name: str
    wikitext: str
    html: str


class Shown(HTMLParser):
    """The text that a page shows, without tables, pictures and the interface."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        hides = tag in _HIDDEN or "mw-editsection" in classes or "toc" in classes
        if hides or (self._hidden and tag in _NESTING):
            self._hidden.append(tag)
        if tag in _BLOCKS:
            self.text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and self._hidden[-1] == tag:
            self._hidden.pop()
        if tag in _BLOCKS:
            self.text.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text.append(data)


def cases(folder: Path) -> Iterator[Case]:
    """The cases about running text; a name that comes again in its file gets a number."""
    for stem in FILES:
        path = folder / f"{stem}.txt"
        if not path.exists():
            continue
        seen: Counter[str] = Counter()
        for block in re.split(r"^!! *test[ \t]*$", path.read_text("utf-8", "surrogatepass"), flags=re.MULTILINE)[1:]:
            body = re.split(r"^!! *end[ \t]*$", block, maxsplit=1, flags=re.MULTILINE)[0]
            title, *parts = re.split(r"^!! *([\w/+*-]+)[ \t]*\n", body, flags=re.MULTILINE)
            sections = {name.lower(): text for name, text in zip(parts[::2], parts[1::2], strict=True)}
            name = f"{stem}: {' '.join(title.split())}"
            seen[name] += 1
            wikitext = next((sections[key] for key in PAGE_SECTIONS if key in sections), None)
            html = next((sections[key] for key in HTML_SECTIONS if key in sections), None)
            options = sections.get("options", "")
            if wikitext is None or html is None or _NO_PAGE.search(options) or "language=" in options:
                continue
            if not any(pattern.search(wikitext) for pattern in _NOT_OURS):
                yield Case(name if seen[name] == 1 else f"{name} ({seen[name]})", wikitext.rstrip("\n"), html)


def holds(case: Case) -> bool:
    """True when our text has the words of the page and no more; the numbers of list items are ours."""
    page = Shown()
    page.feed(case.html)
    page.close()
    wanted = "".join(page.text)
    text = clean(case.wikitext, title="Test").text
    missing, more = (Counter(re.findall(r"\w+", part)) for part in (wanted, text))
    extra = [word for word in (more - missing) if not word.isdigit()]
    marks = [mark for mark in _MARKS if text.count(mark) > wanted.count(mark)]
    return not (missing - more) and not extra and not marks


@pytest.fixture(scope="module")
def folder() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"no folder of MediaWiki's parser tests: set {VARIABLE} to run this test")
    return Path(named)


def test_no_case_of_mediawikis_own_tests_is_lost(folder: Path) -> None:
    known = set(KNOWN.read_text("utf-8").splitlines())
    found = {case.name: holds(case) for case in cases(folder) if case.name in known}
    assert len(found) > 0.9 * len(known), "the folder holds too few of the cases that are known by name"
    assert [name for name, sound in found.items() if not sound] == []


def test_the_comparison_can_fail() -> None:
    sound = Case(
        "a", "a [[b]] ''c''\n# d", "<p>a <a>b</a> <i>c</i></p><ol><li>d</li></ol><table><tr><td>e</td></table>"
    )
    assert holds(sound)
    assert not holds(sound._replace(html="<p>a b c e</p><p>d</p>"))
    assert not holds(sound._replace(html="<p>a b c</p>"))
    assert not holds(Case("b", "a <nowiki>[[b]]</nowiki>", "<p>a b</p>"))
