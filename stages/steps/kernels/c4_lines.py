"""C4's line rules over the UTF-8 bytes of a page, in one pass of a compiled kernel.

The rules and their order are TFDS's ``clean_page`` (tensorflow_datasets/text/c4_utils.py). Lines, words, ``strip``
and ``lower`` mean exactly what they mean for Python's str.

Most lines of the web go for how they end. So the search for a line's end looks at eight bytes at a time and notes on
its way what may be in the line; the end mark is asked before anything that reads the line again; and kept lines that
follow each other are copied together.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.code_points import characters as all_characters
from llama_data.pipeline.kernels.memory import PADDING, address, load_word, padded
from llama_data.pipeline.kernels.swar import first_below, first_equal, first_place
from llama_data.pipeline.kernels.utf8 import (
    BREAK,
    CLASSES,
    PLAIN,
    SPACE,
    WIDE,
    Bytes,
    characters,
    decode_trusted_at,
    strip_left,
    strip_right,
    wide,
    wide_kind,
    wide_size,
)
from llama_data.stages.steps.kernels.c4_constants import Line, LineRules
from llama_data.stages.steps.kernels.c4_phrases import JAVASCRIPT, LOREM, POLICY, find_phrases

# What becomes of a line, as plain numbers for kernels; the order is that of ``Line``.
_KEPT, _LONG_WORD, _NO_END_MARK, _FEW_WORDS, _OF_JAVASCRIPT, _OF_POLICY, _LOREM_PAGE, _BRACE_PAGE, _JAVASCRIPT_PAGE = (
    int(member) for member in Line
)
_FIRST_OF_PAGES = _LOREM_PAGE
# Flags of what the search for a line's end saw on its way.
_BRACKET, _CURLY, _KELVIN = 1, 2, 4
# Bytes at which the search stops to look.
_BREAKS, _WIDE, _OPENING = 1, 2, 3
_STOPS = np.zeros(256, np.uint8)
_STOPS[[10, 11, 12, 13, 28, 29, 30]] = _BREAKS
_STOPS[[0xC2, 0xE2]] = _WIDE
_STOPS[[ord("["), ord("{")]] = _OPENING
_LF, _CR, _BLANK, _DOT, _OPEN, _CLOSE, _CURLY_OPEN = 10, 13, 32, 46, ord("["), ord("]"), ord("{")
_KELVIN_SIGN = tuple("\u212a".encode())


class _Numbers(NamedTuple):
    """``LineRules`` as kernels take them; ``longest`` is beyond all words when they have no limit."""

    longest: int
    words: int
    count_first: bool
    ellipsis: bool
    citations: bool
    policies: bool
    javascript_kills: bool


def _digit_starts() -> NDArray[np.int32]:
    """First code points of the runs of ten that are Unicode decimal digits (category Nd)."""
    points = list(map(ord, re.findall(r"\d", all_characters())))
    starts = points[::10]
    if points != [start + digit for start in starts for digit in range(10)]:
        raise AssertionError("Unicode digits no longer come in runs of ten")
    return np.array(starts, np.int32)


_DIGITS = _digit_starts()
_EDIT = np.frombuffer(b"[edit]", np.uint8)
_NEEDED = np.frombuffer(b"[citation needed]", np.uint8)


@njit(cache=True, nogil=True)
def _digit(src: Bytes, at: int) -> int:
    """Length in bytes of the Unicode decimal digit at ``at``; 0 where there is none."""
    point, length = decode_trusted_at(address(src) + at)
    found = np.searchsorted(_DIGITS, point, side="right") - 1
    return length if found >= 0 and point - _DIGITS[found] < 10 else 0


@njit(cache=True, nogil=True)
def _same(src: Bytes, at: int, end: int, word: Bytes) -> bool:
    return at + word.size <= end and bool(np.all(src[at : at + word.size] == word))


@njit(cache=True, nogil=True)
def _citation(src: Bytes, at: int, end: int) -> int:
    """Length in bytes of the citation mark at the bracket ``at``: [], digits in brackets, [edit] ...; else 0."""
    here = at + 1
    while here < end:
        if src[here] == _CLOSE:
            return here + 1 - at
        length = _digit(src, here)
        if length == 0:
            break
        here += length
    if _same(src, at, end, _EDIT):
        return int(_EDIT.size)
    if _same(src, at, end, _NEEDED):
        return int(_NEEDED.size)
    return 0


@njit(cache=True, nogil=True)
def _without_citations(src: Bytes, start: int, end: int, out: Bytes, to: int) -> int:
    """Copy a line without its citation marks; returns where it ends in ``out``."""
    at = start
    while at < end:
        char = src[at]
        if char == _OPEN:
            length = _citation(src, at, end)
            if length:
                at += length
                continue
        out[to] = char
        to += 1
        at += 1
    return to


@njit(cache=True, nogil=True)
def _has_words(src: Bytes, start: int, end: int, minimum: int) -> bool:
    """True when there are at least ``minimum`` words."""
    words = 0
    gap = True
    at = start
    while at < end and words < minimum:
        kind = CLASSES[src[at]]
        length = 1
        if kind == WIDE:
            found = wide(src, at, end)
            kind = wide_kind(found)
            length = wide_size(found)
        words += gap and kind == PLAIN
        gap = kind != PLAIN
        at += length
    return words >= minimum


@njit(cache=True, nogil=True)
def _stops_in(word):  # type: ignore[no-untyped-def]
    """Marks those of eight bytes that may be a control character, [, {, C2 or E2: none is missed."""
    return (
        first_below(word, _BLANK)
        | first_equal(word, _OPEN)
        | first_equal(word, _CURLY_OPEN)
        | first_equal(word, 0xC2)
        | first_equal(word, 0xE2)
    )


@njit(cache=True, nogil=True)
def _line_end(src: Bytes, start: int, end: int) -> tuple[int, int, int]:
    """End of the line, start of the next, and flags of what is in it: brackets, the Kelvin sign."""
    flags = 0
    base = start
    while base < end:
        stops = _stops_in(load_word(src, base))
        while stops != 0:
            at = base + first_place(stops)
            stops &= stops - np.uint64(1)
            if at >= end:
                return end, end, flags
            char = src[at]
            kind = _STOPS[char]
            if kind == _BREAKS:
                following = at + 2 if char == _CR and at + 1 < end and src[at + 1] == _LF else at + 1
                return at, following, flags
            if kind == _WIDE:
                found = wide(src, at, end)
                if wide_kind(found) == BREAK:
                    return at, at + wide_size(found), flags
                if (
                    char == _KELVIN_SIGN[0]
                    and at + 2 < end
                    and src[at + 1] == _KELVIN_SIGN[1]
                    and src[at + 2] == _KELVIN_SIGN[2]
                ):
                    flags |= _KELVIN
            elif kind == _OPENING:
                flags |= _BRACKET if char == _OPEN else _CURLY
        base += 8
    return end, end, flags


@njit(cache=True, nogil=True)
def _has_long_word(src: Bytes, start: int, end: int, limit: int) -> bool:
    """True when a word has more than ``limit`` characters; a line without line breaks is expected."""
    at = start
    word = start
    while at < end:
        # Not by CLASSES: comparisons of one register are quicker here than a load that depends on the byte.
        char = src[at]
        length = 1
        space = char == 32 or char == 9 or char == 31
        if char == 0xC2 or char == 0xE1 or char == 0xE2 or char == 0xE3:
            found = wide(src, at, end)
            space = wide_kind(found) == SPACE
            length = wide_size(found)
        if space:
            # A word has at least as many bytes as characters: few are counted.
            if at - word > limit and characters(src, word, at) > limit:
                return True
            word = at + length
        at += length
    return end - word > limit and characters(src, word, end) > limit


@njit(cache=True, nogil=True)
def _ends_well(src: Bytes, start: int, end: int, marks: Bytes, ellipsis: bool) -> bool:
    if end == start or not marks[src[end - 1]]:
        return False
    dots = end - start >= 3 and src[end - 1] == _DOT and src[end - 2] == _DOT and src[end - 3] == _DOT
    return not (ellipsis and dots)


@njit(cache=True, nogil=True)
def _verdict(flags: int, curly: bool, javascript_kills: bool, policy: bool) -> int:
    """What the forbidden things in a line come to, in TFDS's order."""
    if flags & LOREM:
        return _LOREM_PAGE
    if flags & JAVASCRIPT:
        return _JAVASCRIPT_PAGE if javascript_kills else _OF_JAVASCRIPT
    if curly:
        return _BRACE_PAGE
    return _OF_POLICY if policy and flags & POLICY else _KEPT


@njit(cache=True, nogil=True)
def _judge(src, start, end, seen, marks, numbers, words):  # type: ignore[no-untyped-def]
    """What becomes of a stripped line without citation marks that must have ``words`` words."""
    if not _ends_well(src, start, end, marks, numbers.ellipsis):
        return _NO_END_MARK
    if not _has_words(src, start, end, words):
        return _FEW_WORDS
    flags = find_phrases(src, start, end, seen & _KELVIN != 0)
    return _verdict(flags, seen & _CURLY != 0, numbers.javascript_kills, numbers.policies)


@njit(cache=True, nogil=True)
def _append(src: Bytes, start: int, end: int, out: Bytes, done: int) -> int:
    """Add ``src[start:end]`` to ``out`` as a new line; returns where ``out`` ends."""
    if end == start:
        return done
    if done:
        out[done] = _LF
        done += 1
    out[done : done + end - start] = src[start:end]
    return done + end - start


@njit(cache=True, nogil=True)
def _clean(src, out, codes, marks, numbers):  # type: ignore[no-untyped-def]
    """Apply the rules to every line; kept lines go to ``out``, joined by newlines, codes to ``codes``.

    Returns the code of the line that condemns the page (_KEPT: none; reading stops there), the number of lines
    seen, of lines kept, and of bytes in ``out``. ``src`` must be valid UTF-8 with PADDING behind it.
    """
    size = src.size - PADDING
    at, lines, kept, done = 0, 0, 0, 0
    # Kept lines that follow each other unchanged, src[first:behind], wait to be copied together.
    first, behind = 0, 0
    while at < size:
        start = at
        stop, at, seen = _line_end(src, start, size)
        line = lines
        lines += 1
        if stop - start > numbers.longest and _has_long_word(src, start, stop, numbers.longest):
            codes[line] = _LONG_WORD
            continue
        codes[line] = _NO_END_MARK
        stop = strip_right(src, start, stop)
        rewrite = numbers.citations and seen & _BRACKET != 0
        # A line that ends in a bracket may end well once its citation marks are gone.
        if stop == start or not (marks[src[stop - 1]] or (rewrite and src[stop - 1] == _CLOSE)):
            continue
        start = strip_left(src, start, stop)
        if rewrite:
            # It is judged as rewritten, and written where it will stand if it is kept: behind what waits.
            done = _append(src, first, behind, out, done)
            first = behind
            begin = done + (done > 0)
            end = _without_citations(src, start, stop, out, begin)
            words = numbers.words
            if numbers.count_first and _has_words(src, start, stop, words):
                words = 0
            code = _judge(out, begin, end, seen, marks, numbers, words)
        else:
            code = _judge(src, start, stop, seen, marks, numbers, numbers.words)
        codes[line] = code
        if code >= _FIRST_OF_PAGES:
            return code, lines, kept, done
        if code != _KEPT:
            continue
        kept += 1
        if rewrite:
            if done:
                out[done] = _LF
            done = end
        elif behind > first and start == behind + 1 and src[behind] == _LF:
            behind = stop
        else:
            done = _append(src, first, behind, out, done)
            first, behind = start, stop
    return _KEPT, lines, kept, _append(src, first, behind, out, done)


_NO_CODES = np.empty(0, np.int8)


class Cleaned(NamedTuple):
    """A page after the line rules: the line that condemned it (``kept``: none did), its text, what became of lines."""

    fatal: Line
    text: str
    kept: int
    codes: NDArray[np.int8]


def clean_page(text: str, rules: LineRules) -> Cleaned:
    """Apply the line rules to a page; its text is the lines that are kept, rewritten without citation marks.

    Raises:
        UnicodeEncodeError: the text holds a lone surrogate.
    """
    return clean_utf8(text.encode(), rules)


def clean_utf8(data: bytes, rules: LineRules) -> Cleaned:
    """As ``clean_page``, for a page that is at hand as UTF-8, which must be valid."""
    if rules.everywhere and (fatal := _condemned(data.decode(), rules)) is not Line.kept:
        return Cleaned(fatal, "", 0, _NO_CODES)
    out = np.empty(len(data) + 1, np.uint8)
    codes = np.empty(len(data), np.int8)
    code, lines, kept, done = _clean(padded(data), out, codes, *_arguments(rules))
    cleaned = "" if code else str(out[:done].data, "utf-8").strip()
    return Cleaned(Line(code), cleaned, kept, codes[:lines])


@cache
def _arguments(rules: LineRules) -> tuple[Bytes, _Numbers]:
    marks = np.zeros(256, np.uint8)
    marks[list(rules.end_marks.encode("ascii"))] = 1
    numbers = _Numbers(
        longest=2**62 if rules.max_word is None else rules.max_word,
        words=rules.min_words,
        count_first=rules.count_words_first,
        ellipsis=rules.drop_ellipsis,
        citations=rules.remove_citations,
        policies=rules.drop_policy,
        javascript_kills=rules.javascript == "page",
    )
    return marks, numbers


def _condemned(text: str, rules: LineRules) -> Line:
    """What condemns the page wherever it stands in it."""
    lower = text.lower()
    if "lorem ipsum" in lower:
        return Line.lorem_ipsum
    if rules.javascript == "page" and "javascript" in lower:
        return Line.javascript_page
    return Line.brace if "{" in text else Line.kept
