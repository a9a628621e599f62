"""Project Gutenberg's own text around a book: header, small print, credits, licence. All generations since 1991.

The markers alone decide, and each has to be plausible: what one of them would remove may not be longer than
``LONGEST``, otherwise it is a quotation or a misplaced line and is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 40_000
_LEAST_BODY = 20
_CREDIT_LINES = 40

_WORDS = ("gutenberg", "the small print", "full license")  # every mark has one of these on its line
_MARKS = (
    ("opening", re.compile(r"[ \t]*\*{2,3}[ \t]*START OF (?:(?:THE|THIS) )?PROJECT GUTENBERG", re.I)),
    ("small_print_end", re.compile(r"[ \t]*\*+[ \t]*END[ *]+THE SMALL PRINT", re.I)),
    ("small_print", re.compile(r"[ \t]*\*+[ \t]*START[ *]+THE SMALL PRINT", re.I)),
    (
        "closing",
        re.compile(
            r"[ \t]*(?:"
            r"\*{2,3}[ \t]*END OF (?:(?:THE|THIS) )?PROJECT GUTENBERG"
            r"|\**[ \t]*End of (?:(?:the|this) )?Project Gutenberg(?:['\u2019]s|-tm)?[ ,.]"
            r"|\**[ \t]*End of (?:the|this) (?:Etext|E-?book) of\b.{0,80}Gutenberg"
            r"|Ende dieses Proje[ck]te?s? Gutenberg"
            r"|Fin (?:de|du) (?:ce )?(?:livre|texte)?.{0,40}Project Gutenberg"
            r"|\*{2,3}[ \t]*START: FULL LICENSE"
            r"|THE FULL PROJECT GUTENBERG(?:-tm|\u2122)? LICENSE"
            r")",
            re.I,
        ),
    ),
)
_HEADER_LINE = re.compile(
    r"Project Gutenberg|gutenberg\.(?:org|net)|\[?e-?(?:text|book) ?#|release date|character set encoding", re.I
)
_CREDIT = re.compile(
    r"(?:(?:this )?(?:e-?text|e-?book|file|text)\b.{0,20}"
    r"\b(?:was )?(?:produced|prepared|scanned|created|typed|transcribed)\b"
    r"|(?:produced|prepared|scanned|typed|digiti[sz]ed|proofed|proofread) (?:and \w+ )?(?:by|from) "
    r"(?:(?-i:[A-Z(\"])|an? anonymous|anonymous|an? (?:team|volunteer)|volunteers|the (?:online|people|volunteers))"
    r"|transcribed (?:by\b|from the \d{4}\b)|html version (?:by|prepared)|updated editions? will"
    r"|note: (?:project gutenberg|images of the original)|images of the original pages"
    r"|\(this (?:file|book|e-?text|e-?book) was (?:produced|created)|credits?: )",
    re.I,
)
_CREDIT_ANYWHERE = re.compile(r"pgdp\.net|Online Distributed Proofreading|Distributed Proofread(?:ers|ing)", re.I)
_NOTE = re.compile(r"[\[\s_*|+=\-]*transcriber['\u2019]?s?['\u2019]? notes?\b", re.I)
_FINAL_NOTE = re.compile(
    r"(?:\n[ \t]*){3,}(?:[-_=*+ \t]{5,}(?:\n[ \t]*)+)?[\[{|*_ \t]*transcriber['\u2019]?s?['\u2019]? notes?\b", re.I
)
_LONGEST_NOTE = 10_000
_PARAGRAPH_END = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_FIELD = re.compile(r"^(Title|Author): *(\S[^\n]*(?:\n {4,}\S[^\n]*)*)", re.M)
_NUMBER = re.compile(r"\[?(?:e-?text|e-?book) ?#(\d{1,6})", re.I)


class Stripped(NamedTuple):
    """A book without Gutenberg's text. ``method``: the marks that were found, joined with ``+``, or ``none``."""

    text: str
    method: str
    title: str | None
    author: str | None
    number: int | None


class _Mark(NamedTuple):
    start: int
    end: int
    kind: str  # "opening", "small_print_end", "small_print", "closing"


def strip_gutenberg(text: str) -> Stripped:
    """Remove what Project Gutenberg put before and after a book, or before and after each of several.

    Source: Gutenberg's texts themselves; c-w/gutenberg's list of marks for the generations there are.
    """
    pieces, kinds, header = _bodies(text, _marks(text))
    body = "\n\n\n".join(piece.strip("\n") for piece in pieces)
    if len(body.strip()) < _LEAST_BODY and len(text.strip()) >= _LEAST_BODY:
        return Stripped(text, "kept_whole", None, None, None)
    if not kinds.intersection(("opening", "small_print_end")):
        rest = _without_header_paragraphs(body)
        if rest is not None:
            header, body = body[: len(body) - len(rest)], rest
            kinds.add("phrases")
    rest = _without_credits(body)
    if rest is not body:
        kinds.add("credits")
    end = _start_of_final_note(rest)
    if end < len(rest):
        rest = rest[:end]
        kinds.add("note")
    order = ("opening", "small_print_end", "phrases", "credits", "note", "small_print", "closing")
    method = "+".join(kind for kind in order if kind in kinds) or "none"
    return Stripped(rest.rstrip().lstrip("\n"), method, *_fields(header))


def _marks(text: str) -> list[_Mark]:
    """The marks in a text, in order. Only lines that hold one of ``_WORDS`` are looked at."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters change their length; then positions would not fit
        lowered = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    lines: set[tuple[int, int]] = set()
    for word in _WORDS:
        position = lowered.find(word)
        while position >= 0:
            end = text.find("\n", position)
            end = len(text) if end < 0 else end
            lines.add((text.rfind("\n", 0, position) + 1, end))
            position = lowered.find(word, end)
    return [_Mark(start, end, kind) for start, end in sorted(lines) for kind, end in _kind(text, start, end)]


def _kind(text: str, start: int, end: int) -> Iterator[tuple[str, int]]:
    """The kind of mark that a line is, and where the mark ends; nothing when it is none."""
    line = text[start:end]
    for kind, pattern in _MARKS:
        if pattern.match(line):
            yield kind, _closing_stars(text, end) if kind == "opening" else end
            return


def _closing_stars(text: str, end: int) -> int:
    """The end of an opening mark whose title runs on over the next lines up to its closing stars."""
    line = text[text.rfind("\n", 0, end) + 1 : end]
    if line.rstrip().endswith("***"):
        return end
    match = re.compile(r"(?:\n[^\n]+){1,4}?\*\*\*[ \t]*(?=\n|$)").match(text, end)
    return match.end() if match else end


def _bodies(text: str, marks: list[_Mark]) -> tuple[list[str], set[str], str]:
    """The stretches of text between the marks, the kinds of marks that were believed, and the first header."""
    pieces: list[str] = []
    kinds: set[str] = set()
    header = ""
    body: int | None = 0  # where the open body begins; None between a closing mark and the next opening one
    opened = False
    gap = 0  # where the stretch that is being left out began
    for index, mark in enumerate(marks):
        if mark.kind in ("opening", "small_print_end"):
            if body is None:
                if mark.kind == "small_print_end" and not _body_follows(text, marks, index):
                    continue
                body, opened = mark.end, True
            elif mark.start - body <= LONGEST and (
                not opened or mark.kind == "small_print_end" or mark.start - body < 200
            ):
                header = header or text[body : mark.start]
                body, opened = mark.end, True
            else:
                continue
            kinds.add(mark.kind)
        elif body is not None and (mark.kind == "closing" or opened):
            if _gap_after(text, marks, index) > LONGEST:
                continue
            pieces.append(text[body : mark.start])
            body, gap = None, mark.end
            kinds.add(mark.kind)
    if body is not None:
        pieces.append(text[body:])
    elif len(text) - gap > LONGEST:
        pieces.append(text[gap:])
    return pieces, kinds, header


def _gap_after(text: str, marks: list[_Mark], index: int) -> int:
    """How much a closing mark would leave out: up to the next opening mark or the end."""
    following = (mark.start for mark in marks[index + 1 :] if mark.kind in ("opening", "small_print_end"))
    return next(following, len(text)) - marks[index].end


def _body_follows(text: str, marks: list[_Mark], index: int) -> bool:
    """True when the end of a small print is followed by a book and not by the end of the file."""
    following = marks[index + 1].start if index + 1 < len(marks) else len(text)
    return len(text[marks[index].end : following].strip()) > 2_000


def _without_header_paragraphs(text: str) -> str | None:
    """The text after leading paragraphs that speak of Project Gutenberg; None when the first one does not."""
    position, seen = 0, False
    text_start = len(text) - len(text.lstrip())
    position = text_start
    while position < min(len(text), LONGEST):
        match = _PARAGRAPH_END.search(text, position)
        end = match.end() if match else len(text)
        paragraph = text[position:end]
        if not (_HEADER_LINE.search(paragraph) or (seen and _FIELD.match(paragraph))):
            break
        position, seen = end, True
    return text[position:] if seen and position < len(text) else None


def _without_credits(text: str) -> str:
    """The text after leading credits and transcriber's notes; the same object when there are none."""
    rest = text
    while True:
        start = rest.lstrip()
        end = _end_of_credit(start)
        if end == 0 or len(start) - end < _LEAST_BODY:
            return rest
        rest = start[end:].lstrip("\n")


def _end_of_credit(text: str) -> int:
    """The end of the credit or note that the text begins with, or 0."""
    match = _PARAGRAPH_END.search(text)
    end = match.end() if match else len(text)
    paragraph = text[:end]
    if paragraph.count("\n") > _CREDIT_LINES:
        return 0
    if _CREDIT.match(paragraph) or _CREDIT_ANYWHERE.search(paragraph):
        return end
    note = _NOTE.match(paragraph)
    if note is None:
        return 0
    if paragraph.startswith("["):
        close = text.find("]", 0, 5_000)
        return close + 1 if close > 0 else end
    if paragraph[note.end() :].strip(" :.\n_*|+=-"):
        return end
    return _end_of_section(text, end)  # the heading stands alone: the note is what follows


def _end_of_section(text: str, position: int) -> int:
    """The end of the paragraphs up to the next gap of two blank lines, or of one paragraph when that is far."""
    gap = re.compile(r"\n[ \t]*\n[ \t]*\n").search(text, position)
    if gap and text.count("\n", position, gap.start()) <= _CREDIT_LINES:
        return gap.end()
    match = _PARAGRAPH_END.search(text, position)
    return match.end() if match else position


def _start_of_final_note(text: str) -> int:
    """Where the transcriber's note begins with which the text ends, or the end of the text.

    Two blank lines precede it, and it is short; one in brackets has to close at the end.
    """
    for match in _FINAL_NOTE.finditer(text, max(len(text) - _LONGEST_NOTE, len(text) // 2)):
        close = text.find("]", match.end()) if "[" in match.group() else len(text)
        if not text[close + 1 :].strip(" \n|_*=+-"):
            return match.start()
    return len(text)


def _fields(header: str) -> tuple[str | None, str | None, int | None]:
    fields = {name: " ".join(value.split()) for name, value in _FIELD.findall(header)}
    number = _NUMBER.search(header)
    return fields.get("Title"), fields.get("Author"), int(number.group(1)) if number else None
