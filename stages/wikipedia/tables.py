"""Tables: where they begin and end, and the little in and around them that is text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llama_data.stages.wikipedia.opaque import GAP

_EDGE = re.compile(r"^[ \t:*#;]*\{\||^[ \t]*\|\}(?!\})", re.MULTILINE)
_AFTER_UNCLOSED = re.compile(r"^=.*=[ \t]*$|\n[ \t]*\n(?=[^\s|!])", re.MULTILINE)
_LOOSE = re.compile(
    r"^(?:[ \t:*#;]*\{\||[ \t]*\|-)[^\n]*+\n\s*+((?:(?![ \t]*(?:[|!]|\{\||\{\{|<))[^\n]++(?:\n|\Z))++)", re.MULTILINE
)
_HEADING = re.compile(r"^=.*=[ \t]*$", re.MULTILINE)


def match_tables(text: str) -> dict[int, int]:
    """Offsets at which a table's opening line begins, with the offset after the table.

    An unclosed table ends at the next heading, or before the next line that follows an empty one and is no row of it.
    """
    if "{|" not in text:
        return {}
    ends: dict[int, int] = {}
    stack: list[int] = []
    for found in _EDGE.finditer(text):
        if found.group().endswith("{|"):
            stack.append(found.start())
        elif stack:
            ends[stack.pop()] = found.end()
    following = len(text)
    limits = [found.start() for found in _AFTER_UNCLOSED.finditer(text)] if stack else []
    for at in reversed(stack):
        while limits and limits[-1] > at:
            following = limits.pop()
        ends[at] = following
    return ends


def fostered(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Lines of a table that stand in none of its cells, which browsers show before the table."""
    for found in _LOOSE.finditer(text, start, end):
        if "{{" not in found.group(1):
            yield found.start(1), found.end(1)


def without_open_tables(text: str) -> str:
    """Text without the rows of tables that a template begins: from the template to a ``|}`` that has no ``{|``."""
    if "|}" not in text:
        return text
    out: list[str] = []
    position = open_tables = since = 0
    for found in _EDGE.finditer(text):
        if found.group().endswith("{|"):
            open_tables += 1
        elif open_tables:
            open_tables -= 1
        else:
            row = max(text.rfind("}}\n|", since, found.start()), text.rfind("}}\n!", since, found.start()))
            if row >= 0 and not _HEADING.search(text, row + 2, found.start()):
                out += [text[position : row + 3], GAP + "\n"]
                position = found.end()
        since = found.end()
    return "".join(out) + text[position:]
