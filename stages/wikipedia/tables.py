"""Tables: where they begin and end, and the little in and around them that is text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from llama_data.stages.wikipedia.brackets import match_brackets
from llama_data.stages.wikipedia.opaque import GAP

# Lines are found by the end of the line before, much faster than by their beginning.
_EDGE = re.compile(r"\n(?:[ \t:*#;]*\{\||[ \t]*\|\}(?!\}))")
_AFTER_UNCLOSED = re.compile(r"^=.*=[ \t]*$|\n[ \t]*\n(?=[^\s|!])", re.MULTILINE)
_LOOSE = re.compile(
    r"^(?:[ \t:*#;]*\{\||[ \t]*\|-)[^\n]*+\n\s*+((?:(?![ \t]*(?:[|!]|\{\||\{\{|<))[^\n]++(?:\n|\Z))++)", re.MULTILINE
)
_ROW_AFTER = re.compile(r"\}\}[ \t]*\n(?=[ \t]*\|-)")
_EDGE_OR_ROW = re.compile(f"{_EDGE.pattern}|{_ROW_AFTER.pattern}")
_RUN = re.compile(r"(?:(?![ \t]*(?:\{\{|\|\}|=|\n))[^\n]++(?:\n|\Z))++")
_CLOSE = re.compile(r"[ \t]*\|\}(?!\})")
_ROW = re.compile(r"[ \t]*\n(?=[ \t]*[|!])")
_HEADING = re.compile(r"^=.*=[ \t]*$", re.MULTILINE)


def match_tables(text: str) -> dict[int, tuple[int, int]]:
    """Offsets of the ``{|`` of tables, with those at which the table's opening line begins and after the table.

    An unclosed table ends at the next heading, or before the next line that follows an empty one and is no row of it.
    """
    if "{|" not in text:
        return {}
    tables: dict[int, tuple[int, int]] = {}
    stack: list[tuple[int, int]] = []
    for found in _EDGE.finditer("\n" + text):
        begin, end = found.start(), found.end() - 1
        if found.group().endswith("{|"):
            stack.append((end - 2, begin))
        elif stack:
            mark, begin = stack.pop()
            tables[mark] = begin, end
    following = len(text)
    limits = [found.start() for found in _AFTER_UNCLOSED.finditer(text)] if stack else []
    for mark, begin in reversed(stack):
        while limits and limits[-1] > begin:
            following = limits.pop()
        tables[mark] = begin, following
    return tables


def fostered(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Lines of a table that stand in none of its cells, which browsers show before the table."""
    for found in _LOOSE.finditer(text, start, end):
        if "{{" not in found.group(1):
            yield found.start(1), found.end(1)


def without_open_tables(text: str) -> str:
    """Text without the rows of tables that a template begins: from the template to a ``|}`` that has no ``{|``, or,
    when another template ends the table, as far as the lines that begin with ``|-`` go on."""
    closes = text.count("|}") and text.count("|}") - text.count("|}}")
    if not (closes and closes > text.count("{|")) and not _ROW_AFTER.search(text):
        return text
    text = "\n" + text
    out: list[str] = []
    rows: list[int] | None = None
    position = open_tables = since = 0
    for found in _EDGE_OR_ROW.finditer(text):
        mark = found.group()
        if mark.endswith("{|"):
            open_tables += 1
        elif open_tables:
            open_tables -= mark.endswith("|}")
        elif found.start() + (mark[0] == "\n") >= position:
            rows = _rows_after_templates(text) if rows is None else rows
            first, last = _open_table(text, found, rows, since)
            if first < last:
                out += [text[position:first], GAP + "\n"]
                position = last
        since = found.end() if mark.endswith(("{|", "|}")) else since
    return ("".join(out) + text[position:])[1:]


def _open_table(text: str, found: re.Match[str], rows: list[int], since: int) -> tuple[int, int]:
    """Where the rows begin and end that ``found`` ends (``|}``) or begins (a row after a template)."""
    if not found.group().endswith("|}"):
        index = bisect_left(rows, found.end())
        if index == len(rows) or rows[index] != found.end():
            return 0, 0
        # Where such a run meets the next template that begins a line it ends, so no line is looked at twice.
        run = _RUN.match(text, found.end())
        return (found.end(), run.end()) if run and not _CLOSE.match(text, run.end()) else (0, 0)
    for heading in _HEADING.finditer(text, since, found.start()):
        since = heading.end()
    index = bisect_left(rows, since)
    return (rows[index], found.end()) if index < len(rows) and rows[index] < found.start() else (0, 0)


def _rows_after_templates(text: str) -> list[int]:
    """Where a line that looks like a row follows a template that begins a line and is in no other."""
    found: list[int] = []
    position = 0
    for at, end in sorted(match_brackets(text).items()):
        if at < position or not text.startswith("{{", at):
            continue
        position = end
        row = _ROW.match(text, end) if text[at - 1 : at] in ("", "\n") else None
        if row:
            found.append(row.end())
    return found
