"""HTML in wikitext: which tags are markup, and what they do to the layout.

Only the elements that MediaWiki's Sanitizer lets through are markup; other words between angle brackets are text
(``vector<int>``), as they are on the page.
"""

from __future__ import annotations

import re

from llama_data.stages.wikipedia.opaque import BREAK, MARKUP_ALONE, NOTHING

_BLOCKS = frozenset({"p", "div", "blockquote", "center", "hr", "table", "caption", "pre"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_LISTS = {"ul": "*", "ol": "#", "dl": ":"}
_ITEMS = frozenset(("li", "dt", "dd"))
_CELLS = frozenset(("tr", "td", "th"))
_INLINE = frozenset(
    [
        "abbr",
        "b",
        "bdi",
        "bdo",
        "big",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "mark",
        "q",
        "rb",
        "rp",
        "rt",
        "rtc",
        "ruby",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
        "u",
        "var",
        "wbr",
    ]
)
_PROPERTIES = frozenset(("meta", "link"))  # markup only with itemprop, else MediaWiki shows them
_ELEMENTS = _BLOCKS | _HEADINGS | set(_LISTS) | _ITEMS | _CELLS | _INLINE | _PROPERTIES | {"br"}
_ALONE = MARKUP_ALONE | {"noinclude", "onlyinclude", "translate", "tvar", "languages"}
_KNOWN = _ELEMENTS | _ALONE

_TAG = re.compile(r"<(/?)([A-Za-z][^\s/<>\0]*+)([^<>]*+)>")
_BRACKETED_TAG = re.compile(r"<([A-Za-z]++)(?=[\s/])[^<>\[]*+\[\[[^<>]*+>")
_SCRIPTS = {"sup": "^", "sub": "_"}
_TERMS_MEET = re.compile(r"[+\-\u2212\u2013]?\w")
_SOFT_BREAK = re.compile(r"\n(?![\n*#:;={|<])")
_MAX_HEADING = 250
_MAX_LISTS = 16  # lists inside each other; deeper ones are not told apart


def without_bracketed_attributes(text: str) -> str:
    """Text in which tags of elements have lost their attributes if these hold brackets, which are no links there."""
    if "<" not in text or "[[" not in text:
        return text
    return _BRACKETED_TAG.sub(lambda found: f"<{found[1]}>" if found[1].lower() in _ELEMENTS else found[0], text)


def without_tags(text: str) -> str:
    """Text without tags: with line breaks, paragraphs, headings and lists in the place of those that make them."""
    return _Layout(text).run() if "<" in text else text


def _is_in_heading(text: str, at: int) -> bool:
    """True when a place is in a line between equals signs."""
    begin = text.rfind("\n", max(0, at - _MAX_HEADING), at) + 1
    if begin == 0 and at > _MAX_HEADING:
        return False
    end = text.find("\n", at, at + _MAX_HEADING)
    line = text[begin : end if end >= 0 else at + _MAX_HEADING].rstrip(" \t")
    return line.startswith("=") and line.endswith("=")


class _Layout:
    """One pass over the tags of a page."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._out: list[str] = []
        self._lists: list[str] = []  # the marks of the lists that are open
        self._open_blocks: dict[str, int] = {}
        self._heading: tuple[str, int] | None = None  # its name, and where in the output it begins

    def run(self) -> str:
        """The text without tags."""
        text, out, position = self._text, self._out, 0
        for found in _TAG.finditer(text):
            name = found[2].lower()
            if name not in _KNOWN or (name in _PROPERTIES and "itemprop" not in found[3]):
                continue
            if name in _BLOCKS and _is_in_heading(text, found.start()):
                name = "span"  # what it shows is part of the heading
            before = text[position : found.start()]
            out.append(_SOFT_BREAK.sub(" ", before) if self._lists else before)
            shown = self._shown(name, closing=bool(found[1]))
            if name in _SCRIPTS and not found[1] and _TERMS_MEET.match(text, found.end()) and before[-1:].isalnum():
                shown = _SCRIPTS[name]  # one without an end, else it is written already: never digits of its base
            out.append(shown or (NOTHING if text[found.start() - 1 : found.start()] in ("", "\n") else ""))
            position = found.end()
        out.append(text[position:])
        return "".join(out)

    def _shown(self, name: str, *, closing: bool) -> str:
        """What stands in the place of a tag."""
        if name == "br":
            return BREAK
        if name in _HEADINGS:
            return self._heading_edge(name, closing=closing)
        if name in _LISTS:
            return self._list_edge(_LISTS[name], closing=closing)
        if name in _ITEMS:
            return "" if closing else self._item(name)
        if name in _BLOCKS:
            return self._block_edge(name, closing=closing)
        return (BREAK if name == "tr" else " ") if name in _CELLS else ""

    def _block_edge(self, name: str, *, closing: bool) -> str:
        """A paragraph's edge, but for the end of a block that was never begun, which browsers pass over."""
        number = self._open_blocks.get(name, 0)
        if name == "p" or number or not closing:
            self._open_blocks[name] = number + (-1 if closing else 1)
            return "\n\n"
        return ""

    def _heading_edge(self, name: str, *, closing: bool) -> str:
        if not closing:
            self._heading = (name, len(self._out))
            return "\n\n"
        begun, self._heading = self._heading, None
        if begun is None or begun[0] != name:
            return "\n\n"
        heading = " ".join("".join(self._out[begun[1] + 1 :]).split())
        if not heading or len(heading) > _MAX_HEADING:
            return "\n\n"
        mark = "=" * int(name[1])
        self._out[begun[1] :] = [f"\n{mark}{heading}{mark}\n"]
        return ""

    def _list_edge(self, mark: str, *, closing: bool) -> str:
        self._out[-1] = self._out[-1].rstrip()
        inside = bool(self._lists)
        if not closing:
            if len(self._lists) < _MAX_LISTS:
                self._lists.append(mark)
        elif mark in self._lists:
            while self._lists.pop() != mark:
                pass
            inside = bool(self._lists)
        return "" if inside else "\n\n"

    def _item(self, name: str) -> str:
        self._out[-1] = self._out[-1].rstrip()
        marks = "".join(self._lists) or "*"
        return f"\n{marks if name == 'li' else marks.rstrip(':') + ':'} "
