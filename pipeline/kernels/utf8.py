"""What Python's str says about characters, for kernels that read UTF-8 bytes: spaces and line breaks."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.memory import bit_count, load_word

Bytes = NDArray[np.uint8]

PLAIN, SPACE, BREAK, WIDE = 0, 1, 2, 3
"""Classes of a byte: nothing special, a space, a line break (a space too), or perhaps the first of a wide one."""


def _classes() -> Bytes:
    table = np.zeros(256, np.uint8)
    table[[9, 31, 32]] = SPACE
    table[[10, 11, 12, 13, 28, 29, 30]] = BREAK
    table[[0xC2, 0xE1, 0xE2, 0xE3]] = WIDE
    return table


CLASSES = _classes()


@njit(cache=True, nogil=True, inline="always")
def wide(src: Bytes, at: int, end: int) -> int:
    """At a byte of class WIDE: length * 4 + class of the non-ASCII space or line break there, 4 for none."""
    lead = src[at]
    if lead == 0xC2:
        if at + 1 < end:
            if src[at + 1] == 0x85:
                return 8 + BREAK
            if src[at + 1] == 0xA0:
                return 8 + SPACE
        return 4
    if at + 2 >= end:
        return 4
    second, third = src[at + 1], src[at + 2]
    if lead == 0xE2:
        if second == 0x80:
            if third == 0xA8 or third == 0xA9:
                return 12 + BREAK
            if third <= 0x8A or third == 0xAF:
                return 12 + SPACE
        elif second == 0x81 and third == 0x9F:
            return 12 + SPACE
    elif lead == 0xE1:
        if second == 0x9A and third == 0x80:
            return 12 + SPACE
    elif second == 0x80 and third == 0x80:
        return 12 + SPACE
    return 4


@njit(cache=True, nogil=True, inline="always")
def decode(src, at):  # type: ignore[no-untyped-def]
    """The code point of the non-ASCII character at ``at`` and its size in bytes; -1 where it is not UTF-8.

    A surrogate is given as it is, as Python's ``surrogatepass`` does. ``src`` has 8 bytes more than the text, and what
    follows the text is no continuation byte.
    """
    word = np.int64(load_word(src, at) & np.uint64(0xFFFFFFFF))
    size = 1
    point = np.int64(-1)
    if word & 0xC0E0 == 0x80C0:
        size = 2
        point = (word & 0x1F) << 6 | (word >> 8 & 0x3F)
        if point < 0x80:
            point = np.int64(-1)
    elif word & 0xC0C0F0 == 0x8080E0:
        size = 3
        point = (word & 0x0F) << 12 | (word >> 2 & 0xFC0) | (word >> 16 & 0x3F)
        if point < 0x800:
            point = np.int64(-1)
    elif word & 0xC0C0C0F8 == 0x808080F0:
        size = 4
        point = (word & 0x07) << 18 | (word << 4 & 0x3F000) | (word >> 10 & 0xFC0) | (word >> 24 & 0x3F)
        if point < 0x10000 or point > 0x10FFFF:
            point = np.int64(-1)
    return point, size


@njit(cache=True, nogil=True)
def strip_left(src: Bytes, start: int, end: int) -> int:
    """Where the text begins in ``src[start:end]`` without the whitespace before it."""
    while start < end:
        kind = CLASSES[src[start]]
        if kind == PLAIN:
            break
        if kind == WIDE:
            found = wide(src, start, end)
            if found == 4:
                break
            start += found >> 2
        else:
            start += 1
    return start


@njit(cache=True, nogil=True)
def strip_right(src: Bytes, start: int, end: int) -> int:
    """Where the text ends in ``src[start:end]`` without the whitespace after it."""
    while start < end:
        last = src[end - 1]
        if last < 0x80:
            if CLASSES[last] == PLAIN:
                break
            end -= 1
        elif end - start >= 2 and src[end - 2] == 0xC2 and wide(src, end - 2, end) != 4:
            end -= 2
        elif end - start >= 3 and src[end - 3] >= 0xE1 and src[end - 3] <= 0xE3 and wide(src, end - 3, end) != 4:
            end -= 3
        else:
            break
    return end


@njit(cache=True, nogil=True, inline="always")
def strip(src, start, end):  # type: ignore[no-untyped-def]
    """Where the text begins and ends in ``src[start:end]`` without the whitespace around it."""
    # Calls are given arrays, which costs two atomic reference counts: only where there may be something to strip.
    if start < end:
        first = src[start]
        if first <= 32 or first == 0xC2 or (first >= 0xE1 and first <= 0xE3):
            start = strip_left(src, start, end)
    if start < end:
        last = src[end - 1]
        if last <= 32 or (
            last >= 0x80
            and end >= 3
            and (src[end - 2] == 0xC2 or src[end - 2] == 0x80 or src[end - 2] == 0x81 or src[end - 2] == 0x9A)
        ):
            end = strip_right(src, start, end)
    return start, end


@njit(cache=True, nogil=True)
def characters(src: Bytes, start: int, end: int) -> int:
    """Number of characters in ``src[start:end]``."""
    count = 0
    for at in range(start, end):
        count += (src[at] & 0xC0) != 0x80
    return count


@njit(cache=True, nogil=True)
def _zeros(word):  # type: ignore[no-untyped-def]
    """The high bit of every byte that is 0."""
    low = np.uint64(0x7F7F7F7F7F7F7F7F)
    return ~(((word & low) + low) | word | low)


@njit(cache=True, nogil=True)
def valid_characters(src, start, end):  # type: ignore[no-untyped-def]
    """Number of characters in ``src[start:end]``; -1 where Python would not decode it as UTF-8.

    ``src`` has 8 bytes more. Eight bytes at a time the bytes that must be continuations are compared with those that
    are; text with a lead byte that says more of the next one (C0, C1, E0, ED, from F0 on) is decoded instead.
    """
    ones, high = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
    count = np.int64(0)
    due = np.uint64(0)
    at = start
    while at < end:
        word = load_word(src, at)
        rest = min(end - at, 8)
        word &= np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(8 * (8 - rest))
        at += 8
        if (word & high) | due == np.uint64(0):
            count += rest
            continue
        second = word << np.uint64(1)
        third = word << np.uint64(2)
        inner = word & high & ~second
        lead = word & high & second
        long = lead & third
        unsure = (
            (long & (word << np.uint64(3)))
            | _zeros(word ^ (ones * np.uint64(0xE0)))
            | _zeros(word ^ (ones * np.uint64(0xED)))
            | _zeros((word & (ones * np.uint64(0xFE))) ^ (ones * np.uint64(0xC0)))
        )
        if unsure != np.uint64(0):
            return _decoded(src, start, end)
        if inner != (lead << np.uint64(8)) | (long << np.uint64(16)) | due:
            return np.int64(-1)
        due = (lead >> np.uint64(56)) | (long >> np.uint64(48))
        count += rest - np.int64(bit_count(inner))
    return count if due == np.uint64(0) else np.int64(-1)


@njit(cache=True, nogil=True)
def _decoded(src, at, end):  # type: ignore[no-untyped-def]
    """``valid_characters``, one after the other."""
    count = np.int64(0)
    while at < end:
        if src[at] < 0x80:
            at += 1
        else:
            point, size = decode(src, at)
            if point < 0 or 0xD800 <= point <= 0xDFFF or at + size > end:
                return np.int64(-1)
            at += size
        count += 1
    return count
