"""C4's line rules over the UTF-8 bytes of a page, in one pass of a compiled kernel.

The rules and their order are TFDS's ``clean_page`` (tensorflow_datasets/text/c4_utils.py). Lines, words, ``strip``
and ``lower`` mean exactly what they mean for Python's str.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.utf8 import (
    BREAK,
    CLASSES,
    PLAIN,
    SPACE,
    WIDE,
    Bytes,
    characters,
    strip_left,
    strip_right,
    wide,
)
from llama_data.stages.steps.kernels.c4_constants import Line, LineRules
from llama_data.stages.steps.kernels.c4_phrases import JAVASCRIPT, LOREM, POLICY, find_phrases

_BRACKET, _CURLY, _KELVIN = 1, 2, 4
# Bytes at which the search for a line's end stops to look.
_BREAKS, _WIDE, _OPENING = 1, 2, 3
_STOPS = np.zeros(256, np.uint8)
_STOPS[[10, 11, 12, 13, 28, 29, 30]] = _BREAKS
_STOPS[[0xC2, 0xE2]] = _WIDE
_STOPS[[ord("["), ord("{")]] = _OPENING
_ONES = np.uint64(0x0101010101010101)
_HIGHS, _SPACES = _ONES * np.uint64(0x80), _ONES * np.uint64(0x20)
_SQUARES, _CURLIES = _ONES * np.uint64(0x5B), _ONES * np.uint64(0x7B)
_C2S, _E2S = _ONES * np.uint64(0xC2), _ONES * np.uint64(0xE2)
# Multiplying a single bit by this number brings a different six bits to the top for every place of the bit.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_PLACES = np.zeros(64, np.uint8)
for _place in range(64):
    _PLACES[((int(_DE_BRUIJN) << _place) & (2**64 - 1)) >> 58] = _place >> 3


def _digit_starts() -> NDArray[np.int32]:
    """First code points of the runs of ten that are Unicode decimal digits (category Nd)."""
    points = [point for point in range(0x110000) if chr(point).isdecimal()]
    starts = points[::10]
    if points != [start + digit for start in starts for digit in range(10)]:
        raise AssertionError("Unicode digits no longer come in runs of ten")
    return np.array(starts, np.int32)


_DIGITS = _digit_starts()
_LONGEST, _WORDS, _COUNT_FIRST, _ELLIPSIS, _CITATIONS, _POLICIES, _KILLS = range(7)
_EDIT = np.frombuffer(b"[edit]", np.uint8)
_NEEDED = np.frombuffer(b"[citation needed]", np.uint8)


@njit(cache=True, nogil=True)
def _digit(src: Bytes, at: int, end: int) -> int:
    """Length in bytes of the Unicode decimal digit at ``at``; 0 where there is none."""
    lead = src[at]
    if lead < 0x80:
        return 1 if 48 <= lead <= 57 else 0
    if lead < 0xE0:
        length, point = 2, lead & 0x1F
    elif lead < 0xF0:
        length, point = 3, lead & 0x0F
    else:
        length, point = 4, lead & 0x07
    if at + length > end:
        return 0
    code = np.int32(point)
    for step in range(1, length):
        code = (code << 6) | (src[at + step] & 0x3F)
    found = np.searchsorted(_DIGITS, code, side="right") - 1
    return length if found >= 0 and code - _DIGITS[found] < 10 else 0


@njit(cache=True, nogil=True)
def _same(src: Bytes, at: int, end: int, word: Bytes) -> bool:
    return at + word.size <= end and bool(np.all(src[at : at + word.size] == word))


@njit(cache=True, nogil=True)
def _citation(src: Bytes, at: int, end: int) -> int:
    """Length in bytes of the citation mark at the bracket ``at``: [], digits in brackets, [edit] ...; else 0."""
    here = at + 1
    while here < end:
        if src[here] == 93:
            return here + 1 - at
        length = _digit(src, here, end)
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
        if char == 91:
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
            kind = found & 3
            length = found >> 2
        words += gap and kind == PLAIN
        gap = kind != PLAIN
        at += length
    return words >= minimum


@njit(cache=True, nogil=True, inline="always")
def _stops_in(eight: np.uint64) -> np.uint64:
    """High bits of those of eight bytes that may be a control character, [, {, C2 or E2: none is missed."""
    square, curly, c2, e2 = eight ^ _SQUARES, eight ^ _CURLIES, eight ^ _C2S, eight ^ _E2S
    found = (eight - _SPACES) & ~eight
    found |= ((square - _ONES) & ~square) | ((curly - _ONES) & ~curly)
    found |= ((c2 - _ONES) & ~c2) | ((e2 - _ONES) & ~e2)
    return found & _HIGHS


@njit(cache=True, nogil=True)
def _last_eight(src: Bytes) -> np.uint64:
    """The bytes after the last whole eight, and zeros."""
    found = np.uint64(0)
    for at in range(src.size >> 3 << 3, src.size):
        found |= np.uint64(src[at]) << np.uint64((at & 7) << 3)
    return found


@njit(cache=True, nogil=True)
def _line_end(src: Bytes, eights: NDArray[np.uint64], last: np.uint64, start: int, end: int) -> tuple[int, int, int]:
    """End of the line, start of the next, and flags of what is in it: brackets, the Kelvin sign."""
    flags = 0
    eight = start >> 3
    stops = _stops_in(eights[eight] if eight < eights.size else last) & (~np.uint64(0) << np.uint64((start & 7) << 3))
    while True:
        while stops == 0:
            eight += 1
            if eight >= eights.size:
                if eight > eights.size:
                    return end, end, flags
                stops = _stops_in(last)
            else:
                stops = _stops_in(eights[eight])
        lowest = stops & (~stops + np.uint64(1))
        stops ^= lowest
        at = (eight << 3) + int(_PLACES[(lowest * _DE_BRUIJN) >> np.uint64(58)])
        if at >= end:
            return end, end, flags
        char = src[at]
        kind = _STOPS[char]
        if kind == _BREAKS:
            following = at + 2 if char == 13 and at + 1 < end and src[at + 1] == 10 else at + 1
            return at, following, flags
        if kind == _WIDE:
            found = wide(src, at, end)
            if found & 3 == BREAK:
                return at, at + (found >> 2), flags
            if char == 0xE2 and at + 2 < end and src[at + 1] == 0x84 and src[at + 2] == 0xAA:
                flags |= _KELVIN
        elif kind == _OPENING:
            flags |= _BRACKET if char == 91 else _CURLY


@njit(cache=True, nogil=True)
def _has_long_word(src: Bytes, start: int, end: int, limit: int) -> bool:
    """True when a word has more than ``limit`` characters; a line without line breaks is expected."""
    at = start
    word = start
    while at < end:
        char = src[at]
        length = 1
        space = char == 32 or char == 9 or char == 31
        if char == 0xC2 or char == 0xE1 or char == 0xE2 or char == 0xE3:
            found = wide(src, at, end)
            space = found & 3 == SPACE
            length = found >> 2
        if space:
            if at - word > limit and characters(src, word, at) > limit:
                return True
            word = at + length
        at += length
    return end - word > limit and characters(src, word, end) > limit


@njit(cache=True, nogil=True)
def _ends_well(src: Bytes, start: int, end: int, marks: Bytes, ellipsis: bool) -> bool:
    if end == start or not marks[src[end - 1]]:
        return False
    dots = end - start >= 3 and src[end - 1] == 46 and src[end - 2] == 46 and src[end - 3] == 46
    return not (ellipsis and dots)


@njit(cache=True, nogil=True)
def _verdict(flags: int, curly: bool, javascript_kills: bool, policy: bool) -> int:
    """What the forbidden things in a line come to, in TFDS's order."""
    if flags & LOREM:
        return 6
    if flags & JAVASCRIPT:
        return 8 if javascript_kills else 4
    if curly:
        return 7
    return 5 if policy and flags & POLICY else 0


@njit(cache=True, nogil=True)
def _judge(src: Bytes, start: int, end: int, seen: int, marks: Bytes, numbers: NDArray[np.int64], words: int) -> int:
    """What becomes of a stripped line without citation marks that must have ``words`` words."""
    if not _ends_well(src, start, end, marks, numbers[_ELLIPSIS] != 0):
        return 2
    if not _has_words(src, start, end, words):
        return 3
    flags = find_phrases(src, start, end, seen & _KELVIN != 0)
    return _verdict(flags, seen & _CURLY != 0, numbers[_KILLS] != 0, numbers[_POLICIES] != 0)


@njit(cache=True, nogil=True)
def _append(src: Bytes, start: int, end: int, out: Bytes, done: int) -> int:
    """Add ``src[start:end]`` to ``out`` as a new line; returns where ``out`` ends."""
    if end == start:
        return done
    if done:
        out[done] = 10
        done += 1
    out[done : done + end - start] = src[start:end]
    return done + end - start


@njit(cache=True, nogil=True)
def _clean(
    src: Bytes, out: Bytes, codes: NDArray[np.int8], marks: Bytes, numbers: NDArray[np.int64]
) -> tuple[int, int, int, int]:
    """Apply the rules to every line; kept lines go to ``out``, joined by newlines, codes to ``codes``.

    Returns the code of the line that condemns the page (0: none; reading stops there), the number of lines
    seen, of lines kept, and of bytes in ``out``. ``src`` must be valid UTF-8.
    """
    size = src.size
    eights = src[: size >> 3 << 3].view(np.uint64)
    last = _last_eight(src)
    at, lines, kept, done = 0, 0, 0, 0
    # Kept lines that follow each other unchanged wait to be copied together.
    first, behind = 0, 0
    while at < size:
        start = at
        stop, at, seen = _line_end(src, eights, last, start, size)
        line = lines
        lines += 1
        if stop - start > numbers[_LONGEST] and _has_long_word(src, start, stop, numbers[_LONGEST]):
            codes[line] = 1
            continue
        codes[line] = 2
        stop = strip_right(src, start, stop)
        rewrite = numbers[_CITATIONS] != 0 and seen & _BRACKET != 0
        if stop == start or not (marks[src[stop - 1]] or (rewrite and src[stop - 1] == 93)):
            continue
        start = strip_left(src, start, stop)
        if rewrite:
            done = _append(src, first, behind, out, done)
            first = behind
            begin = done + (done > 0)
            end = _without_citations(src, start, stop, out, begin)
            words = numbers[_WORDS]
            if numbers[_COUNT_FIRST] and _has_words(src, start, stop, words):
                words = 0
            code = _judge(out, begin, end, seen, marks, numbers, words)
        else:
            code = _judge(src, start, stop, seen, marks, numbers, numbers[_WORDS])
        codes[line] = code
        if code >= 6:
            return code, lines, kept, done
        if code:
            continue
        kept += 1
        if rewrite:
            if done:
                out[done] = 10
            done = end
        elif behind > first and start == behind + 1 and src[behind] == 10:
            behind = stop
        else:
            done = _append(src, first, behind, out, done)
            first, behind = start, stop
    return 0, lines, kept, _append(src, first, behind, out, done)


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
    code, lines, kept, done = _clean(np.frombuffer(data, np.uint8), out, codes, *_arguments(rules))
    cleaned = "" if code else str(out[:done].data, "utf-8").strip()
    return Cleaned(Line(code), cleaned, kept, codes[:lines])


@cache
def _arguments(rules: LineRules) -> tuple[Bytes, NDArray[np.int64]]:
    marks = np.zeros(256, np.uint8)
    marks[list(rules.end_marks.encode("ascii"))] = 1
    numbers = (
        2**62 if rules.max_word is None else rules.max_word,
        rules.min_words,
        rules.count_words_first,
        rules.drop_ellipsis,
        rules.remove_citations,
        rules.drop_policy,
        rules.javascript == "page",
    )
    return marks, np.array(numbers, np.int64)


def _condemned(text: str, rules: LineRules) -> Line:
    """What condemns the page wherever it stands in it."""
    lower = text.lower()
    if "lorem ipsum" in lower:
        return Line.lorem_ipsum
    if rules.javascript == "page" and "javascript" in lower:
        return Line.javascript_page
    return Line.brace if "{" in text else Line.kept
