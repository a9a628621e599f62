"""Wikitext to plain text: one linear pass over matched brackets, then one over the lines.

Brackets are matched once for the whole page, so a template that is dropped is stepped over without being
looked at, and an unclosed one costs what follows on its line. Nothing here backtracks or searches twice, so a
page's time grows with its length only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from llama_data.stages.wikipedia.inline import strip_inline
from llama_data.stages.wikipedia.languages import CATEGORY_NAMES, FILE_NAMES, INTERWIKI, without_pointers
from llama_data.stages.wikipedia.opaque import GAP, Stash, set_aside
from llama_data.stages.wikipedia.sections import assemble
from llama_data.stages.wikipedia.templates.call import Part
from llama_data.stages.wikipedia.templates.definitions import Definitions
from llama_data.stages.wikipedia.templates.expander import Renderer

MAX_DEPTH = 40

_BRACKETS = re.compile(r"\{\{|\}\}|\[\[|\]\]")
_MARKS = re.compile(r"\{\{|\[\[|\]\]|\}\}|^[ \t:*#;]*\{\|", re.MULTILINE)
_TABLE_EDGE = re.compile(r"^[ \t:*#;]*\{\||^[ \t]*\|\}(?!\})", re.MULTILINE)
_SPLIT = re.compile(r"\{\{|\[\[|\||=|^[ \t:*#;]*\{\|", re.MULTILINE)
_PARAMETER = re.compile(r"\{\{\{[^{}|]*(?:\|([^{}]*))?\}\}\}")
_HEADING_LINE = re.compile(r"^=.*=[ \t]*$", re.MULTILINE)
_UNCLOSED = re.compile(r"\{\{[^{}\n]*\}?")
_LOOSE_ARGUMENTS = re.compile(r"(?:\w?cite \w+ ?)?\|[ ]*[a-z][a-z-]{1,20}[ ]*=")
_ITEM_START = re.compile(r"(?:\A|\n)[*#:; ]{1,8}\Z")
_ITEM_END = re.compile(r"[ .,;]{0,4}(?:\n|\Z|\{\{)")
_NAME = re.compile(r"\{\{([^|{}\[\]<>]*)")


class Cleaned(NamedTuple):
    """A page's text; how many templates within lines are unknown, and how many brackets were dropped because they are
    nested too deeply; the unknown ones by name, and those of them in whose place nothing stands."""

    text: str
    unknown_templates: int
    too_deep: int
    unknown_names: Mapping[str, int]
    lost_names: Mapping[str, int]


_HIDDEN = FILE_NAMES | CATEGORY_NAMES | INTERWIKI


def clean(
    wikitext: str,
    *,
    title: str = "",
    language: str = "en",
    hidden_prefixes: frozenset[str] = frozenset(),
    definitions: Definitions | None = None,
) -> Cleaned:
    """The running text of a page. ``hidden_prefixes``: further prefixes of links that show nothing, in lower case.

    ``definitions``: what the wiki's own templates show, for those that the built-in tables do not know.
    """
    prepared, stash = set_aside(wikitext)
    for _ in range(3):
        if "{{{" not in prepared:
            break
        prepared = _PARAMETER.sub(lambda found: found.group(1) or GAP, prepared)
    prepared = without_pointers(prepared, language)
    page = _Page.of(prepared, stash, title, language, _HIDDEN | hidden_prefixes, definitions)
    text = strip_inline(page.expand(0, len(prepared), 0))
    text = assemble(text, language)
    text = stash.restore(text).strip()
    shown = page.templates
    return Cleaned(text, shown.unknown.total(), page.too_deep, dict(shown.unknown), dict(shown.lost))


class _Page:
    def __init__(self, text: str, hidden: frozenset[str], templates: Renderer) -> None:
        self.text = text
        self.hidden = hidden
        self.templates = templates
        self.too_deep = 0
        self.ends = match_brackets(text)
        self.tables = match_tables(text)

    @classmethod
    def of(
        cls,
        text: str,
        stash: Stash,
        title: str,
        language: str,
        hidden: frozenset[str],
        definitions: Definitions | None,
    ) -> Self:
        """The page itself. What its templates show are pages of their own, without templates."""

        def resolve(shown: str) -> str:
            return cls(shown, hidden, templates).expand(0, len(shown), 0)

        templates = Renderer(language=language, title=title, definitions=definitions, keep=stash.keep, resolve=resolve)
        return cls(text, hidden, templates)

    def expand(self, start: int, end: int, depth: int) -> str:
        """The text between two offsets with links, templates and tables replaced."""
        text, out, position = self.text, [], start
        if depth > MAX_DEPTH:
            self.too_deep += 1
            return GAP
        while True:
            found = _MARKS.search(text, position, end)
            if not found:
                break
            at = found.start()
            out.append(text[position:at])
            mark = found.group()
            if mark == "{{":
                position = self._template(at, end, depth, out)
            elif mark == "[[":
                position = self._link(at, end, depth, out)
            elif mark in ("]]", "}}"):
                if mark == "}}":
                    out.append(_cut_arguments(out.pop()) + GAP)
                position = found.end()
            else:
                position = min(self.tables.get(at, found.end()), end)
                out.append(GAP + "\n" if position < end else GAP)
        out.append(text[position:end])
        return "".join(out)

    def _template(self, at: int, end: int, depth: int, out: list[str]) -> int:
        stop = self.ends.get(at)
        if stop is None or stop > end:
            found = _UNCLOSED.match(self.text, at, end)
            out.append(GAP)
            return found.end() if found else at + 2
        name, parts = self._name(at, stop, depth)
        call = self.templates.call(name, lambda: parts or self._parts(at + 2, stop - 2, depth + 1))
        in_line = self._in_a_line(at, stop)
        shown = self.templates.show(call, in_line=in_line, alone=in_line and self._alone_in_an_item(at, stop))
        out.append(shown or GAP)
        return stop

    def _name(self, at: int, stop: int, depth: int) -> tuple[str, list[Part]]:
        """What stands before the first bar, expanded when another template is part of it; then the parts, too."""
        found = _NAME.match(self.text, at, stop - 2)
        end = found.end() if found else at + 2
        if self.text.startswith("{{", end) and ":" not in self.text[at:end]:
            parts = self._parts(at + 2, stop - 2, depth + 1)
            return parts[0].whole(), parts
        return self.text[at + 2 : end], []

    def _in_a_line(self, at: int, stop: int) -> bool:
        """True when there is text beside the template, so that something may be missing from a sentence."""
        before, after = self.text[at - 1 : at], self.text[stop : stop + 1]
        return before not in ("", "\n", "*", "}") or after not in ("", "\n", "{")

    def _alone_in_an_item(self, at: int, stop: int) -> bool:
        """True when the template is all that its list item holds: a source, a link, a name."""
        return bool(_ITEM_START.search(self.text, max(0, at - 8), at) and _ITEM_END.match(self.text, stop))

    def _pieces(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """Split at the top-level bars: (start, end, offset of the first top-level ``=`` or -1)."""
        pieces: list[tuple[int, int, int]] = []
        begin, equals, position = start, -1, start
        while True:
            found = _SPLIT.search(self.text, position, end)
            if not found:
                break
            mark, at = found.group(), found.start()
            position = found.end()
            if mark == "|":
                pieces.append((begin, at, equals))
                begin, equals = position, -1
            elif mark == "=":
                equals = at if equals < 0 else equals
            elif mark in ("{{", "[["):
                position = min(self.ends.get(at, position), end)
            else:
                position = min(self.tables.get(at, position), end)
        pieces.append((begin, end, equals))
        return pieces

    def _parts(self, start: int, end: int, depth: int) -> list[Part]:
        """The parts of a call, with that of its name."""
        first, *others = self._pieces(start, end)
        return [_Part(self, first[0], first[1], -1, depth), *[_Part(self, *piece, depth) for piece in others]]

    def _link(self, at: int, end: int, depth: int, out: list[str]) -> int:
        stop = self.ends.get(at)
        if stop is None or stop > end:
            return at + 2
        inner = self.text[at + 2 : stop - 2]
        bar = inner.find("|")
        target = (inner if bar < 0 else inner[:bar]).strip()
        prefix = target.split(":", 1)[0].strip().casefold() if ":" in target else ""
        if prefix and prefix in self.hidden:
            out.append(GAP)
        elif bar < 0:
            shown = self.expand(at + 2, stop - 2, depth + 1).lstrip(" :")
            out.append(shown.partition("|")[2] or shown if "{{" in inner else shown)
        else:
            pieces = self._pieces(at + 2, stop - 2)
            label_start = pieces[1][0] if len(pieces) > 1 else at + 2
            label = self.expand(label_start, stop - 2, depth + 1)
            out.append(label if label.strip() else target.split("#", 1)[0].lstrip(":"))
        return stop


class _Part(Part):
    """A part of a call on the page: the text between two offsets, with that of its first ``=`` or -1."""

    __slots__ = ("_depth", "_end", "_equals", "_page", "_start", "named")

    def __init__(self, page: _Page, start: int, end: int, equals: int, depth: int) -> None:
        super().__init__()
        self._page = page
        self._start = start
        self._end = end
        self._equals = equals
        self._depth = depth
        self.named = equals >= 0

    def read_name(self) -> str:
        return self._page.expand(self._start, self._equals, self._depth)

    def read_value(self) -> str:
        return self._page.expand(self._equals + 1 if self.named else self._start, self._end, self._depth)

    def read_whole(self) -> str:
        return self._page.expand(self._start, self._end, self._depth)


def _cut_arguments(text: str) -> str:
    """What is left of a line when the arguments of a template that was never opened are cut off its end."""
    start = text.rfind("\n") + 1
    found = _LOOSE_ARGUMENTS.search(text, start)
    return text[: found.start()] if found else text


def match_brackets(text: str) -> dict[int, int]:
    """Offsets of ``{{`` and ``[[`` with the offset after the bracket that closes each; unclosed ones are absent."""
    ends: dict[int, int] = {}
    stack: list[tuple[str, int]] = []
    open_templates = 0
    for found in _BRACKETS.finditer(text):
        mark = found.group()
        if mark == "{{":
            stack.append((mark, found.start()))
            open_templates += 1
        elif mark == "[[":
            stack.append((mark, found.start()))
        elif mark == "]]":
            if stack and stack[-1][0] == "[[":
                ends[stack.pop()[1]] = found.end()
        elif open_templates:
            while stack[-1][0] == "[[":
                stack.pop()
            ends[stack.pop()[1]] = found.end()
            open_templates -= 1
    return ends


def match_tables(text: str) -> dict[int, int]:
    """Offsets at which a table's opening line begins, with the offset after the table.

    An unclosed table ends at the next heading or at the end of the page.
    """
    if "{|" not in text:
        return {}
    ends: dict[int, int] = {}
    stack: list[int] = []
    for found in _TABLE_EDGE.finditer(text):
        if found.group().endswith("{|"):
            stack.append(found.start())
        elif stack:
            ends[stack.pop()] = found.end()
    following = len(text)
    headings = [found.start() for found in _HEADING_LINE.finditer(text)] if stack else []
    for at in reversed(stack):
        while headings and headings[-1] > at:
            following = headings.pop()
        ends[at] = following
    return ends
