"""HTML of a post to plain text: the tags go, the structure that a reader sees stays.

Paragraphs are separated by one blank line, list items stand on lines of their own with ``* `` or ``1. ``, code keeps
every space and newline. The LLaMA paper says only that HTML tags are removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml import etree  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.scripts import lowered, raised

MAX_DEPTH = 100
MAX_SCRIPT = 200  # characters of a superscript; a longer one is small print
_SCHEMES = frozenset({"http", "https", "ftp", "mailto"})
_PARSER = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
_BREAK = "\x01"  # a <br>, until white space is folded
# Controls go; those of C1 are what windows-1252 has at their place, as HTML reads numeric references.
_CONTROLS: dict[int, str | None] = {
    **dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127, 0xFEFF, 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)]),
    **{code: bytes([code]).decode("cp1252", "ignore") or None for code in range(0x80, 0xA0)},
}
_CONTROL = re.compile(f"[{''.join(map(re.escape, map(chr, _CONTROLS)))}]")
_SPACES = re.compile(r"[ \t\xa0]+")
_AROUND_NEWLINE = re.compile(r" *\n *")
_AROUND_BREAK = re.compile(rf"[ \n]*{_BREAK}[ \n]*")
_MANY_NEWLINES = re.compile(r"\n{3,}")
_FRACTION_BAR = re.compile(r"\s*[/\u2044\u2215]\s*")
_BASE = 60  # characters before a script in which its base is looked for

_HIDDEN = frozenset({"script", "style", "img", "head", "title", "iframe", "object", "svg", "input", "button"})
_STRUCK = frozenset({"s", "strike", "del"})
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        """p div h1 h2 h3 h4 h5 h6 hr blockquote pre ul ol dl dt dd table caption tr td th section article aside details
        summary figure figcaption center address header footer main nav form fieldset legend option menu dir html
        body""",
    )
)
_LISTS = frozenset({"ul", "ol"})


def html_to_text(html: str, *, link_targets: bool = False, struck_out: bool = False, base: str = "") -> str:
    """The text of a post's body.

    ``link_targets``: write a link as ``text (address)``; ``base``: the address of the post, for links within its site.
    ``struck_out``: keep the text that its author has struck out. Raises RecordError when tags are nested too deep.
    """
    html = _clean(html)
    if "<" not in html and "&" not in html:
        return _fold(html)
    root = etree.fromstring(b"<div>" + html.encode(), _PARSER)
    if "&#" in html:  # a reference may stand for a control
        for node in root.iter():
            node.text, node.tail = _clean(node.text or ""), _clean(node.tail or "")
    return "\n\n".join(_Writer(link_targets, struck_out, base).blocks(root, 0))


def _clean(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.translate(_CONTROLS) if _CONTROL.search(text) else text


class _Writer:
    """Turns an element into blocks of text; inline text gathers until a block element ends it."""

    def __init__(self, link_targets: bool, struck_out: bool, base: str) -> None:
        self._link_targets = link_targets
        self._hidden = _HIDDEN if struck_out else _HIDDEN | _STRUCK
        self._base = base

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
        if tag == "hr":  # holds nothing, and parts what stands around it
            return []
        if tag == "li":  # outside a list
            found = self.blocks(element, depth)
            return [_item("* ", found)] if found else []
        return self.blocks(element, depth)

    def _inline(self, element: Any, depth: int, out: list[str], walk: Callable[[Any, int], None]) -> None:
        tag = element.tag
        if tag == "br":
            out.append(_BREAK)
        elif tag in self._hidden or not isinstance(tag, str):
            return
        elif tag in ("sup", "sub"):
            self._script(element, depth, out, walk)
        elif tag == "a" and self._link_targets:
            start = len(out)
            walk(element, depth)
            text, target = "".join(out[start:]).strip(), self._target(element)
            if target and target not in text:
                out.append(f" ({target})")
        else:
            walk(element, depth)

    def _target(self, element: Any) -> str:
        """The address that a link leads to, whole; nothing for a place in the page itself or no address."""
        href = element.get("href", "").strip()
        try:
            target = urljoin(self._base, href) if href and not href.startswith("#") else ""
            return target if urlsplit(target).scheme in _SCHEMES else ""
        except ValueError:  # a bracket that is no IPv6 address
            return ""

    def _script(self, element: Any, depth: int, out: list[str], walk: Callable[[Any, int], None]) -> None:
        """A superscript or subscript; one with blocks in it, or longer than a line, is small print."""
        start = len(out)
        before = "".join(out[-_BASE:])[-_BASE:]
        walk(element, depth)
        inner = "".join(out[start:])
        if len(out) < start or len(inner) > MAX_SCRIPT or _BREAK in inner:
            return
        if element.tag == "sub":
            fraction = _FRACTION_BAR.fullmatch(before[-1:]) and inner.strip().isdecimal()
            text = inner if fraction else lowered(inner, before)
        else:
            tail, following = element.tail or "", element.getnext()
            fraction = _FRACTION_BAR.fullmatch(tail) and following is not None and following.tag == "sub"
            text = f" {inner.strip()}" if fraction else raised(inner, before, style="caret")
        out[start:] = [text, inner[len(inner.rstrip()) :]]

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
        """A line a row, cells between bars; a table inside a cell is part of the cell."""
        rows = []
        for row in _rows(element):
            if row.tag != "tr":
                rows += self.blocks(row, depth + 1)
                continue
            found = [self.blocks(cell, depth + 2) for cell in row if cell.tag in ("td", "th")]
            cells = [" ".join(blocks).replace("\n", " ") for blocks in found]
            if any(cells):
                rows.append(" | ".join(cells))
        return "\n".join(rows)


def _rows(table: Any) -> Iterator[Any]:
    """The rows of a table itself, and what else stands in it (its caption)."""
    for child in table:
        if child.tag in ("thead", "tbody", "tfoot"):
            yield from child
        elif child.tag not in ("colgroup", "col") and isinstance(child.tag, str):
            yield child


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
