"""Reads a comment as sentences, over its lines, and says which of them are a licence's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from llama_data.stages.github.comments import FIXED_FORM, Comment, style_of
from llama_data.stages.github.copyright import INNER_NOTICE, is_notice
from llama_data.stages.github.known_texts import known_words, words_of
from llama_data.stages.github.preludes import is_directive
from llama_data.stages.github.sentences import Kind, kind_of

# A dash before a word is a bullet, and part of what is said.
_MARKS = re.compile(r"(?:[\s*#/;%!~|>+=._]|-(?! \w))*")
_TAGS = re.compile(r"(?:</?[a-zA-Z][a-z0-9]*>\s*)+")
_POD_COMMAND = re.compile(r"=\w+\s*")
_TRAILING = re.compile(r"[\s*#/;%!~|+=_\-]*\Z")
_WORD = re.compile(r"\w")
_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9©])")
# No sentence ends behind these, unless what follows begins one for certain.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Za-z]|Inc|Ltd|Co|Corp|Dr|St|Jr|Sr|Mr|Mrs|Ms|Univ|Dept|Inst|e\.g|i\.e|vs|No|Nr|v|ver|Ver|cf"
    r"|al|etc|"
    r"S\.A|B\.V|L\.P|LLC|[Cc]opr|approx|Prof|Bros|Intl)\.[\"')\]]*\s+\Z"
)
_BEGINS = re.compile(
    r"(?:All|This|These|The|See|Use|Licensed|Permission|It|Distributed|Released|For|Please|Redistribution"
    r"|Unauthori[sz]ed|You|"
    r"Copyright|Portions|Read|Provided|Subject|Any|No|Some|Rights)\b"
    # A capital and a small letter: no surname, but "Computes tides."
    r"|[A-Z][a-z]+ (?!(?:and|et|de|van|von|of|for|der|und|y|e)\b)[a-z]"
)
_FRESH = re.compile(
    r"(?:\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]\s|[-*o•+]\s|[@\\]\w|:[\w -]+:|=head|[A-Z][\w-]*(?: \w+)?\s*:\s"
    r"|\$\w+(?::|\$))"
)
_CONNECTS = re.compile(
    r"(?:and|or|as|in|with|under|which|that|found|see|of|by|to|for|at|on|the|a|an|may|is|are"
    r"|file)\b"
)
_UNFINISHED = re.compile(
    r"(?:[,;&(\-\u2013]|\b(?:and|by|of|the|for|or|at|in|with|to|(?-i:a|an)|is|are|be|under|from|that|as|this|The"
    r"|\(c\)"
    r"|copyright|license))\s*\Z",
    re.IGNORECASE,
)
_WHOLE = re.compile(
    r"\W*(?:(?:dual[- ])?licen[cs]ed under (?:the |a )?[\w .+/-]{2,40}(?:licen[cs]e|mit|bsd|gpl\w*)(?:,?"
    r" (?:version|v) ?[\d.]+)?"
    r"|licen[cs]e\s*:\s*\S.{0,40}|spdx-[\w-]+:.*|all rights reserved|(?:the )?\S+ licen[cs]e(?: \(mit\))?)\W*\Z",
    re.IGNORECASE,
)
# A sentence that comes to its notice only now: "Parts of it are (c) 2001".
_LEADS = re.compile(
    r"\b(?:is|are|was|were|originally|remains?|under|has|have|parts?|portions?|code"
    r"|some)\s*\Z",
    re.IGNORECASE,
)
_DASH = re.compile(r"\s+(?:[-\u2013\u2014|/]|--)\s+|;\s+")
_HOLDERLESS = re.compile(r"(?:(?:19|20)\d\d|\(c\)|©|copyright)[\s,.]*\Z", re.IGNORECASE)
_MORE_HOLDERS = re.compile(r"\W*(?:19|20)\d\d\b|.{0,60}[\w.+-]+@[\w-]+\.\w+.{0,4}\Z|\W*(?:and|&|by)\s", re.IGNORECASE)
# Initials are one more holder: "Copyright A / B".
_INITIALS = re.compile(r"[A-Z][A-Z.& ]{0,12}\Z")
_CORPORATE = re.compile(
    r".{0,50}\b(?:Inc|Ltd|LLC|GmbH|Corp\w*|Foundation|University|Authors|Contributors|B\.V"
    r"|S\.A)\b.{0,12}\Z"
)
_NARROW = 60
# Lines end unevenly by so much.
_SLACK = 10
_FRAGMENT_WORDS = 3
# Share of known words that makes text beside a licence part of it.
_KNOWN_HERE = 0.75


class Piece(NamedTuple):
    """Characters ``start`` to ``end`` of a line; ``indent`` is the column of the line's first word."""

    line: int
    start: int
    end: int
    text: str
    indent: int


@dataclass
class Unit:
    """What is judged as one: a sentence, a notice, a label, over one line or several. ``paragraph`` counts from 0."""

    pieces: list[Piece]
    paragraph: int
    text: str
    code: bool = False
    kind: Kind = Kind.text
    notice: bool = False
    ends: bool = False


class _Part(NamedTuple):
    """A sentence of a line, or a part of one. ``whole``: it says all that there is to say."""

    start: int
    end: int
    text: str
    notice: bool
    whole: bool


class _Content(NamedTuple):
    """What a line says, from ``start`` to ``end``. ``code``: it is for a tool."""

    start: int
    end: int
    code: bool
    parts: tuple[_Part, ...]


@dataclass
class Line:
    """A line of the comment, and what of it goes."""

    raw: str
    said: _Content
    gone: list[tuple[int, int]] = field(default_factory=list)


def contents(lines: Sequence[str], comment: Comment, name: str) -> list[Line]:
    """The lines of a comment of a language, by its extension, with what each says."""
    found = []
    last = len(lines) - 1
    for at, raw in enumerate(lines):
        start, end = 0, len(raw)
        if comment.marks is not None:
            begin, close = comment.marks
            if at == 0 or comment.each:
                start = len(raw) - len(raw.lstrip()) + len(begin)
            if (at == last or comment.each) and close:
                end = start if close == "=cut" else max(raw.find(close, start), start)
            if close == "=cut" and (command := _POD_COMMAND.match(raw, 0, end)) is not None:
                start = command.end()
        else:
            start = _behind_mark(raw, name)
        found.append(Line(raw, _read(raw, start, end)))
    return found


def _behind_mark(raw: str, name: str) -> int:
    indent = len(raw) - len(raw.lstrip())
    rest = raw[indent:].lower()
    if name in FIXED_FORM and raw[:1] in ("c", "C", "*"):
        return 1
    marks = [mark for mark in style_of(name).lines if rest.startswith(mark)]
    return indent + max(map(len, marks), default=len(rest.rstrip()))


@lru_cache(maxsize=1 << 14)
def _read(raw: str, start: int, end: int) -> _Content:
    """What a line says between two places; lines of licences are met again and again."""
    start += len(_MARKS.match(raw[start:end])[0])  # type: ignore[index]
    if (tags := _TAGS.match(raw, start, end)) is not None and _WORD.search(raw, tags.end(), end):
        start = tags.end()
    end = max(start, start + len(_TRAILING.sub("", raw[start:end])))
    if not _WORD.search(raw, start, end):
        return _Content(end, end, False, ())
    content = raw[start:end]
    if is_directive(raw.lstrip(), content):
        return _Content(start, end, True, (_Part(start, end, content, False, False),))
    parts = []
    for a, b in _cuts(content):
        text = content[a:b].strip()
        inner = INNER_NOTICE.search(text)
        notice = is_notice(text) or (inner is not None and _LEADS.search(text[: inner.start()]) is not None)
        parts.append(_Part(start + a, start + b, text, notice, _WHOLE.match(text) is not None))
    return _Content(start, end, False, tuple(parts))


def _cuts(content: str) -> list[tuple[int, int]]:
    """The sentences of a line, and a notice apart from what is said before it."""
    cuts = [0]
    for found in _END.finditer(content):
        before, after = content[: found.end()], content[found.end() :]
        if _ABBREVIATION.search(before) is None or _BEGINS.match(after) is not None:
            cuts.append(found.end())
    cuts.append(len(content))
    spans = []
    for start, end in pairwise(cuts):
        text = content[start:end]
        while (apart := _apart(text)) > 0:
            spans.append((start, start + apart))
            start += apart
            text = content[start:end]
        inner = INNER_NOTICE.search(text)
        if inner and inner.start() and not is_notice(text) and not _LEADS.search(text[: inner.start()]):
            spans.append((start, start + inner.start()))
            start += inner.start()
        spans.append((start, end))
    return spans


def _apart(text: str) -> int:
    """Where, behind a dash, bar or semicolon, a licence begins or something else begins behind one; 0: nowhere."""
    for found in _DASH.finditer(text):
        before, after = text[: found.start()].strip(), text[found.end() :].strip()
        kind = kind_of(after)
        if kind_of(before) is Kind.licence:
            more = kind is Kind.text and len(after.split()) > _FRAGMENT_WORDS and not after[0].isdigit()
            return found.end() if more or kind in (Kind.glue, Kind.address, Kind.attribution) else 0
        if kind is Kind.licence or kind_of(_DASH.split(after)[0]) is Kind.licence:
            return found.end()
    return 0


def units_of(lines: list[Line]) -> list[Unit]:
    """What is judged as one, over the comment's lines."""
    units: list[Unit] = []
    paragraph = 0
    width = max([_NARROW, *(line.said.end for line in lines)])
    fresh = True
    for number, line in enumerate(lines):
        said = line.said
        if not said.parts:
            paragraph += not fresh
            fresh = True
            continue
        for first, part in enumerate(said.parts):
            piece = Piece(number, part.start, part.end, part.text, said.start)
            if first == 0 and not fresh and not said.code and _goes_on(units[-1], piece, part.notice, lines, width):
                units[-1].pieces.append(piece)
                units[-1].text += " " + piece.text
                units[-1].ends = False
            else:
                units.append(Unit([piece], paragraph, piece.text, said.code, notice=part.notice, ends=part.whole))
        fresh = said.code
    return units


def _goes_on(unit: Unit, piece: Piece, notice: bool, lines: list[Line], width: int) -> bool:
    """True when a line's first piece belongs to the unit before it."""
    text, before = piece.text, unit.text
    if notice:
        return False
    if unit.notice:
        return _more_of_notice(unit, piece)
    if before.endswith((".", "!", "?", '."', ".)", ".'")) and not before.endswith(("e.g.", "i.e.")):
        return False
    if _FRESH.match(text):
        return False
    if unit.ends:
        return _CONNECTS.match(text) is not None
    if _UNFINISHED.search(before) or not (text[0].isupper() or text[0].isdigit()):
        return True
    if kind_of(before) is Kind.text and kind_of(text) is Kind.licence:
        return False
    # A word that would have had room on the line before begins something new.
    return lines[unit.pieces[-1].line].said.end + len(text.split(None, 1)[0]) > width - _SLACK


def _more_of_notice(unit: Unit, piece: Piece) -> bool:
    text = piece.text
    if _FRESH.match(text) or _WHOLE.match(text):
        return False
    if _HOLDERLESS.search(unit.text) or _UNFINISHED.search(unit.text) or _CONNECTS.match(text):
        return True
    last = unit.pieces[-1]
    if piece.indent > unit.pieces[0].indent and (len(unit.pieces) == 1 or piece.indent >= last.indent):
        return True
    return any(pattern.match(text) for pattern in (_MORE_HOLDERS, _CORPORATE, _INITIALS))


def judge(units: list[Unit]) -> None:
    """Give each unit its kind: ``licence`` for what goes, whatever it was beside it."""
    for unit in units:
        unit.kind = Kind.text if unit.code else Kind.licence if unit.notice else kind_of(unit.text)
    if not any(unit.kind is Kind.licence for unit in units):
        return
    for unit in units:
        if unit.kind is Kind.legal:
            unit.kind = Kind.licence
    _find_known(units)
    for at in range(1, len(units)):
        _join(units[at], units[at - 1], after=True)
    for at in range(len(units) - 2, -1, -1):
        _join(units[at], units[at + 1], after=False)
    for at in range(1, len(units) - 1):
        unit = units[at]
        around = units[at - 1].kind is Kind.licence and units[at + 1].kind is Kind.licence
        together = units[at - 1].paragraph == unit.paragraph == units[at + 1].paragraph
        if around and together and not unit.code and len(unit.text.split()) <= _FRAGMENT_WORDS:
            unit.kind = Kind.licence


def _find_known(units: list[Unit]) -> None:
    """What was cut off in the middle of a licence's text, by a line that ended early, is found in its context."""
    if not any(unit.kind is Kind.text and not unit.code for unit in units):
        return
    words = [words_of(unit.text) for unit in units]
    known = known_words([word for said in words for word in said])
    at = 0
    for unit, said in zip(units, words, strict=True):
        found = sum(known[at : at + len(said)])
        at += len(said)
        if unit.kind is Kind.text and not unit.code and said and found >= _KNOWN_HERE * len(said):
            unit.kind = Kind.licence


def _join(unit: Unit, neighbour: Unit, *, after: bool) -> None:
    """What belongs to a licence that stands beside it goes with it; authors only before it, or in its paragraph."""
    if neighbour.kind is not Kind.licence:
        return
    near = neighbour.paragraph == unit.paragraph
    with_it = (
        unit.kind is Kind.glue
        or (unit.kind is Kind.attribution and (near or not after))
        or (unit.kind is Kind.address and near and after)
    )
    if with_it:
        unit.kind = Kind.licence
