"""Raw and cleaned text side by side: which lines went, came or changed, and inside a changed line which words."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

MOST_LINES = 3_000
"""Of either text so many lines are compared; what stands behind is counted."""

_MOST_LINE = 4_000
_MOST_WORDS = 600
_MOST_PAIRS = 60_000
_NAME = re.compile(r"\w+")
_WORD = re.compile(r"\w+|\s+|[^\w\s]")


class Line(NamedTuple):
    """A row of the comparison. ``kind``: same, removed, added or changed. Numbers from 1; None: no line there.

    ``left``, ``right``: pieces of the line, each with whether it is in this text alone.
    """

    kind: str
    left_number: int | None
    left: list[tuple[str, bool]]
    right_number: int | None
    right: list[tuple[str, bool]]


class Comparison(NamedTuple):
    """The rows, and how many lines of either text were not compared."""

    lines: list[Line]
    left_rest: int
    right_rest: int

    def counts(self) -> dict[str, int]:
        """How many rows are of which kind."""
        kinds = [line.kind for line in self.lines]
        return {kind: kinds.count(kind) for kind in ("same", "removed", "added", "changed")}

    def removed(self) -> list[str]:
        """The lines that went."""
        return ["".join(text for text, _ in line.left) for line in self.lines if line.kind == "removed"]


def compare(raw: str, cleaned: str) -> Comparison:
    """Compare two texts by lines, and changed lines by words."""
    left, right = raw.split("\n"), cleaned.split("\n")
    rests = max(0, len(left) - MOST_LINES), max(0, len(right) - MOST_LINES)
    left, right = left[:MOST_LINES], right[:MOST_LINES]
    lines: list[Line] = []
    for kind, a, b, c, d in SequenceMatcher(None, left, right).get_opcodes():
        if kind == "equal":
            same = zip(range(a, b), range(c, d), strict=True)
            lines += [Line("same", i + 1, _cut(left[i]), j + 1, _cut(right[j])) for i, j in same]
            continue
        pairs = _alike(left[a:b], right[c:d]) if kind == "replace" else []
        for i, j in [*((a + i, c + j) for i, j in pairs), (b, d)]:
            lines += [Line("removed", k + 1, _cut(left[k]), None, []) for k in range(a, i)]
            lines += [Line("added", None, [], k + 1, _cut(right[k])) for k in range(c, j)]
            if i < b:
                lines.append(Line("changed", i + 1, *_words(left[i], right[j], j + 1)))
            a, c = i + 1, j + 1
    # Where a text goes on, the last difference is one of where the two were cut.
    while any(rests) and lines and lines[-1].kind != "same":
        last = lines.pop()
        rests = rests[0] + (last.left_number is not None), rests[1] + (last.right_number is not None)
    return Comparison(lines, *rests)


def _alike(left: list[str], right: list[str]) -> list[tuple[int, int]]:
    """Which lines became which, in their order: the pairs that have most words in common, half of the fewer at least.

    None where there are too many lines to compare each with each.
    """
    if len(left) * len(right) > _MOST_PAIRS:
        return []
    a, b = ([frozenset(_NAME.findall(line)) for line in lines] for lines in (left, right))
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    likeness: dict[tuple[int, int], float] = {}
    for i in range(len(a) - 1, -1, -1):
        for j in range(len(b) - 1, -1, -1):
            common = len(a[i] & b[j])
            found = common if 2 * common >= min(len(a[i]), len(b[j])) else 0
            if found:
                likeness[i, j] = found
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + found)
    pairs, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if (i, j) in likeness and best[i][j] == best[i + 1][j + 1] + likeness[i, j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def _cut(line: str) -> list[tuple[str, bool]]:
    return [(line if len(line) <= _MOST_LINE else line[:_MOST_LINE] + " …", False)]


def _words(left: str, right: str, number: int) -> tuple[list[tuple[str, bool]], int, list[tuple[str, bool]]]:
    """The pieces of two lines by what only one of them has; of long lines the whole is other."""
    a, b = _WORD.findall(left[:_MOST_LINE]), _WORD.findall(right[:_MOST_LINE])
    if max(len(a), len(b)) > _MOST_WORDS:
        return [(left[:_MOST_LINE], True)], number, [(right[:_MOST_LINE], True)]
    first: list[tuple[str, bool]] = []
    second: list[tuple[str, bool]] = []
    for kind, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if i < j:
            first.append(("".join(a[i:j]), kind != "equal"))
        if k < m:
            second.append(("".join(b[k:m]), kind != "equal"))
    return first, number, second
