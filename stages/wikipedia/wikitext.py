"""Wikitext to plain text: one linear pass over matched brackets, then one over the lines.

Brackets are matched once for the whole page, so a template that is dropped is stepped over without being
looked at, and an unclosed one costs what follows on its line. Nothing here backtracks or searches twice, so a
page's time grows with its length only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from llama_data.stages.wikipedia.brackets import match_brackets
from llama_data.stages.wikipedia.inline import strip_inline
from llama_data.stages.wikipedia.languages import CATEGORY_NAMES, FILE_NAMES, INTERWIKI, without_pointers
from llama_data.stages.wikipedia.links import (
    guarded,
    is_address,
    is_file,
    is_title,
    percent_decoded,
    shown_label,
    shown_target,
)
from llama_data.stages.wikipedia.opaque import GAP, NOTHING, Stash, set_aside
from llama_data.stages.wikipedia.sections import assemble
from llama_data.stages.wikipedia.tables import fostered, match_tables, without_open_tables
from llama_data.stages.wikipedia.tags import without_bracketed_attributes
from llama_data.stages.wikipedia.templates.call import Part
from llama_data.stages.wikipedia.templates.definitions import Definitions
from llama_data.stages.wikipedia.templates.expander import Renderer
from llama_data.stages.wikipedia.templates.numbers import apart

MAX_DEPTH = 40

_NEAR = 1000

# What most links are: nothing in the target or the label needs a second look. All marks begin with a character of
# their own, so that the text between them is passed over quickly.
_MARKS = re.compile(
    r"\[\[(?:([^\[\]{}|<>\n%:'/\s\x01-\x05][^\[\]{}|<>\n%:'\x01-\x05]*+)(?:\|([^\[\]{}<>'\x01-\x05]++))?\]\])?+"
    r"|\{\{|\]\]|\}\}|\{\|"
)
_SPLIT = re.compile(r"\{[{|]|\[\[|\||=")
_PARAMETER = re.compile(r"\{\{\{[^{}|]*(?:\|([^{}]*))?\}\}\}")
_UNCLOSED = re.compile(r"\{\{[^{}\n]*+\}?(?:\n[ \t]*+\|[^\n]*+)*+")  # with the arguments on the lines below
_LOOSE_ARGUMENTS = re.compile(r"(?:\w?cite \w+ ?)?\|[ ]*[a-z][a-z-]{1,20}[ ]*=")
_BEFORE_BAR = re.compile(r"[^\[\]{}|<>\n]*+(?=\|)")
_ITEM_START = re.compile(r"(?:\A|\n)[*#:; ]{1,8}\Z")
_ITEM_END = re.compile(r"[ .,;]{0,4}(?:\n|\Z|\{\{)")
_NAME = re.compile(r"\{\{([^|{}\[\]<>]*)")


class Cleaned(NamedTuple):
    """A page's text; how many templates within lines are unknown, and how many brackets were dropped because they are
    nested too deeply; the unknown ones by name, and those of them in whose place nothing stands; how many characters
    stand behind a comment that is never closed."""

    text: str
    unknown_templates: int
    too_deep: int
    unknown_names: Mapping[str, int]
    lost_names: Mapping[str, int]
    unclosed_comment: int


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
    prepared = without_open_tables(without_bracketed_attributes(prepared))
    prepared = without_pointers(prepared, language)
    page = _Page.of(prepared, stash, title, language, _HIDDEN | hidden_prefixes, definitions)
    text = strip_inline(page.expand(0, len(prepared), 0), language)
    text = assemble(text, language)
    text = stash.restore(text).strip()
    shown = page.templates
    return Cleaned(text, shown.unknown.total(), page.too_deep, dict(shown.unknown), dict(shown.lost), stash.hidden)


class _Page:
    def __init__(self, text: str, hidden: frozenset[str], templates: Renderer) -> None:
        self.text = text
        self.hidden = hidden
        self.templates = templates
        self.too_deep = 0
        self.ends = match_brackets(text)
        self.tables = match_tables(text)
        self.literal: set[int] = set()  # where brackets end that are text

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
        text, position, following = self.text, start, start
        out: list[str] = []
        if depth > MAX_DEPTH:
            self.too_deep += 1
            return GAP
        while found := _MARKS.search(text, following, end):
            at, following = found.span()
            if found.lastindex and self.ends.get(at) == following:
                shown = found[2] or found[1].rstrip()
                out += (text[position:at], guarded(shown, text[at - 1 : at]))
                position = following
                continue
            mark = text[at : at + 2]
            if mark == "{|":
                line, after = self.tables.get(at, (-1, 0))
                if line >= position:  # else no table begins with it
                    out.append(text[position:line])
                    position = following = min(after, end)
                    self._table(line, position, end, depth, out)
                continue
            out.append(text[position:at])
            if mark == "{{":
                position = self._template(at, end, depth, out)
            elif mark == "[[":
                position = self._link(at, end, depth, out)
            else:
                position = following
                if mark == "}}":
                    out.append(_cut_arguments(out.pop()) + GAP)
                elif position in self.literal or self._closes_one(at):
                    out.append(mark)
            following = position
        if not out:
            return text[start:end]
        out.append(text[position:end])
        return "".join(out)

    def _table(self, start: int, stop: int, end: int, depth: int, out: list[str]) -> None:
        for first, last in fostered(self.text, start, stop):
            out.append(self.expand(first, last, depth + 1) + "\n")
        out.append(GAP + "\n" if stop < end else GAP)

    def _closes_one(self, at: int) -> bool:
        """True when ``]]`` closes a single bracket: ``[http://a.example Title [PDF]]``."""
        begin = max(self.text.rfind("\n", max(0, at - _NEAR), at) + 1, at - _NEAR)
        return self.text.rfind("[", begin, at) > self.text.rfind("]", begin, at)

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
        out.append(apart(self.text[at - 1 : at], shown) if shown else GAP)
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
        while found := _SPLIT.search(self.text, position, end):
            mark, since = found.group(), position
            at, position = found.span()
            if mark == "{|":
                line, after = self.tables.get(at, (-1, 0))
                if line >= since:
                    position = min(after, end)
                    continue
                mark, at = "|", at + 1  # no table begins with it
            if mark == "|":
                pieces.append((begin, at, equals))
                begin, equals = position, -1
            elif mark == "=":
                equals = at if equals < 0 else equals
            else:
                position = min(self.ends.get(at, position), end)
        pieces.append((begin, end, equals))
        return pieces

    def _parts(self, start: int, end: int, depth: int) -> list[Part]:
        """The parts of a call, with that of its name."""
        first, *others = self._pieces(start, end)
        return [_Part(self, first[0], first[1], -1, depth), *[_Part(self, *piece, depth) for piece in others]]

    def _link(self, at: int, end: int, depth: int, out: list[str]) -> int:
        stop = self.ends.get(at)
        if stop is None or stop > end:
            found = _BEFORE_BAR.match(self.text, at + 2, end)
            out.append(NOTHING + (percent_decoded(found.group()) if found else ""))
            return found.end() if found else at + 2
        pieces = self._pieces(at + 2, stop - 2)
        start, target_end, _ = pieces[0]
        target = self.text[start:target_end].strip()
        prefix = target.split(":", 1)[0].strip().casefold() if ":" in target else ""
        if (prefix and prefix in self.hidden) or is_file(target):
            out.append(GAP)
            return stop
        given = ""
        if "{{" in target:  # what it shows may hold the bar
            target, _, given = self.expand(start, target_end, depth + 1).strip().partition("|")
        if not is_title(target) or self.text.find("[[", target_end, stop) >= 0:
            out.append("[[")  # no link, but there may be one inside
            self.literal.add(stop)
            return at + 2
        if is_address(target):
            out.append(f"[[{self.expand(start, stop - 2, depth + 1)}]]")
            return stop
        label = self.expand(pieces[1][0], stop - 2, depth + 1) if len(pieces) > 1 else given
        shown = shown_label(label) if label else shown_target(target.lstrip(":").strip())
        if len(pieces) > 1 and not label:
            shown = shown.split("#", 1)[0]
        out.append(guarded(shown, self.text[at - 1 : at]))
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
