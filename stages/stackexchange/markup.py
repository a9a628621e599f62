"""HTML of a post to plain text: the tags go, the structure that a reader sees stays.

Paragraphs are separated by one blank line, list items stand on lines of their own with ``* `` or ``1. ``, code keeps
every space and newline. The LLaMA paper says only that HTML tags are removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason

MAX_DEPTH = 100
_PARSER = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
_BREAK = "\x01"  # a <br>, until white space is folded
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")
_SPACES = re.compile(r"[ \t\xa0]+")
_AROUND_NEWLINE = re.compile(r" *\n *")
_AROUND_BREAK = re.compile(rf"[ \n]*{_BREAK}[ \n]*")
_MANY_NEWLINES = re.compile(r"\n{3,}")
_POWER = re.compile(r"[+\-\u2212]?(?:\d+|[a-z])")

_HIDDEN = frozenset({"script", "style", "img", "hr", "head", "title", "iframe", "object", "svg", "input", "button"})
_BLOCKS = frozenset(
    {
        "p",
        "div",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "pre",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "table",
        "section",
        "article",
        "aside",
        "details",
        "summary",
        "figure",
        "figcaption",
        "center",
        "address",
        "header",
        "footer",
        "main",
        "nav",
        "form",
        "fieldset",
        "html",
        "body",
    }
)
_LISTS = frozenset({"ul", "ol"})


def html_to_text(html: str, *, link_targets: bool = False) -> str:
    """The text of a post's body.

    ``link_targets``: write a link as ``text (address)``. Raises RecordError when tags are nested too deep.
    """
    html = _CONTROL.sub("", html.replace("\r\n", "\n").replace("\r", "\n"))
    if "<" not in html and "&" not in html:
        return _fold(html)
    root = etree.fromstring(b"<div>" + html.encode(), _PARSER)
    return "\n\n".join(_Writer(link_targets).blocks(root, 0))


class _Writer:
    """Turns an element into blocks of text; inline text gathers until a block element ends it."""

    def __init__(self, link_targets: bool) -> None:
        self._link_targets = link_targets

    def blocks(self, element: Any, depth: int) -> list[str]:
        """The blocks inside an element, none of them empty."""
        if depth > MAX_DEPTH:
            raise RecordError(Reason.too_complex, f"tags are nested more than {MAX_DEPTH} deep")
        found: list[str] = []
        inline: list[str] = []

        def end_inline() -> None:
            text = _fold("".join(inline))
            inline.clear()
            if text:
                found.append(text)

        def walk(node: Any, level: int) -> None:
            if level > MAX_DEPTH:
                raise RecordError(Reason.too_complex, f"tags are nested more than {MAX_DEPTH} deep")
            inline.append(node.text or "")
            for child in node:
                tag = child.tag
                if tag in _BLOCKS or tag == "li":
                    end_inline()
                    found.extend(self._block(child, level + 1))
                else:
                    self._inline(child, level + 1, inline, walk)
                inline.append(child.tail or "")

        walk(element, depth)
        end_inline()
        return found

    def _block(self, element: Any, depth: int) -> list[str]:
        tag = element.tag
        if tag == "pre":
            code = _code(element)
            return [code] if code else []
        if tag in _LISTS:
            text = self._list(element, depth)
            return [text] if text else []
        if tag == "table":
            text = self._table(element, depth)
            return [text] if text else []
        if tag == "li":  # outside a list
            found = self.blocks(element, depth)
            return [_item("* ", found)] if found else []
        return self.blocks(element, depth)

    def _inline(self, element: Any, depth: int, out: list[str], walk: Callable[[Any, int], None]) -> None:
        tag = element.tag
        if tag == "br":
            out.append(_BREAK)
        elif tag in _HIDDEN or not isinstance(tag, str):
            return
        elif tag == "sup":
            text = "".join(element.itertext())
            follows = bool(out) and out[-1][-1:].strip() != ""
            out.append("^" + text if follows and _POWER.fullmatch(text) else text)
        elif tag == "a" and self._link_targets:
            start = len(out)
            walk(element, depth)
            text, target = "".join(out[start:]).strip(), element.get("href", "")
            if text and "://" in target and target not in text:
                out.append(f" ({target})")
        else:
            walk(element, depth)

    def _list(self, element: Any, depth: int) -> str:
        ordered = element.tag == "ol"
        number = _start(element)
        items: list[list[str]] = []
        markers: list[str] = []
        for child in element:
            if child.tag != "li" and child.tag not in _BLOCKS:
                continue
            found = self.blocks(child, depth + 1) if child.tag == "li" else self._block(child, depth + 1)
            if found and child.tag != "li" and items:
                items[-1] = [*items[-1], *found]  # a list put straight into a list belongs to the item before
            elif found:
                items.append(found)
                markers.append(f"{number}. " if ordered else "* ")
            number += child.tag == "li"
        loose = any(not _tight(blocks) for blocks in items)
        return ("\n\n" if loose else "\n").join(map(_item, markers, items))

    def _table(self, element: Any, depth: int) -> str:
        rows = []
        for row in element.iter("tr"):
            found = [self.blocks(cell, depth + 2) for cell in row if cell.tag in ("td", "th")]
            cells = [" ".join(blocks).replace("\n", " ") for blocks in found]
            if any(cells):
                rows.append(" | ".join(cells))
        return "\n".join(rows)


def _start(element: Any) -> int:
    value = element.get("start", "1")
    return int(value) if re.fullmatch(r"\d{1,6}", value) else 1


def _tight(blocks: list[str]) -> bool:
    """True for an item of one paragraph, or of one and the list below it."""
    return len(blocks) == 1 or (len(blocks) == 2 and re.match(r"\* |\d+\. ", blocks[1]) is not None)


def _item(marker: str, blocks: list[str]) -> str:
    """A list item: the marker, and what follows the first line indented to stand under it."""
    text = ("\n" if _tight(blocks) else "\n\n").join(blocks)
    return (marker + text.replace("\n", "\n" + " " * len(marker))).replace("\n" + " " * len(marker) + "\n", "\n\n")


def _code(element: Any) -> str:
    """The text of a code block as it stands, without blank lines at its ends."""
    for line_break in element.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    lines = "".join(element.itertext()).split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    return "\n".join(lines)


def _fold(text: str) -> str:
    """Fold white space as a browser does, but keep the single line breaks of the source."""
    if not text.strip():
        return ""
    if "  " in text or "\t" in text or "\xa0" in text:
        text = _SPACES.sub(" ", text)
    if "\n" in text:
        text = _AROUND_NEWLINE.sub("\n", text)
    if _BREAK in text:
        text = _AROUND_BREAK.sub("\n", text)
    if "\n\n\n" in text:
        text = _MANY_NEWLINES.sub("\n\n", text)
    return text.strip()
