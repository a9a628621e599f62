"""The lines of a page as CCNet reads them from a WET file: stripped, the title left out."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.core.utf8_document import LineBlock
from llama_data.pipeline.kernels.memory import PADDING, load_word
from llama_data.pipeline.kernels.swar import HIGH, first_below, first_place, keep_bytes
from llama_data.pipeline.kernels.utf8 import NO_CHARACTER, strip, valid_characters

Title = Literal["drop", "keep"]

_LF, _CR = 10, 13


class Pages(NamedTuple):
    """The texts of pages as their lines in the batch's bytes, and their lengths in characters.

    -1 characters: bytes that are not UTF-8, which become U+FFFD; they still stand in the lines. ``tails``: how many
    characters more CCNet counts of a page (see ``find_lines``).
    """

    texts: LineBlock
    characters: NDArray[np.int64]
    tails: NDArray[np.int64]


@njit(cache=True, nogil=True)
def _line_end(src, at, size):  # type: ignore[no-untyped-def]
    """Where the line ends: at the next LF or CR, or at the end of the text; and a word whose high bits tell whether
    all of it is ASCII. ``src`` has 8 bytes more than ``size``."""
    seen = np.uint64(0)
    while at < size:
        word = load_word(src, at)
        low = first_below(word, _CR + 1)
        if low == np.uint64(0):
            seen |= word
            at += 8
            continue
        # With the byte that was found, which is ASCII: its place is where a word of no bytes would be for nothing.
        place = first_place(low)
        seen |= keep_bytes(word, place + 1)
        at += place
        if at >= size or src[at] == _LF or src[at] == _CR:
            break
        at += 1
    return min(at, size), seen & HIGH


@njit(cache=True, nogil=True, inline="always")
def _next_line(src, end, size):  # type: ignore[no-untyped-def]
    """Where the line after the one that ends at ``end`` begins: after LF, CR or CR LF."""
    return end + 2 if end + 1 < size and src[end] == _CR and src[end + 1] == _LF else end + 1


@njit(cache=True, nogil=True, inline="always")
def _tail(src, size, lines, last_is_empty):  # type: ignore[no-untyped-def]
    """How many characters more CCNet counts of a page of so many lines that ends at ``size``."""
    if lines == 0 or src[size - 1] == _LF or src[size - 1] == _CR:
        return 0
    if last_is_empty:
        return -1 if lines > 1 else 0
    return 1


@njit(cache=True, nogil=True)
def _find_lines(  # type: ignore[no-untyped-def]
    src, bodies, skip, minimum, starts, ends, offsets, characters, tails
):
    """Where the stripped lines of every page are; of pages that have fewer characters than the minimum, none."""
    total = 0
    for page in range(bodies.shape[0]):
        start, size = bodies[page]
        offsets[page] = total
        line = -skip
        count = np.int64(-1)  # every line counts one character more, its newline, but the last has none
        sound = True
        while start < size:
            end, wide = _line_end(src, start, size)
            if line >= 0:
                first, last = strip(src, start, end)
                starts[total], ends[total] = first, last
                total += 1
                # Pages are mostly ASCII, of which a character is a byte.
                here = last - first if wide == np.uint64(0) else valid_characters(src, first, last)
                sound &= here != NO_CHARACTER
                count += here + 1
            line += 1
            start = _next_line(src, end, size)
        lines = total - offsets[page]
        tails[page] = _tail(src, size, lines, lines > 0 and starts[total - 1] == ends[total - 1])
        if total == offsets[page]:  # the empty text is one empty line
            starts[total] = ends[total] = size
            total += 1
            count = np.int64(0)
        characters[page] = count if sound else NO_CHARACTER
        if sound and count + tails[page] < minimum:
            total = offsets[page]
    offsets[bodies.shape[0]] = total


def find_lines(data: bytes, bodies: NDArray[np.int64], title: Title = "drop", minimum: int = 0) -> Pages:
    """The text of every page between ``bodies`` in ``data``, which has 8 bytes more than the last one.

    The page's lines, each stripped; the first one, its title, left out unless ``title`` is ``keep``. Source:
    cc_net/process_wet_file.py. Lines end where Python's text files end them (LF, CR, CR LF). Pages of fewer
    characters than ``minimum`` are given without lines.

    CCNet reads a page up to the next record and takes the two empty lines before that away when both are there. Where
    the page's last line has no newline of its own, the first of the two ends it and one stays: such a page counts a
    newline more. Where that last line is blank, it is taken for one of the two and goes: such a page counts one less.
    """
    room = len(data) + len(bodies)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    offsets = np.empty(len(bodies) + 1, np.int64)
    characters, tails = np.empty(len(bodies), np.int64), np.empty(len(bodies), np.int64)
    source = np.frombuffer(data, np.uint8)
    _find_lines(source, bodies, 1 if title == "drop" else 0, minimum, starts, ends, offsets, characters, tails)
    total = offsets[-1]
    return Pages(LineBlock(data, starts[:total], ends[:total], offsets), characters, tails)


def page_text(body: bytes, title: Title = "drop") -> str:
    """The text of one page."""
    return find_lines(body + bytes(PADDING), np.array([[0, len(body)]]), title).texts.utf8(0).decode("utf-8", "replace")
