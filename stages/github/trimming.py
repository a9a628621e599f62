"""Cuts the licence out of one comment, sentence by sentence: what else it says stays, line by line as it was."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from llama_data.stages.github.comments import Comment
from llama_data.stages.github.sentences import Kind
from llama_data.stages.github.units import Line, contents, judge, units_of

_WORD = re.compile(r"\w")
_BORDER = re.compile(r"([^\w\s])\1{2}")
_SEPARATORS = " \t|,;:-\u2013\u2014"
# Longer comments are not remembered.
_LONG = 8192


@lru_cache(maxsize=1 << 11)
def _cut(text: str, marks: tuple[str, str] | None, each: bool, tail: bool, name: str) -> tuple[str, ...] | None:
    lines = text.split("\n")
    comment = Comment(0, len(lines), marks, each, tail)
    inner = contents(lines, comment, name)
    units = units_of(inner)
    judge(units)
    found = [unit for unit in units if unit.kind is Kind.licence]
    if not found:
        return None
    for unit in found:
        for piece in unit.pieces:
            inner[piece.line].gone.append((piece.start, piece.end))
    return tuple(_put_together(inner, comment))


def without_licence(lines: Sequence[str], comment: Comment, name: str) -> list[str] | None:
    """The comment's lines without its licence; None when it has none.

    ``name``: the extension of its language.
    """
    text = "\n".join(lines)
    cut = _cut if len(text) < _LONG else _cut.__wrapped__
    left = cut(text, comment.marks, comment.each, comment.tail, name)
    return None if left is None else list(left)


def _put_together(lines: list[Line], comment: Comment) -> list[str]:
    """The lines that are left; none when nothing is said any more."""
    kept: list[str | None] = []
    last = len(lines) - 1
    says = False
    for at, line in enumerate(lines):
        left = _left(line) if line.gone else line.said.parts
        says = says or bool(left)
        opens = comment.marks is not None and (at == 0 or comment.each)
        closes = comment.marks is not None and (at == last or comment.each)
        if not line.gone:
            kept.append(line.raw)
        elif isinstance(left, str) and left:
            kept.append(_rewritten(line, left, closes=closes))
        elif comment.each or not (opens or closes):
            kept.append(None)
        else:
            kept.append(_bare(line, opens=opens, closes=closes))
    if not says:
        return [_tail(lines[last].raw, comment)] if comment.tail else []
    return _closed_up(kept, [line.said.code for line in lines], comment)


def _left(line: Line) -> str:
    parts = []
    at = line.said.start
    for start, end in sorted(line.gone):
        parts.append(line.raw[at:start].strip(_SEPARATORS))
        at = max(at, end)
    parts.append(line.raw[at : line.said.end].strip())
    return " ".join(part for part in parts if _WORD.search(part))


def _rewritten(line: Line, left: str, *, closes: bool) -> str:
    rest = line.raw[line.said.end :]
    return line.raw[: line.said.start] + left + (rest if closes else "\r" if rest.endswith("\r") else "")


def _bare(line: Line, *, opens: bool, closes: bool) -> str:
    """The first or last line of a block with nothing but its mark."""
    carriage = "\r" if line.raw.endswith("\r") else ""
    if opens and closes:
        return line.raw
    if opens:
        return line.raw[: line.said.start].rstrip() + carriage
    indent = line.raw[: len(line.raw) - len(line.raw.lstrip())]
    return (
        indent + line.raw[line.said.end :].strip() + carriage
        if line.raw[line.said.end :].strip()
        else indent.rstrip() + carriage
    )


def _tail(raw: str, comment: Comment) -> str:
    assert comment.marks is not None
    return raw.split(comment.marks[1], 1)[1].lstrip()


def _closed_up(kept: list[str | None], code: list[bool], comment: Comment) -> list[str]:
    """Without holes: of the lines without a word beside what went, one side's stay between two texts, else none."""
    edge = int(comment.marks is not None and not comment.each)
    if len(kept) <= edge:
        return [line for line in kept if line is not None]
    body = kept[edge : len(kept) - edge]
    out = [line for line in kept[:edge] if line is not None]
    at = 0
    while at < len(body):
        end = at
        while end < len(body) and (body[end] is None or not _WORD.search(_inside(body[end], comment))):
            end += 1
        group = body[at:end]
        if None in group:
            before = at > 0 and not code[edge + at - 1]
            out += _bridge(group, before=before, after=end < len(body), boxed=_boxed(body))
        else:
            out += [line for line in group if line is not None]
        if end < len(body):
            out.append(body[end] or "")
        at = end + 1
    return out + [line for line in kept[len(kept) - edge :] if line is not None]


def _inside(line: str | None, comment: Comment) -> str:
    """Marks that are words (``dnl``, ``rem``, Fortran's ``c``) say nothing."""
    if line is None:
        return ""
    if comment.marks is None:
        return re.sub(r"^\s*(?:@?rem|dnl|[cC*](?=\s|\W|$))", "", line, flags=re.IGNORECASE)
    return line


def _boxed(body: list[str | None]) -> tuple[bool, bool]:
    """Whether the first and the last line are a border."""
    return tuple(line is not None and _BORDER.search(line) is not None for line in (body[0], body[-1]))  # type: ignore[return-value]


def _bridge(group: list[str | None], *, before: bool, after: bool, boxed: tuple[bool, bool]) -> list[str]:
    first = group.index(None)
    final = len(group) - 1 - group[::-1].index(None)
    left = [line for line in group[:first] if line is not None]
    right = [line for line in group[final + 1 :] if line is not None]
    if before and after:
        return right or left
    borders_left = [line for line in left if _BORDER.search(line)]
    borders_right = [line for line in right if _BORDER.search(line)]
    if after:
        return (borders_right or borders_left)[-1:] if boxed[1] else []
    return (borders_left or borders_right)[-1:] if boxed[0] else []
