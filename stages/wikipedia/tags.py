"""HTML in wikitext: which tags are markup, and what they do to the layout.

Only the elements that MediaWiki's Sanitizer lets through are markup; other words between angle brackets are text
(``vector<int>``), as they are on the page.
"""

from __future__ import annotations

import re

from llama_data.stages.wikipedia.opaque import BREAK, EXTENSIONS

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
_PAIRED = frozenset({"noinclude", "onlyinclude", "includeonly", "translate", "tvar", "languages"})

_TAG = re.compile(r"<(/?)([A-Za-z][^\s/<>\0]*+)([^<>]*+)>")
_SOFT_BREAK = re.compile(r"\n(?![\n*#:;={|<])")


def without_tags(text: str) -> str:
    """Text without tags: with line breaks, paragraphs, headings and lists in the place of those that make them."""
    if "<" not in text:
        return text
    out: list[str] = []
    lists: list[str] = []
    position = 0
    for found in _TAG.finditer(text):
        name = found.group(2).lower()
        if name not in _ELEMENTS and name not in EXTENSIONS and name not in _PAIRED:
            continue
        if name in _PROPERTIES and "itemprop" not in found.group(3):
            continue
        before = text[position : found.start()]
        out.append(_SOFT_BREAK.sub(" ", before) if lists else before)
        out.append(_layout(name, bool(found.group(1)), lists, out))
        position = found.end()
    out.append(text[position:])
    return "".join(out)


def _layout(name: str, closing: bool, lists: list[str], out: list[str]) -> str:
    """What stands in the place of a tag. ``lists``: the marks of the lists that are open; ``out``: the text before."""
    if name == "br":
        return BREAK
    if name in _LISTS:
        return _list_edge(name, closing, lists, out)
    if name in _ITEMS:
        if closing:
            return ""
        out[-1] = out[-1].rstrip()
        return "\n" + ("".join(lists) if name == "li" and lists else "*" if name == "li" else ":") + " "
    if name in _HEADINGS:
        mark = "=" * int(name[1])
        return mark + "\n" if closing else "\n" + mark
    if name in _BLOCKS:
        return "\n\n"
    return (BREAK if name == "tr" else " ") if name in _CELLS else ""


def _list_edge(name: str, closing: bool, lists: list[str], out: list[str]) -> str:
    mark = _LISTS[name]
    out[-1] = out[-1].rstrip()
    if not closing:
        lists.append(mark)
    elif mark in lists:
        while lists.pop() != mark:
            pass
    inner = len(lists) > (0 if closing else 1)
    return "\n" if inner else "\n\n"
