"""Where books begin and end in a file: the marks that Project Gutenberg sets, and which of them are believed.

A mark alone proves nothing: parts of a book have end lines of their own, and a book may quote one. An opening mark is
believed when what stands before it reads as a header, a closing mark when what follows reads as the end of a file
(licence, small print, other marks) or when nothing follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 40_000
"""No header and no licence is longer than so many characters."""

# Characters, spaces not counted, of paragraphs in a row that do not speak of Gutenberg. In 3,300 real headers at most
# 1,483 (a list of contributors), in as many licences 1,291; more are a text.
_HEADER_RUN = 3_000
_END_RUN = 1_500
# Such characters between a mark and the first paragraph that does: a title, an author, a page number.
_BEFORE_HEADER = 600
_AFTER_MARK = 200
_LONGEST_TITLE = 1_000

_OPENING = re.compile(
    r"[ \t]*(?:"
    r"\*{1,4}[ \t]*(?:START|BEGINNING) OF (?:(?:THE|THIS) )?(?:COPYRIGHTED )?PROJECT[ -]GUTENBERG"
    r"|\*{2,4}[ \t]*(?:ANFANG|BEGINN|D[ÉE]BUT|IN[IÍ]CIO|COMIENZO|PRINCIPIO|INIZIO|ALKU|BEGIN|START)\b.{0,40}GUTENBERG"
    r"|(?:To contact|Go to) Project Gutenberg (?:of )?Australia\b"
    r"|\W*(?:Project Gutenberg Canada|Faded Page|Distributed Proofreaders Canada) e-?book #"
    r")",
    re.I,
)
_SMALL_PRINT_END = re.compile(r"[ \t]*(?:\*+[ \t]*END[ *]+THE SMALL PRINT|\[\"Small Print\" V\.)", re.I)
_SMALL_PRINT = re.compile(r"[ \t]*\*+[ \t]*(?:START[ *]+(?:OF )?)?(?:THE )?SMALL PRINT[ !]", re.I)
_STRONG_CLOSING = re.compile(
    r"[ \t]*(?:"
    r"\*{1,4}[ \t]*END(?:ING)? OF (?:(?:THE|THIS) )?(?:COPYRIGHTED )?PROJECT[ -]GUTENBERG"
    r"|\*{2,3}[ \t]*START:[ \t]*FULL LICENSE"
    r"|THE FULL PROJECT GUTENBERG(?:-tm|\u2122)? LICENSE"
    r")",
    re.I,
)
_CLOSING = re.compile(
    r"[\W_]{0,12}(?:"
    r"(?:(?:this|here) is )?(?:the )?end (?:of )?(?:(?:the|this) )?Project[ -]Gutenb[eu]rg"
    r"|(?:the )?end of (?:this|the) (?:is )?(?:copyrighted )?(?:Project Gutenberg )?e-?(?:text|book)\b"
    r"|(?:the )?end of (?!the gutenberg)[^.!?]{0,80}\bProject Gutenberg(?:['\u2019]s|-tm)?(?: e-?(?:text|book))?\b"
    r"|(?:Ende|Schluss) (?:von|des|dieses?|der|vom)\b.{0,60}Gutenberg"
    r"|Fin (?:de|du|des|del|d['\u2019])\b.{0,60}Gutenberg"
    r"|Fi(?:ne|m) d\S*.{0,60}Gutenberg"
    r"|Einde? (?:van|voor)\b.{0,60}Gutenberg"
    r"|Slut(?:et)? (?:p\xe5|af|av)\b.{0,60}Gutenberg"
    r"|.{0,60}Gutenberg.{0,30} (?:loppuu|p\xe4\xe4ttyy)"
    r"|This is a copyrighted Project Gutenberg e-?(?:text|book), details above"
    r"|This file should be named\b"
    r"|More information about this book is at the top of this file"
    r"|Information prepared by the Project Gutenberg legal advisor"
    r"|This site is full of FREE e-?books|Project Gutenberg (?:of )?Australia\s*$"
    r"|(?<=\[)(?:the )?end of .{1,150}\bby\b"
    r")",
    re.I,
)
_TITLE = re.compile(r"[\W_]{0,12}(?:the )?Project Gutenberg(?:['\u2019]s)? e-?(?:text|book) of\b", re.I)
_MARKS = (
    ("opening", _OPENING),
    ("small_print_end", _SMALL_PRINT_END),
    ("small_print", _SMALL_PRINT),
    ("closing", _STRONG_CLOSING),
    ("end_line", _CLOSING),
    ("title", _TITLE),
)
# Every mark has one of these on its line, and this word itself is not far from it.
_NAME = ("utenberg", "UTENBERG")
_WORDS = (
    "gutenberg",
    "gutenburg",
    "small print",
    "full license",
    "etext",
    "e-text",
    "ebook",
    "e-book",
    "this file",
    "file should be named",
    "[end of",
    "[the end of",
)
_STARTS = ("opening", "small_print_end")
_BEHIND = {"small_print": _END_RUN, "closing": _END_RUN}

# What a paragraph of a header or licence holds, and hardly one of a book.
_SPEAKING = (
    "gutenberg",
    "small print",
    "electronic work",
    "electronic text",
    "electronic version",
    "public domain",
    "terms of use",
    "donation",
    "donate",
    "fadedpage",
    "pgdp",
    "proofread",
    "transcriber",
)
_ELECTRONIC = re.compile(r"\be-?(?:text|book)s?\b")
_BLANK_BEFORE = re.compile(r"(?:\A|\n[ \t]*\n)[ \t]*\Z")
_BLANK_AFTER = re.compile(r"[ \t]*(?:\n[ \t]*(?:\n|\Z)|\Z)")
_STARS = re.compile(r"(?:\n[^\n]+){1,4}?\*\*\*[ \t]*(?=\n|$)")
_TEXT = re.compile(r"\w")
_BLANK = re.compile(r"\n[ \t\f]*\n")
_MOST_MARKS = 50  # a header or licence has about ten marks


class Mark(NamedTuple):
    """A line that may begin or end a book: where it stands, and of which kind it is."""

    start: int
    end: int
    kind: str  # "opening", "small_print_end", "small_print", "closing", "end_line", "title"


class Bodies(NamedTuple):
    """The books of a file as pieces of its text, the kinds of marks that were believed, and the first header."""

    pieces: list[str]
    kinds: set[str]
    header: str


class _Reading(NamedTuple):
    """How many characters of a stretch do not speak of Gutenberg: before the first paragraph that does, and at most."""

    first: int
    most: int


def find_marks(text: str) -> list[Mark]:
    """The marks in a text, in order: lines with one of ``_WORDS``, at either end or not far from Gutenberg's name."""
    lines: set[tuple[int, int]] = set()
    for begin, stop in _neighbourhoods(text):
        lowered = text[begin:stop].lower()
        if len(lowered) != stop - begin:  # a few letters change their length; then positions would not fit
            lowered = "".join(char.lower() if len(char.lower()) == 1 else char for char in text[begin:stop])
        for word in _WORDS:
            position = lowered.find(word)
            while position >= 0:
                end = text.find("\n", begin + position)
                end = len(text) if end < 0 else end
                lines.add((text.rfind("\n", 0, begin + position) + 1, end))
                position = lowered.find(word, end - begin)
    return [mark for start, end in sorted(lines) for mark in _mark(text, start, end)]


def _neighbourhoods(text: str) -> Iterator[tuple[int, int]]:
    """Both ends of a text and what is near to Gutenberg's name, in pieces that do not overlap, from line to line."""
    places = [0, len(text)]
    for name in _NAME:
        position = text.find(name)
        while position >= 0:
            places.append(position)
            position = text.find(name, position + len(name))
    begin, stop = 0, 0
    for place in sorted(places):
        if place - LONGEST > stop:
            yield begin, stop
            begin = text.rfind("\n", 0, place - LONGEST) + 1
        stop = text.find("\n", min(place + LONGEST, len(text)))
        stop = len(text) if stop < 0 else stop
    yield begin, stop


def _mark(text: str, start: int, end: int) -> Iterator[Mark]:
    """The mark that a line is; nothing when it is none."""
    line = text[start : min(end, start + 400)]
    for kind, pattern in _MARKS:
        if pattern.match(line):
            yield Mark(start, _closing_stars(text, start, end) if kind in ("opening", "closing") else end, kind)
            return


def _closing_stars(text: str, start: int, end: int) -> int:
    """The end of a mark whose title runs on over the next lines up to its closing stars."""
    line = text[start:end].strip()
    if not line.startswith("**") or line.endswith("***"):
        return end
    match = _STARS.match(text, end)
    return match.end() if match else end


def find_bodies(text: str) -> Bodies:
    """Split a file into its books. Linear in the text and the number of marks."""
    return _Splitter(text).split()


class _Splitter:
    """One pass over the marks of a text; what stands between two of them is read once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.marks = find_marks(text)
        self.readings: dict[int, _Reading] = {}
        self.found = Bodies([], set(), "")

    def split(self) -> Bodies:
        """The books between the marks that are believed."""
        opened = -1  # the mark at which the open body begins
        for index, mark in enumerate(self.marks):
            if mark.kind not in _STARTS:
                continue
            header, cut = self._is_header(opened, index), self._end(opened, index)
            if header and (opened < 0 or cut is None):
                self.found = self.found._replace(
                    header=self.found.header or self.text[self._begin(opened) : mark.start]
                )
            elif cut is not None:
                self._close(opened, cut)
            else:
                continue
            opened = index
            self.found.kinds.update([mark.kind] if self._book_follows(index) else [])
        self._close(opened, self._end(opened, len(self.marks)))
        return self.found

    def _begin(self, index: int) -> int:
        """Where the text behind a mark begins; behind none (-1) at the beginning."""
        return self.marks[index].end if index >= 0 else 0

    def _limit(self, index: int) -> int:
        """Where the text before a mark ends; before none at the end."""
        return self.marks[index].start if index < len(self.marks) else len(self.text)

    def _close(self, opened: int, cut: int | None) -> None:
        """Take what stands between an opening mark and the closing one, without end lines of its parts."""
        last = len(self.marks) if cut is None else cut
        if cut is not None:
            self.found.kinds.add("small_print" if self.marks[cut].kind == "small_print" else "closing")
        parts, position = [], self._begin(opened)
        for mark in self.marks[opened + 1 : last]:
            if mark.kind in ("end_line", "closing") and _stands_alone(self.text, mark):
                parts.append(self.text[position : mark.start].rstrip())
                position = mark.end
        self.found.pieces.append("".join([*parts, self.text[position : self._limit(last)]]))

    def _is_header(self, opened: int, index: int) -> bool:
        """True when what stands before an opening mark reads as a header, and a book follows it."""
        begin, end = self._begin(opened), self.marks[index].start
        if end - begin > LONGEST or index - opened > _MOST_MARKS or not self._book_follows(index):
            return False
        readings = [self._reading(position) for position in range(opened, index)]
        first = _BEFORE_HEADER if opened < 0 else _AFTER_MARK
        return readings[0].first <= first and all(reading.most <= _HEADER_RUN for reading in readings)

    def _book_follows(self, index: int) -> bool:
        """True when there is text behind a mark, other marks left out."""
        behind = range(index, min(len(self.marks), index + _MOST_MARKS))
        return any(_TEXT.search(self.text, self._begin(each), self._limit(each + 1)) for each in behind)

    def _end(self, opened: int, index: int) -> int | None:
        """The closing mark before a mark (or the end) that ends the open body: the first behind which no text is."""
        most = _MOST_MARKS if index < len(self.marks) else len(self.marks)  # the end of the file comes once only
        left, cut = LONGEST, None
        for position in range(index - 1, max(opened, index - 1 - most), -1):
            mark, reading = self.marks[position], self._reading(position)
            left -= self._limit(position + 1) - mark.end
            if reading.most > _END_RUN or left < 0:
                break
            if mark.kind == "title" and not _TEXT.search(self.text, self._begin(opened), mark.start):
                continue  # the first line of the file
            if mark.kind not in _STARTS and reading.first <= _BEHIND.get(mark.kind, _AFTER_MARK):
                cut = position
        return cut

    def _reading(self, index: int) -> _Reading:
        """How the stretch from one mark to the next reads."""
        if index not in self.readings:
            self.readings[index] = _read(self.text, self._begin(index), self._limit(index + 1))
        return self.readings[index]


def _read(text: str, begin: int, end: int) -> _Reading:
    if end - begin > LONGEST:
        return _Reading(LONGEST, LONGEST)
    paragraphs = _BLANK.split(text[begin:end])
    # A title, or who wrote it, may go on below the line of a mark.
    if begin and len(paragraphs[0]) <= _LONGEST_TITLE and paragraphs[0].strip():
        below = _count(paragraphs[1:])
        if below.first <= _AFTER_MARK:
            return below
    return _count(paragraphs)


def _count(paragraphs: list[str]) -> _Reading:
    first, most, run, spoke = 0, 0, 0, False
    for paragraph in paragraphs:
        if _speaks(paragraph):
            run, spoke = 0, True
            continue
        run += sum(map(len, paragraph.split()))
        most = max(most, run)
        if not spoke:
            first = run
    return _Reading(first, most)


def _speaks(paragraph: str) -> bool:
    """True when a paragraph holds what those of a header or licence do."""
    lowered = paragraph.lower()
    return any(word in lowered for word in _SPEAKING) or _ELECTRONIC.search(lowered) is not None


def _stands_alone(text: str, mark: Mark) -> bool:
    """True when a line with Gutenberg's name has blank lines, or nothing, before and after it."""
    before, after = text[max(0, mark.start - 200) : mark.start], text[mark.end : mark.end + 200]
    return (
        "gutenberg" in text[mark.start : mark.end].lower()
        and _BLANK_BEFORE.search(before) is not None
        and _BLANK_AFTER.match(after) is not None
    )
