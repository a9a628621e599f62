"""C4's line rules over the UTF-8 bytes of a page, in one pass of a compiled kernel.

The rules and their order are TFDS's ``clean_page`` (tensorflow_datasets/text/c4_utils.py); what other systems do
differently is a parameter. Lines, words, ``strip`` and ``lower`` mean exactly what they mean for Python's str.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, NamedTuple

import numpy as np
from numba import njit  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core.settings import Strict

Bytes = NDArray[np.uint8]


class LineRules(Strict):
    """Constants of the line rules; the defaults are those of the released C4 (TFDS).

    ``max_word`` in characters, ``min_words`` words a line (counted after citations are removed unless
    ``count_words_first``), ``end_marks`` ASCII characters one of which must end a line, ``javascript`` what a
    mention costs, ``everywhere`` whether braces, lorem ipsum and (when it costs the page) javascript count in
    lines that the other rules drop.
    """

    max_word: int | None = 1000
    min_words: int = 5
    count_words_first: bool = False
    end_marks: str = '.?!"'
    drop_ellipsis: bool = True
    remove_citations: bool = True
    javascript: Literal["line", "page"] = "line"
    drop_policy: bool = True
    everywhere: bool = False
    min_sentences: int = 3


PRESETS: dict[str, LineRules] = {
    "tfds": LineRules(),
    "datatrove": LineRules(min_words=3, count_words_first=True, end_marks=".?!\"'", min_sentences=5),
    "dolma": LineRules(
        max_word=None,
        min_words=3,
        drop_ellipsis=False,
        remove_citations=False,
        javascript="page",
        drop_policy=False,
        everywhere=True,
        min_sentences=0,
    ),
}


class Line(IntEnum):
    """What became of a line."""

    kept = 0
    long_word = 1
    no_end_mark = 2
    few_words = 3
    javascript = 4
    policy = 5
    lorem_ipsum = 6
    brace = 7
    javascript_page = 8


class Cleaned(NamedTuple):
    """A page after the line rules: the line that condemned it (``kept`` when none did), its text and lines."""

    fatal: Line
    text: str
    kept: int
    codes: NDArray[np.int8]


_PLAIN, _SPACE, _BREAK, _WIDE = 0, 1, 2, 3
_QUIET, _GAP, _WIDE_GAP, _BRACE, _LETTER = 0, 1, 2, 3, 4
_LOREM, _JAVASCRIPT, _CURLY, _POLICY = 1, 2, 4, 8
_PHRASES = (
    ("lorem ipsum", _LOREM),
    ("javascript", _JAVASCRIPT),
    ("terms of use", _POLICY),
    ("privacy policy", _POLICY),
    ("cookie policy", _POLICY),
    ("uses cookies", _POLICY),
    ("use of cookies", _POLICY),
    ("use cookies", _POLICY),
)


def _byte_classes() -> Bytes:
    table = np.zeros(256, np.uint8)
    table[[9, 31, 32]] = _SPACE
    table[[10, 11, 12, 13, 28, 29, 30]] = _BREAK
    table[[0xC2, 0xE1, 0xE2, 0xE3]] = _WIDE
    return table


def _triggers() -> Bytes:
    table = np.zeros(256, np.uint8)
    table[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = _GAP
    table[[0xC2, 0xE1, 0xE2, 0xE3]] = _WIDE_GAP
    table[ord("{")] = _BRACE
    for phrase, _ in _PHRASES:
        table[[ord(phrase[0]), ord(phrase[0].upper())]] = _LETTER
    return table


def _digit_starts() -> NDArray[np.int32]:
    """First code points of the runs of ten that are Unicode decimal digits (category Nd)."""
    points = [point for point in range(0x110000) if chr(point).isdecimal()]
    starts = points[::10]
    if points != [start + digit for start in starts for digit in range(10)]:
        raise AssertionError("Unicode digits no longer come in runs of ten")
    return np.array(starts, np.int32)


_CLASSES = _byte_classes()
_TRIGGERS = _triggers()
_DIGITS = _digit_starts()
_WORDS = np.zeros((len(_PHRASES), 16), np.uint8)
_LENGTHS = np.zeros(len(_PHRASES), np.int64)
_FLAGS = np.zeros(len(_PHRASES), np.int64)
for _row, (_phrase, _flag) in enumerate(_PHRASES):
    _WORDS[_row, : len(_phrase)] = np.frombuffer(_phrase.encode(), np.uint8)
    _LENGTHS[_row] = len(_phrase)
    _FLAGS[_row] = _flag


@njit(cache=True, nogil=True, inline="always")
def _wide(src: Bytes, at: int, end: int) -> int:
    """At a byte C2, E1, E2 or E3: length * 4 + class where a non-ASCII space or line break stands, else 4."""
    lead = src[at]
    if lead == 0xC2:
        if at + 1 < end:
            if src[at + 1] == 0x85:
                return 8 + _BREAK
            if src[at + 1] == 0xA0:
                return 8 + _SPACE
        return 4
    if at + 2 >= end:
        return 4
    second, third = src[at + 1], src[at + 2]
    if lead == 0xE2:
        if second == 0x80:
            if third == 0xA8 or third == 0xA9:
                return 12 + _BREAK
            if third <= 0x8A or third == 0xAF:
                return 12 + _SPACE
        elif second == 0x81 and third == 0x9F:
            return 12 + _SPACE
    elif lead == 0xE1:
        if second == 0x9A and third == 0x80:
            return 12 + _SPACE
    elif second == 0x80 and third == 0x80:
        return 12 + _SPACE
    return 4


@njit(cache=True, nogil=True)
def _strip_left(src: Bytes, start: int, end: int) -> int:
    while start < end:
        kind = _CLASSES[src[start]]
        if kind == _PLAIN:
            break
        if kind == _WIDE:
            wide = _wide(src, start, end)
            if wide == 4:
                break
            start += wide >> 2
        else:
            start += 1
    return start


@njit(cache=True, nogil=True)
def _strip_right(src: Bytes, start: int, end: int) -> int:
    while start < end:
        last = src[end - 1]
        if last < 0x80:
            if _CLASSES[last] == _PLAIN:
                break
            end -= 1
        elif end - start >= 2 and src[end - 2] == 0xC2 and _wide(src, end - 2, end) != 4:
            end -= 2
        elif (
            end - start >= 3
            and src[end - 3] >= 0xE1
            and src[end - 3] <= 0xE3
            and _wide(src, end - 3, end) != 4
        ):
            end -= 3
        else:
            break
    return end


@njit(cache=True, nogil=True)
def _characters(src: Bytes, start: int, end: int) -> int:
    count = 0
    for at in range(start, end):
        count += (src[at] & 0xC0) != 0x80
    return count


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
def _same(src: Bytes, at: int, end: int, word: Bytes, length: int) -> bool:
    if at + length > end:
        return False
    for step in range(length):
        if src[at + step] != word[step]:
            return False
    return True


_EDIT = np.frombuffer(b"[edit]", np.uint8)
_NEEDED = np.frombuffer(b"[citation needed]", np.uint8)


@njit(cache=True, nogil=True)
def _citation(src: Bytes, at: int, end: int) -> int:
    """Length in bytes of the citation mark at the bracket ``at``: digits or nothing in brackets, [edit], ..."""
    here = at + 1
    while here < end:
        if src[here] == 93:
            return here + 1 - at
        length = _digit(src, here, end)
        if length == 0:
            break
        here += length
    if _same(src, at, end, _EDIT, 6):
        return 6
    if _same(src, at, end, _NEEDED, 17):
        return 17
    return 0


@njit(cache=True, nogil=True)
def _phrase_at(src: Bytes, at: int, end: int) -> int:
    """Flag of the phrase that begins at ``at`` in the lower-cased text; 0 for none."""
    first = src[at] | 0x20
    for row in range(_WORDS.shape[0]):
        if _WORDS[row, 0] != first:
            continue
        here = at + 1
        step = 1
        while step < _LENGTHS[row] and here < end:
            char = src[here]
            if 65 <= char <= 90:
                char += 32
            if char == _WORDS[row, step]:
                here += 1
            elif (
                # The Kelvin sign is the one non-ASCII character whose lower case is an ASCII letter alone.
                _WORDS[row, step] == 107
                and char == 0xE2
                and here + 2 < end
                and src[here + 1] == 0x84
                and src[here + 2] == 0xAA
            ):
                here += 3
            else:
                break
            step += 1
        if step == _LENGTHS[row]:
            return int(_FLAGS[row])
    return 0


@njit(cache=True, nogil=True)
def _line_end(src: Bytes, start: int, end: int, max_word: int) -> tuple[int, int, bool]:
    """End of the line, start of the next, and whether a word has more than ``max_word`` characters."""
    at = start
    word = start
    long_word = False
    length = 0
    while at < end:
        kind = _CLASSES[src[at]]
        if kind == _PLAIN:
            at += 1
            continue
        length = 1
        if kind == _WIDE:
            wide = _wide(src, at, end)
            if wide == 4:
                at += 1
                continue
            kind = wide & 3
            length = wide >> 2
        if at - word > max_word and _characters(src, word, at) > max_word:
            long_word = True
        if kind == _BREAK:
            if src[at] == 13 and at + 1 < end and src[at + 1] == 10:
                return at, at + 2, long_word
            return at, at + length, long_word
        at += length
        word = at
    if at - word > max_word and _characters(src, word, at) > max_word:
        long_word = True
    return at, at, long_word


@njit(cache=True, nogil=True)
def _copy(src: Bytes, start: int, end: int, out: Bytes, to: int, citations: bool) -> int:
    """Copy a line without its citation marks; returns where it ends in ``out``."""
    at = start
    while at < end:
        char = src[at]
        if citations and char == 91:
            length = _citation(src, at, end)
            if length:
                at += length
                continue
        out[to] = char
        to += 1
        at += 1
    return to


@njit(cache=True, nogil=True)
def _scan(src: Bytes, start: int, end: int) -> tuple[int, int]:
    """Number of words, and the flags of everything forbidden that occurs."""
    words = 0
    flags = 0
    word = start
    at = start
    while at < end:
        kind = _TRIGGERS[src[at]]
        if kind == _QUIET:
            at += 1
            continue
        length = 1
        if kind == _LETTER:
            flags |= _phrase_at(src, at, end)
        elif kind == _BRACE:
            flags |= _CURLY
        else:
            if kind == _WIDE_GAP:
                wide = _wide(src, at, end)
                length = wide >> 2
                if wide == 4:
                    at += 1
                    continue
            words += at > word
            word = at + length
        at += length
    words += end > word
    return words, flags


@njit(cache=True, nogil=True)
def _ends_well(src: Bytes, start: int, end: int, marks: Bytes, ellipsis: bool) -> bool:
    if end == start or not marks[src[end - 1]]:
        return False
    dots = end - start >= 3 and src[end - 1] == 46 and src[end - 2] == 46 and src[end - 3] == 46
    return not (ellipsis and dots)


@njit(cache=True, nogil=True)
def clean_lines(
    src: Bytes,
    out: Bytes,
    codes: NDArray[np.int8],
    marks: Bytes,
    max_word: int,
    min_words: int,
    count_first: bool,
    ellipsis: bool,
    citations: bool,
    policy: bool,
    javascript_kills: bool,
) -> tuple[int, int, int, int]:
    """Apply the rules to every line; kept lines go to ``out``, joined by newlines, codes to ``codes``.

    Returns the code of the line that condemns the page (0: none; reading stops there), the number of lines
    seen, of lines kept, and of bytes in ``out``. ``src`` must be valid UTF-8.
    """
    size = src.shape[0]
    at = 0
    lines = 0
    kept = 0
    done = 0
    while at < size:
        start = at
        stop, at, long_word = _line_end(src, start, size, max_word)
        line = lines
        lines += 1
        if long_word:
            codes[line] = 1
            continue
        stop = _strip_right(src, start, stop)
        codes[line] = 2
        if stop == start or not (marks[src[stop - 1]] or (citations and src[stop - 1] == 93)):
            continue
        start = _strip_left(src, start, stop)
        begin = done + (kept > 0)
        end = _copy(src, start, stop, out, begin, citations)
        if not _ends_well(out, begin, end, marks, ellipsis):
            continue
        words, flags = _scan(out, begin, end)
        if count_first:
            words = _scan(src, start, stop)[0]
        if words < min_words:
            codes[line] = 3
            continue
        if flags:
            if flags & _LOREM:
                codes[line] = 6
                return 6, lines, kept, done
            if flags & _JAVASCRIPT:
                if javascript_kills:
                    codes[line] = 8
                    return 8, lines, kept, done
                codes[line] = 4
                continue
            if flags & _CURLY:
                codes[line] = 7
                return 7, lines, kept, done
            if policy and flags & _POLICY:
                codes[line] = 5
                continue
        codes[line] = 0
        if kept:
            out[done] = 10
        kept += 1
        done = end
    return 0, lines, kept, done


def clean_page(text: str, rules: LineRules) -> Cleaned:
    """Apply the line rules to a page.

    Raises:
        UnicodeEncodeError: the text holds a lone surrogate.
    """
    data = text.encode()
    fatal = _condemned(text, rules) if rules.everywhere else Line.kept
    if fatal is not Line.kept:
        return Cleaned(fatal, "", 0, np.empty(0, np.int8))
    out = np.empty(len(data) + 1, np.uint8)
    codes = np.empty(len(data), np.int8)
    marks = np.zeros(256, np.uint8)
    marks[list(rules.end_marks.encode("ascii"))] = 1
    code, lines, kept, done = clean_lines(
        np.frombuffer(data, np.uint8),
        out,
        codes,
        marks,
        2**62 if rules.max_word is None else rules.max_word,
        rules.min_words,
        rules.count_words_first,
        rules.drop_ellipsis,
        rules.remove_citations,
        rules.drop_policy,
        rules.javascript == "page",
    )
    cleaned = out[:done].tobytes().decode().strip()
    return Cleaned(Line(code), cleaned, kept, codes[:lines].copy())


def _condemned(text: str, rules: LineRules) -> Line:
    """What condemns the page wherever it stands in it."""
    lower = text.lower()
    if "lorem ipsum" in lower:
        return Line.lorem_ipsum
    if rules.javascript == "page" and "javascript" in lower:
        return Line.javascript_page
    return Line.brace if "{" in text else Line.kept
