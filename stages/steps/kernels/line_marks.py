"""What the quality rules of Gopher and FineWeb count in a text: symbols, and lines by how they begin and end."""

from __future__ import annotations

import numpy as np
from numba import njit

from llama_data.pipeline.kernels.memory import address, load_word_at
from llama_data.pipeline.kernels.swar import HIGH, first_below, first_equal, first_place
from llama_data.pipeline.kernels.utf8 import (
    BREAK,
    CLASSES,
    WIDE,
    decode_trusted_at,
    strip,
    wide,
    wide_kind,
    wide_size,
)

PYTHON_LINES, TRIMMED_LINES, RAW_LINES = 0, 1, 2
"""Which lines are looked at: those of ``str.splitlines``, without the spaces around them; those between newlines that
are not blank, likewise; those between newlines as they are (of which those of no bytes have no end)."""
HASHES, ELLIPSES, DOTS, SPACED_DOTS, LINES, BULLETS, LINES_WITH_END, ELLIPSIS_ENDS, COUNTS = range(9)
"""Places of the counts of ``line_marks``, and how many they are."""
_HASH, _DOT, _SPACE, _LF, _CR, _DASH, _STAR = (ord(char) for char in "#. \n\r-*")
_LEAD_2, _LEAD_3 = 0xC2, 0xE2
_LAST_BREAK = 30


@njit(cache=True, nogil=True, inline="always")
def _next_stop(place, python):  # type: ignore[no-untyped-def]
    """The next of the bytes that ``line_marks`` looks at, eight at a time: as many bytes may be passed by.

    ``python``: also what may begin a line break of ``str.splitlines``.
    """
    found = np.uint64(0)
    while True:
        word = load_word_at(place)
        found = first_equal(word, _HASH) | first_equal(word, _DOT) | first_equal(word & ~HIGH, _LEAD_3 & 0x7F) & word
        if python:
            found |= first_below(word, _LAST_BREAK + 1) | first_equal(word & ~HIGH, _LEAD_2 & 0x7F) & word
        else:
            found |= first_below(word, _LF + 1)
        if found:
            break
        place += 8
    return place + first_place(found)


@njit(cache=True, nogil=True, inline="always")
def _three(src, at, end, first, second, third):  # type: ignore[no-untyped-def]
    return at + 2 < end and src[at] == first and src[at + 1] == second and src[at + 2] == third


@njit(cache=True, nogil=True)
def _ends_in_ellipsis(src, start, end, spaced):  # type: ignore[no-untyped-def]
    if end - start < 3:
        return False
    if _three(src, end - 3, end, _DOT, _DOT, _DOT) or _three(src, end - 3, end, 0xE2, 0x80, 0xA6):
        return True
    return spaced and end - start >= 5 and _spaced_dots(src, end - 5, end)


@njit(cache=True, nogil=True, inline="always")
def _spaced_dots(src, at, end):  # type: ignore[no-untyped-def]
    return (
        at + 4 < end
        and src[at] == _DOT
        and src[at + 1] == _SPACE
        and src[at + 2] == _DOT
        and src[at + 3] == _SPACE
        and src[at + 4] == _DOT
    )


@njit(cache=True, nogil=True)
def _begins_with_bullet(src, start, end, all_bullets):  # type: ignore[no-untyped-def]
    if start == end:
        return False
    first = src[start]
    if first == _DASH or (all_bullets and first == _STAR):
        return True
    # U+2022, and U+25CF.
    return _three(src, start, end, 0xE2, 0x80, 0xA2) or (all_bullets and _three(src, start, end, 0xE2, 0x97, 0x8F))


@njit(cache=True, nogil=True)
def _line(src, start, end, lines, out):  # type: ignore[no-untyped-def]
    left, right = start, end
    if lines != RAW_LINES:
        left, right = strip(src, start, end)
        if lines == TRIMMED_LINES and left == right:
            return
    out[LINES] += 1
    if _begins_with_bullet(src, left, right, lines != PYTHON_LINES):
        out[BULLETS] += 1
    if lines == RAW_LINES:
        if right > left and src[right - 1] == _CR:
            right -= 1
        if right == left:
            return
    out[LINES_WITH_END] += 1
    if _ends_in_ellipsis(src, left, right, lines != PYTHON_LINES):
        out[ELLIPSIS_ENDS] += 1


@njit(cache=True, nogil=True)
def line_marks(src, end, lines, out):  # type: ignore[no-untyped-def]
    """Count into ``out`` what the names above say; occurrences as ``str.count`` has them.

    ELLIPSES are U+2026, DOTS are three dots, SPACED_DOTS three dots with spaces between them.
    """
    out[:] = 0
    text = address(src)
    python = lines == PYTHON_LINES
    at, start, spaced_from = 0, 0, 0
    while True:
        # Padding stops it too.
        at = _next_stop(text + at, python) - text
        if at >= end:
            break
        char = src[at]
        size, is_break = 1, False
        if char == _HASH:
            out[HASHES] += 1
        elif char == _DOT:
            if at >= spaced_from and _spaced_dots(src, at, end):
                out[SPACED_DOTS] += 1
                spaced_from = at + 5
            run = 1
            while at + run < end and src[at + run] == _DOT:
                run += 1
            out[DOTS] += run // 3
            # The last of them may begin three dots with spaces.
            if run > 1 and at + run - 1 >= spaced_from and _spaced_dots(src, at + run - 1, end):
                out[SPACED_DOTS] += 1
                spaced_from = at + run + 4
            size = run
        elif char == 0xE2:
            if _three(src, at, end, 0xE2, 0x80, 0xA6):
                out[ELLIPSES] += 1
            elif lines == PYTHON_LINES:
                found = wide(src, at, end)
                is_break, size = wide_kind(found) == BREAK, wide_size(found)
        elif lines != PYTHON_LINES:
            is_break = char == _LF
        elif CLASSES[char] == WIDE:
            found = wide(src, at, end)
            is_break, size = wide_kind(found) == BREAK, wide_size(found)
        elif CLASSES[char] == BREAK:
            is_break = True
            size = 2 if char == _CR and at + 1 < end and src[at + 1] == _LF else 1
        if is_break:
            _line(src, start, at, lines, out)
            start = at + size
        at += size
    # ``splitlines`` has no line behind the last break; a split at newlines has.
    if start < end or lines != PYTHON_LINES:
        _line(src, start, end, lines, out)


LINE_COUNTS = 5
"""Of ``fineweb_lines``: lines, those that end with a stop character, short ones, newlines, characters."""


@njit(cache=True, nogil=True)
def _ends_with_stop(src, start, end, stops):  # type: ignore[no-untyped-def]
    if start == end:
        return False
    back = end - 1
    while back > start and (src[back] & 0xC0) == 0x80:
        back -= 1
    point, size = decode_trusted_at(address(src) + back)
    at = np.searchsorted(stops, point)
    return back + size == end and at < stops.size and stops[at] == point


@njit(cache=True, nogil=True)
def fineweb_lines(src, end, count_blank, short, stops, starts, ends, out):  # type: ignore[no-untyped-def]
    """Count lines between newlines into ``out``; where those begin and end that are not blank, and how many they are.

    ``count_blank``: blank lines count among the lines; ``short``: most characters of a short one; ``stops``: sorted
    code points.
    """
    out[:] = 0
    found, start, others, line_others = 0, 0, 0, 0
    for at in range(end + 1):
        if at < end and src[at] != _LF:
            line_others += (src[at] & 0xC0) == 0x80
            continue
        left, right = strip(src, start, at)
        blank = left == right
        if count_blank or not blank:
            out[0] += 1
            out[1] += _ends_with_stop(src, start, at, stops)
            out[2] += at - start - line_others <= short
        if not blank:
            starts[found], ends[found] = start, at
            found += 1
        out[3] += at < end
        others += line_others
        line_others, start = 0, at + 1
    out[4] = end - others
    return found


@njit(cache=True, nogil=True)
def word_sums(n, lengths, marks, counts_mark, alpha_mark, stop_shift, out):  # type: ignore[no-untyped-def]
    """Into ``out``: words that count, the lengths of these and of all, words with a letter, stop words, and which."""
    out[:] = 0
    for number in range(n):
        mark = marks[number]
        if mark & counts_mark:
            out[0] += 1
            out[1] += lengths[number]
        out[2] += lengths[number]
        out[3] += (mark & alpha_mark) != 0
        stop = mark >> stop_shift
        if stop:
            out[4] += 1
            out[5] |= np.int64(1) << np.int64(stop)


@njit(cache=True, nogil=True)
def ascii_words(src, end):  # type: ignore[no-untyped-def]
    """Runs of ASCII letters and digits; -1 when a byte is not ASCII."""
    count, inside = 0, False
    for at in range(end):
        char = src[at]
        if char >= 128:
            return -1
        word = 48 <= char <= 57 or 97 <= (char | 32) <= 122
        count += word and not inside
        inside = word
    return count
