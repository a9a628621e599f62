"""What Python's str says about characters, for kernels that read UTF-8 bytes: spaces and line breaks."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

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

    A surrogate is given as it is, as Python's ``surrogatepass`` does. ``src`` has 3 bytes more than the text, and what
    follows the text is the first byte of a character.
    """
    lead = np.int64(src[at])
    size = np.int64(1)
    point = np.int64(-1)
    if lead < 0xE0:
        if lead >= 0xC2 and (src[at + 1] & 0xC0) == 0x80:
            size = 2
            point = ((lead & 0x1F) << 6) | np.int64(src[at + 1] & 0x3F)
    elif lead < 0xF0:
        if (src[at + 1] & 0xC0) == 0x80 and (src[at + 2] & 0xC0) == 0x80:
            size = 3
            point = ((lead & 0x0F) << 12) | (np.int64(src[at + 1] & 0x3F) << 6) | np.int64(src[at + 2] & 0x3F)
            if point < 0x800:
                point = -1
    elif lead < 0xF5 and (src[at + 1] & 0xC0) == 0x80 and (src[at + 2] & 0xC0) == 0x80 and (src[at + 3] & 0xC0) == 0x80:
        size = 4
        point = (
            ((lead & 0x07) << 18)
            | (np.int64(src[at + 1] & 0x3F) << 12)
            | (np.int64(src[at + 2] & 0x3F) << 6)
            | np.int64(src[at + 3] & 0x3F)
        )
        if point < 0x10000 or point > 0x10FFFF:
            point = -1
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


@njit(cache=True, nogil=True)
def characters(src: Bytes, start: int, end: int) -> int:
    """Number of characters in ``src[start:end]``."""
    count = 0
    for at in range(start, end):
        count += (src[at] & 0xC0) != 0x80
    return count
