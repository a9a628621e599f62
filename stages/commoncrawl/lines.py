"""The lines of a page as CCNet reads them from a WET file: stripped, the title left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.stages.shared.utf8 import Bytes, decode, strip_left, strip_right
from llama_data.stages.shared.words import copy, load_word, trailing_zeros

Title = Literal["drop", "keep"]

_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)


class Text(NamedTuple):
    """A page's text as UTF-8, and its length in characters and lines (0 for the empty text)."""

    utf8: bytes
    characters: int
    lines: int


class Lines(NamedTuple):
    """Lines in a batch's bytes: where each begins and ends, and the first one of every page that has any."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    offsets: NDArray[np.int64]


@njit(cache=True, nogil=True)
def _line_end(src, at, size):  # type: ignore[no-untyped-def]
    """Where the line ends: at the next LF or CR, or at the end of the text; and a word whose high bits tell whether
    all of it is ASCII. ``src`` has 8 bytes more than ``size``."""
    seen = np.uint64(0)
    while at < size:
        word = load_word(src, at)
        # The lowest byte below 14; above it a borrow may mark others.
        low = (word - _ONES * np.uint64(14)) & ~word & _HIGH
        if low == np.uint64(0):
            seen |= word
            at += 8
            continue
        bits = np.int64(trailing_zeros(low)) - 7
        seen |= word & ((np.uint64(1) << np.uint64(bits)) - np.uint64(1))
        at += bits >> 3
        if at >= size or src[at] == 10 or src[at] == 13:
            break
        at += 1
    return min(at, size), seen & _HIGH


@njit(cache=True, nogil=True, inline="always")
def _next_line(src, end, size):  # type: ignore[no-untyped-def]
    """Where the line after the one that ends at ``end`` begins: after LF, CR or CR LF."""
    return end + 2 if end + 1 < size and src[end] == 13 and src[end + 1] == 10 else end + 1


@njit(cache=True, nogil=True)
def count_characters(src, at, end):  # type: ignore[no-untyped-def]
    """Characters of ``src[at:end]``; -1 where Python would not decode it as UTF-8. ``src`` has 8 bytes more."""
    count = np.int64(0)
    while at < end:
        if src[at] < 0x80:
            if at + 8 <= end and load_word(src, at) & _HIGH == np.uint64(0):
                at += 8
                count += 8
            else:
                at += 1
                count += 1
            continue
        point, size = decode(src, at)
        if point < 0 or 0xD800 <= point <= 0xDFFF:
            return np.int64(-1)
        at += size
        count += 1
    return count


@njit(cache=True, nogil=True)
def _strip_page(src, start, size, skip, out, at):  # type: ignore[no-untyped-def]
    """Copy the lines of ``src[start:size]`` stripped, but the first ``skip``, to ``out``, a LF between them.

    Returns where they end there, their characters (-1: not UTF-8) and how many lines there are. ``src`` and ``out``
    have 8 bytes more than they need.
    """
    line = -skip
    characters = np.int64(0)
    sound = True
    while start < size:
        end, wide = _line_end(src, start, size)
        if line >= 0:
            if line > 0:
                out[at] = 10
                at += 1
                characters += 1
            first = strip_left(src, start, end)
            last = strip_right(src, first, end)
            at = copy(src, first, last, out, at)
            count = last - first if wide == np.uint64(0) else count_characters(src, first, last)
            sound &= count >= 0
            characters += count
        line += 1
        start = _next_line(src, end, size)
    return at, characters if sound else np.int64(-1), max(line, 0)


@njit(cache=True, nogil=True)
def _strip_pages(src, bodies, skip, out, places, characters, lines):  # type: ignore[no-untyped-def]
    """Write the stripped lines of every page to ``out``; ``places`` are their ends."""
    at = 0
    for page in range(bodies.shape[0]):
        begin = at
        at, characters[page], lines[page] = _strip_page(src, bodies[page, 0], bodies[page, 1], skip, out, at)
        places[page + 1] = at
        if at == begin:
            lines[page] = 0


@njit(cache=True, nogil=True)
def _find_lines(src, bodies, skip, minimum, starts, ends, offsets):  # type: ignore[no-untyped-def]
    """The lines of the pages of at least ``minimum`` characters (0: of all); returns how many pages and lines.

    -1 pages when Python has to say how many characters a page has.
    """
    pages = 0
    total = 0
    for page in range(bodies.shape[0]):
        start, size = bodies[page]
        first = total
        line = -skip
        characters = np.int64(-1)
        while start < size:
            end, wide = _line_end(src, start, size)
            if line >= 0:
                starts[total], ends[total] = start, end
                total += 1
                if characters < minimum:
                    begin = strip_left(src, start, end)
                    last = strip_right(src, begin, end)
                    count = last - begin if wide == np.uint64(0) else count_characters(src, begin, last)
                    if count < 0:
                        return -1, 0
                    characters += count + 1
            line += 1
            start = _next_line(src, end, size)
        if characters < minimum and minimum > 0:
            total = first
            continue
        if total == first:  # the empty text is one empty line
            starts[total] = ends[total] = size
            total += 1
        offsets[pages] = first
        pages += 1
    offsets[pages] = total
    return pages, total


def find_lines(source: Bytes, bodies: NDArray[np.int64], title: Title = "drop", minimum: int = 0) -> Lines | None:
    """The lines of those pages between ``bodies`` whose text has ``minimum`` characters, as ``strip_pages`` gives it.

    They are not stripped yet, and the empty text is one empty line. None when a page that counts is not UTF-8.
    """
    room = len(source) + len(bodies)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    offsets = np.empty(len(bodies) + 1, np.int64)
    pages, total = _find_lines(source, bodies, 1 if title == "drop" else 0, minimum, starts, ends, offsets)
    return None if pages < 0 else Lines(starts[:total], ends[:total], offsets[: pages + 1])


def strip_pages(data: bytes, bodies: NDArray[np.int64], title: Title = "drop") -> Iterator[Text]:
    """The text of every page between ``bodies`` in ``data``, which has 8 bytes more than the last one.

    The page's lines, each stripped; the first one, its title, left out unless ``title`` is ``keep``. Source:
    cc_net/process_wet_file.py. Lines end where Python's text files end them (LF, CR, CR LF); bytes that are not
    UTF-8 become U+FFFD.
    """
    out = np.empty(len(data) + 16, np.uint8)
    places = np.zeros(len(bodies) + 1, np.int64)
    characters = np.empty(len(bodies), np.int64)
    lines = np.empty(len(bodies), np.int64)
    source = np.frombuffer(data, np.uint8)
    _strip_pages(source, bodies, 1 if title == "drop" else 0, out, places, characters, lines)
    stripped = memoryview(out)
    rows = zip(places[:-1].tolist(), places[1:].tolist(), characters.tolist(), lines.tolist(), strict=True)
    count: int
    for begin, end, count, line in rows:
        text = bytes(stripped[begin:end])
        if count < 0:
            decoded = text.decode("utf-8", "replace")
            text, count = decoded.encode(), len(decoded)
        yield Text(text, count, line)


def page_lines(body: bytes, title: Title = "drop") -> Text:
    """``strip_pages`` of one page."""
    return next(strip_pages(body + bytes(8), np.array([[0, len(body)]]), title))


def page_text(body: bytes, title: Title = "drop") -> str:
    """``page_lines`` as a string."""
    return page_lines(body, title).utf8.decode()
