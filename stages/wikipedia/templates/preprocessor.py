"""Wikitext of a template to a tree of texts, parameters and calls, by the rules of MediaWiki's preprocessor.

One pass, with a stack of what is open; nothing is looked at twice. What is never closed is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from llama_data.stages.wikipedia.opaque import set_aside

_TOKEN = re.compile(r"\{\{+|\}\}+|\[\[|\]\]|[|=]|\x01\d+\x02")
_INCLUSION = re.compile(
    r"<!--|<(/?)(noinclude|includeonly|onlyinclude)(?:\s[^<>]*|/)?>|<(nowiki|pre|syntaxhighlight|source)\b[^<>]*>",
    re.IGNORECASE,
)


_TABLE = re.compile(r"<(?=table\b)", re.IGNORECASE)
_VEIL = "\ue000"  # a table may begin in one branch of a definition and end in another: it is left for the output


class Kept(NamedTuple):
    """Literal text in which nothing is markup."""

    text: str


class Parameter(NamedTuple):
    """``{{{name|default}}}``; ``default`` None: none is given."""

    name: tuple[Node, ...]
    default: tuple[Node, ...] | None


class TreePart(NamedTuple):
    """What stands between two bars of a call; ``name`` None: there is no ``=``."""

    name: tuple[Node, ...] | None
    value: tuple[Node, ...]


class TreeCall(NamedTuple):
    """``{{head|part|part}}``: a template or a parser function."""

    head: tuple[Node, ...]
    parts: tuple[TreePart, ...]


Node = str | Kept | Parameter | TreeCall


def parse(body: str) -> tuple[Node, ...]:
    """The tree of a definition's transcluded text; notes and comments are out, literal text is kept."""
    text, stash = set_aside(_TABLE.sub(f"<{_VEIL}", body))
    return _Parser(text.replace(_VEIL, ""), stash.texts).parse()


@dataclass
class _Open:
    """Brackets that are open: ``braces`` of them, or 0 for ``[[``. ``equals``: where the part's first ``=`` stands."""

    braces: int
    parts: list[list[Node]] = field(default_factory=lambda: [[]])
    equals: list[int] = field(default_factory=lambda: [-1])


class _Parser:
    def __init__(self, text: str, kept: list[str]) -> None:
        self._text = text
        self._kept = kept
        self._root: list[Node] = []
        self._stack: list[_Open] = []

    def parse(self) -> tuple[Node, ...]:
        text, position = self._text, 0
        for found in _TOKEN.finditer(text):
            self._add(text[position : found.start()])
            position = found.end()
            self._token(found.group())
        self._add(text[position:])
        while self._stack:
            self._flatten(self._stack.pop())
        return tuple(self._root)

    def _top(self) -> list[Node]:
        return self._stack[-1].parts[-1] if self._stack else self._root

    def _add(self, node: Node) -> None:
        if node == "":
            return
        nodes = self._top()
        if isinstance(node, str) and nodes and isinstance(nodes[-1], str) and not self._behind_equals(nodes):
            nodes[-1] += node
        else:
            nodes.append(node)

    def _behind_equals(self, nodes: list[Node]) -> bool:
        """True when the last node stands before the part's ``=`` and the next one behind it."""
        return bool(self._stack) and self._stack[-1].equals[-1] == len(nodes)

    def _token(self, token: str) -> None:
        top = self._stack[-1] if self._stack else None
        first = token[0]
        if first == "{":
            self._stack.append(_Open(len(token)))
        elif first == "}":
            self._close(len(token))
        elif token == "[[":
            self._add(token)
            self._stack.append(_Open(0))
        elif token == "]]":
            if top is not None and top.braces == 0:
                self._flatten(self._stack.pop())
            self._add(token)
        elif first == "\x01":
            self._add(Kept(self._kept[int(token[1:-1])]))
        elif top is None or top.braces == 0:
            self._add(token)
        elif first == "|":
            top.parts.append([])
            top.equals.append(-1)
        elif len(top.parts) > 1 and top.equals[-1] < 0:
            top.equals[-1] = len(top.parts[-1])
        else:
            self._add(token)

    def _close(self, count: int) -> None:
        while count:
            top = self._stack[-1] if self._stack else None
            matched = min(count, top.braces, 3) if top is not None else 0
            if top is None or matched < 2:
                self._add("}" * count)
                return
            self._stack.pop()
            node = _parameter(top) if matched == 3 else _call(top)
            left = top.braces - matched
            if left >= 2:
                self._stack.append(_Open(left))
            elif left:
                self._add("{")
            self._add(node)
            count -= matched

    def _flatten(self, opened: _Open) -> None:
        """Put back as text what was never closed, or is no brace."""
        if opened.braces:
            self._add("{" * opened.braces)
        for number, nodes in enumerate(opened.parts):
            if number:
                self._add("|")
            for place, node in enumerate(nodes):
                if place == opened.equals[number]:
                    self._add("=")
                self._add(node)
            if opened.equals[number] == len(nodes):
                self._add("=")


def _parameter(opened: _Open) -> Parameter:
    default = _with_equals(opened, 1) if len(opened.parts) > 1 else None
    return Parameter(tuple(opened.parts[0]), default)


def _with_equals(opened: _Open, number: int) -> tuple[Node, ...]:
    nodes, equals = opened.parts[number], opened.equals[number]
    return tuple(nodes) if equals < 0 else (*nodes[:equals], "=", *nodes[equals:])


def _call(opened: _Open) -> TreeCall:
    parts = []
    for nodes, equals in zip(opened.parts[1:], opened.equals[1:], strict=True):
        if equals < 0:
            parts.append(TreePart(None, tuple(nodes)))
        else:
            parts.append(TreePart(tuple(nodes[:equals]), tuple(nodes[equals:])))
    return TreeCall(tuple(opened.parts[0]), tuple(parts))


def transcluded(page: str) -> str:
    """The part of a template's page that a call shows: without ``<noinclude>``, or what ``<onlyinclude>`` holds."""
    everything: list[str] = []
    only: list[str] = []
    hidden = position = 0
    inside = has_only = False

    def put(text: str) -> None:
        if not hidden:
            everything.append(text)
            if inside:
                only.append(text)

    while found := _INCLUSION.search(page, position):
        put(page[position : found.start()])
        position = found.end()
        tag = (found.group(2) or "").lower()
        if tag and found.group().endswith("/>"):
            continue
        if tag == "noinclude":
            hidden = max(0, hidden - 1) if found.group(1) else hidden + 1
        elif tag == "onlyinclude":
            inside = not found.group(1)
            has_only = True
        elif not tag:
            close = "-->" if found.group() == "<!--" else f"</{found.group(3)}"
            end = page.find(close, found.end())
            if end < 0 and close != "-->":
                put(found.group())
                continue
            position = len(page) if end < 0 else end + len(close)
            put(page[found.start() : position])
    put(page[position:])
    return "".join(only if has_only else everything)
