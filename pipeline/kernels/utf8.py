"""Characters of UTF-8 bytes as Python's str sees them: code points, spaces, line breaks, how many there are.

There are two decoders, and the name says which text they are for. ``decode_trusted_at`` takes valid UTF-8, as
``str.encode`` gives it, reads no byte after the character and checks nothing. ``decode_checked_at`` takes any bytes.
Both are given an address (see ``memory``): a decoder is called once a character.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.memory import address, load_byte_at, load_word, load_word_at
from llama_data.pipeline.kernels.swar import HIGH, ONES, bit_count, keep_bytes, zeros

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


NO_CHARACTER = -1
"""What ``decode_checked_at`` says where there is no character."""
_SURROGATES = (0xD800, 0xDFFF)
# What ``wide`` returns is size << _KIND_BITS | kind.
_KIND_BITS = 2
_TWO, _THREE = 2 << _KIND_BITS, 3 << _KIND_BITS
NOT_WIDE = 1 << _KIND_BITS | PLAIN
"""What ``wide`` says of a byte that begins none of the characters it looks for: go on with the next byte."""


@njit(cache=True, nogil=True)
def wide_kind(found: int) -> int:
    """SPACE or BREAK of what ``wide`` found, PLAIN for NOT_WIDE."""
    return found & 3


@njit(cache=True, nogil=True)
def wide_size(found: int) -> int:
    """Bytes of what ``wide`` found, 1 for NOT_WIDE."""
    return found >> _KIND_BITS


# Inlined in numba's own form, as all that takes arrays in a hot loop: see ``memory`` on what a call costs.
@njit(cache=True, nogil=True, inline="always")
def wide(src: Bytes, at: int, end: int) -> int:
    """At a byte of class WIDE: the non-ASCII space or line break that begins there (``wide_kind``, ``wide_size``).

    They are the characters for which ``str.isspace`` is true, and of these the ones at which ``str.splitlines`` cuts:
    U+0085 00A0 1680 2000-200A 2028 2029 202F 205F 3000. The text must be valid UTF-8.
    """
    lead = src[at]
    if lead == 0xC2:
        if at + 1 < end:
            if src[at + 1] == 0x85:
                return _TWO | BREAK
            if src[at + 1] == 0xA0:
                return _TWO | SPACE
        return NOT_WIDE
    if at + 2 >= end:
        return NOT_WIDE
    second, third = src[at + 1], src[at + 2]
    if lead == 0xE2:
        if second == 0x80:
            if third == 0xA8 or third == 0xA9:
                return _THREE | BREAK
            if third <= 0x8A or third == 0xAF:
                return _THREE | SPACE
        elif second == 0x81 and third == 0x9F:
            return _THREE | SPACE
    elif lead == 0xE1:
        if second == 0x9A and third == 0x80:
            return _THREE | SPACE
    elif second == 0x80 and third == 0x80:
        return _THREE | SPACE
    return NOT_WIDE


@njit(cache=True, nogil=True)
def decode_trusted_at(place):  # type: ignore[no-untyped-def]
    """Code point and size in bytes of the character at an address, in valid UTF-8."""
    # Byte by byte and the shortest form first: most characters are ASCII, and a word might lie beyond the text.
    first = load_byte_at(place)
    if first < 0x80:
        return first, 1
    second = load_byte_at(place + 1) & 0x3F
    if first < 0xE0:
        return (first & 0x1F) << 6 | second, 2
    third = load_byte_at(place + 2) & 0x3F
    if first < 0xF0:
        return (first & 0x0F) << 12 | second << 6 | third, 3
    return (first & 0x07) << 18 | second << 12 | third << 6 | (load_byte_at(place + 3) & 0x3F), 4


@njit(cache=True, nogil=True)
def decode_checked_at(place):  # type: ignore[no-untyped-def]
    """Code point and size in bytes of the non-ASCII character at an address, in any bytes; NO_CHARACTER, 1 for none.

    A surrogate is given as it is, as Python's ``surrogatepass`` does. Four bytes are read, and the byte after the text
    must be no continuation byte: then a character that the text's end cuts off is none.
    """
    # One load for all forms, and one comparison for the lead and all continuation bytes of a form.
    word = np.int64(load_word_at(place) & np.uint64(0xFFFFFFFF))
    point, size = np.int64(NO_CHARACTER), 1
    # What is left of a form's range after that: overlong forms, and what is beyond Unicode.
    if word & 0xC0E0 == 0x80C0:
        decoded = (word & 0x1F) << 6 | (word >> 8 & 0x3F)
        if decoded >= 0x80:
            point, size = decoded, 2
    elif word & 0xC0C0F0 == 0x8080E0:
        decoded = (word & 0x0F) << 12 | (word >> 2 & 0xFC0) | (word >> 16 & 0x3F)
        if decoded >= 0x800:
            point, size = decoded, 3
    elif word & 0xC0C0C0F8 == 0x808080F0:
        decoded = (word & 0x07) << 18 | (word << 4 & 0x3F000) | (word >> 10 & 0xFC0) | (word >> 24 & 0x3F)
        if 0x10000 <= decoded <= 0x10FFFF:
            point, size = decoded, 4
    return point, size


@njit(cache=True, nogil=True)
def is_surrogate(point: int) -> bool:
    """True for a code point that ``surrogatepass`` lets through and strict UTF-8 does not."""
    return _SURROGATES[0] <= point <= _SURROGATES[1]


@njit(cache=True, nogil=True)
def strip_left(src: Bytes, start: int, end: int) -> int:
    """Where the text begins in ``src[start:end]`` without the whitespace before it."""
    while start < end:
        kind = CLASSES[src[start]]
        if kind == PLAIN:
            break
        if kind == WIDE:
            found = wide(src, start, end)
            if found == NOT_WIDE:
                break
            start += wide_size(found)
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
        # From behind there is no lead byte to go by: look where one of each size would be.
        elif end - start >= 2 and src[end - 2] == 0xC2 and wide(src, end - 2, end) != NOT_WIDE:
            end -= 2
        elif end - start >= 3 and src[end - 3] >= 0xE1 and src[end - 3] <= 0xE3 and wide(src, end - 3, end) != NOT_WIDE:
            end -= 3
        else:
            break
    return end


@njit(cache=True, nogil=True, inline="always")
def strip(src, start, end):  # type: ignore[no-untyped-def]
    """Where the text begins and ends in ``src[start:end]`` without the whitespace around it."""
    # Calls are given arrays, which costs two atomic reference counts: only where there may be something to strip. The
    # second last byte of a wide space is one of four, which few other characters have.
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
def valid_characters(src, start, end):  # type: ignore[no-untyped-def]
    """Number of characters in ``src[start:end]``; NO_CHARACTER where Python would not decode it as UTF-8.

    ``src`` has 8 bytes more. Eight bytes at a time the bytes that must be continuations are compared with those that
    are; text with a lead byte that says more of the next one (C0, C1, E0, ED, from F0 on) is decoded instead.
    """
    count = np.int64(0)
    # Marks of the first bytes of the next word that a lead byte of this one wants as continuations.
    due = np.uint64(0)
    at = start
    while at < end:
        rest = min(end - at, 8)
        word = keep_bytes(load_word(src, at), rest)
        at += 8
        if (word & HIGH) | due == np.uint64(0):
            count += rest
            continue
        # The bits after a byte's high bit, moved to where the high bit is: two for a lead, three for a long one.
        second = word << np.uint64(1)
        third = word << np.uint64(2)
        inner = word & HIGH & ~second
        lead = word & HIGH & second
        long = lead & third
        unsure = (
            (long & (word << np.uint64(3)))
            | zeros(word ^ (ONES * np.uint64(0xE0)))
            | zeros(word ^ (ONES * np.uint64(0xED)))
            | zeros((word & (ONES * np.uint64(0xFE))) ^ (ONES * np.uint64(0xC0)))
        )
        if unsure != np.uint64(0):
            # From the beginning: what is counted so far may end inside a character. Few texts come here.
            return _decoded_characters(address(src) + start, address(src) + end)
        if inner != (lead << np.uint64(8)) | (long << np.uint64(16)) | due:
            return np.int64(NO_CHARACTER)
        due = (lead >> np.uint64(56)) | (long >> np.uint64(48))
        count += rest - np.int64(bit_count(inner))
    return count if due == np.uint64(0) else np.int64(NO_CHARACTER)


@njit(cache=True, nogil=True)
def _decoded_characters(place, end):  # type: ignore[no-untyped-def]
    """``valid_characters`` between two addresses, one after the other."""
    count = np.int64(0)
    while place < end:
        size = 1
        if load_byte_at(place) >= 0x80:
            point, size = decode_checked_at(place)
            # The text goes on after ``end``, so that a character may be whole and yet reach beyond it.
            if point < 0 or is_surrogate(point) or place + size > end:
                return np.int64(NO_CHARACTER)
        place += size
        count += 1
    return count
