"""Lines to paragraphs, lists and sections: what stays of a page's layout in plain text."""
# ruff: noqa: RUF001 - dashes

from __future__ import annotations

import re
from dataclasses import dataclass, field

from llama_data.stages.wikipedia.entities import decode
from llama_data.stages.wikipedia.inline import mend
from llama_data.stages.wikipedia.languages import is_end_matter, is_pointer
from llama_data.stages.wikipedia.opaque import BREAK, GAP, NOTHING

_HEADING = re.compile(r"(={1,6})(.+?)(={1,6})[ \t\x03]*$")
_LIST_MARKS = "*#:;"
_NO_TEXT = re.compile(r"[\s\x03\x05.,;:·•*#|/–—-]*")
_HEADLESS = re.compile(r"\s*\x03[\s\x03]*[.,;:)]")  # an item whose beginning was a citation
_RULE = re.compile(r"-{4,}")
_DEFINITION = re.compile(r"[ \t]*:(?!//)[ \t]*")
_INDENT = "  "


@dataclass
class Section:
    """A heading with its level (0: the lead), and the blocks under it."""

    level: int
    heading: str
    blocks: list[str] = field(default_factory=list)


def assemble(text: str, language: str) -> str:
    """Paragraphs apart by a blank line, list items and headings on lines of their own.

    A section without text is dropped with its heading, and so are sections of end matter with all below them.
    """
    sections = split_sections(text)
    for section in sections:
        section.blocks = [left for block in section.blocks if (left := _without_pointers(block, language))]
    kept: list[Section] = []
    dropping: int | None = None
    for section in sections:
        if dropping is not None and section.level > dropping:
            continue
        dropping = None
        if section.level and is_end_matter(section.heading, language):
            dropping = section.level
            continue
        kept.append(section)
    filled: list[Section] = []
    following = 0  # the level of the section that comes next in the output
    for section in reversed(kept):
        if section.blocks or section.level < following:
            filled.append(section)
            following = section.level
    parts = ["\n".join(filter(None, [s.heading, "\n\n".join(s.blocks)])) for s in reversed(filled)]
    return "\n\n".join(part for part in parts if part)


def _without_pointers(block: str, language: str) -> str:
    """A block without the lines that only point to other articles."""
    if ":" not in block:
        return block
    return "\n".join(line for line in block.split("\n") if not is_pointer(line, language))


def split_sections(text: str) -> list[Section]:
    """Cut the text at its headings and make blocks of the lines in between."""
    section = Section(0, "")
    sections = [section]
    block = _Blocks(section)
    for line in text.split("\n"):
        if line.startswith("="):
            found = _HEADING.match(line)
            if found:
                block.finish()
                level = min(len(found.group(1)), len(found.group(3)))
                heading = _line(found.group(2).replace(BREAK, " ")).strip(" =\t")
                section = Section(level, heading) if heading else Section(0, "")
                sections.append(section)
                block = _Blocks(section)
                continue
        block.add(line)
    block.finish()
    return sections


class _Blocks:
    """Collects the lines of one section: soft line ends are joined, list items and indented lines stay apart.

    An item inside another item is indented by two spaces for each level, as in Markdown.
    """

    def __init__(self, section: Section) -> None:
        self._section = section
        self._paragraph: list[str] = []
        self._indented = False  # the last line of the paragraph began with a space
        self._items: list[str] = []
        self._numbers: list[int] = []
        self._level = -1  # how deep the last item is

    def add(self, line: str) -> None:
        """Add one line of the page."""
        stripped = line.strip()
        if not stripped:
            self.finish()
            return
        if GAP in line and _NO_TEXT.fullmatch(line.replace(BREAK, " ")):
            return
        first = line[0]
        if first in _LIST_MARKS:
            text = line.lstrip(_LIST_MARKS)
            self._item(line[: len(line) - len(text)], text)
            return
        rule = _RULE.match(line) if first == "-" else None
        if rule:
            self.finish()
            line = line[rule.end() :]
            stripped = line.strip()
        elif self._items:
            self._end_list()
        indented = line.startswith(" ")
        apart = BREAK if (indented or self._indented) and self._paragraph else ""
        self._paragraph.append(apart + stripped)
        self._indented = indented

    def _item(self, marker: str, text: str) -> None:
        self._end_paragraph()
        kind = marker[-1]
        if kind == ";":
            text = _DEFINITION.sub(": ", text, count=1)
        text = "" if _HEADLESS.match(text) else _tidy(text)
        if not text:
            return
        depth = len(marker)
        if kind != "#":
            del self._numbers[depth - 1 :]
        if kind == "*":
            text = "- " + text
        elif kind == "#":
            del self._numbers[depth:]
            self._numbers += [0] * (depth - len(self._numbers))
            self._numbers[-1] += 1
            text = f"{self._numbers[-1]}. {text}"
        self._items.append(self._indent(marker, text))

    def _indent(self, marker: str, text: str) -> str:
        """Indent an item by the items that it is in, one level more than the item before at most."""
        outer = marker[:-1] if marker[-1] in "*#" else marker
        self._level = min(outer.count("*") + outer.count("#"), self._level + 1)
        margin = _INDENT * self._level
        return margin + text.replace("\n", "\n" + margin)

    def finish(self) -> None:
        """End the paragraph and the list."""
        self._end_paragraph()
        self._end_list()

    def _end_list(self) -> None:
        if self._items:
            self._section.blocks.append("\n".join(self._items))
            self._items = []
        self._numbers = []
        self._level = -1

    def _end_paragraph(self) -> None:
        if self._paragraph:
            text = _tidy(" ".join(self._paragraph))
            if text:
                self._section.blocks.append(text)
            self._paragraph = []
        self._indented = False


def _tidy(text: str) -> str:
    if BREAK in text:
        lines = [_line(line).strip() for line in text.split(BREAK)]
        return "\n".join(line for line in lines if line)
    return _line(text).strip()


def _line(text: str) -> str:
    """A line with its character references and gaps resolved: from here on nothing in it is markup."""
    return mend(decode(text.replace(NOTHING, "")).replace("\xa0", " "))
