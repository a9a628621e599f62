"""The lines of a page as CCNet reads them from a WET file: stripped, the title left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.stages.shared.utf8 import strip_left, strip_right
from llama_data.stages.shared.words import copy, load_word

Title = Literal["drop", "keep"]


class Text(NamedTuple):
    """A page's text as UTF-8, and its length in characters and lines (0 for the empty text)."""

    utf8: bytes
    characters: int
    lines: int


@njit(cache=True, nogil=True)
def _line_end(src, at, size):  # type: ignore[no-untyped-def]
    """Where the line ends: at the next LF or CR, or at the end of the text. ``src`` has 8 bytes more than ``size``."""
    ones = np.uint64(0x0101010101010101)
    high = np.uint64(0x8080808080808080)
    while at < size:
        word = load_word(src, at)
        feed = word ^ (ones * np.uint64(10))
        carriage = word ^ (ones * np.uint64(13))
        if (((feed - ones) & ~feed) | ((carriage - ones) & ~carriage)) & high:
            while at < size and src[at] != 10 and src[at] != 13:
                at += 1
            return at
        at += 8
    return size


@njit(cache=True, nogil=True)
def _strip_lines(src, start, size, skip, out, at):  # type: ignore[no-untyped-def]
    """Copy the lines of ``src[start:size]`` (ended by LF, CR or CR LF) stripped, but the first ``skip``, to ``out``.

    Returns where they end there. ``src`` and ``out`` have 8 bytes more than they need.
    """
    line = 0
    while start < size:
        end = _line_end(src, start, size)
        if line >= skip:
            if line > skip:
                out[at] = 10
                at += 1
            first = strip_left(src, start, end)
            at = copy(src, first, strip_right(src, first, end), out, at)
        line += 1
        if end + 1 < size and src[end] == 13 and src[end + 1] == 10:
            end += 1
        start = end + 1
    return at


@njit(cache=True, nogil=True)
def count_text(src, at, end):  # type: ignore[no-untyped-def]
    """Characters and newlines of ``src[at:end]``; -1 characters where Python would not decode it as UTF-8.

    ``src`` has 8 bytes more.
    """
    ones = np.uint64(0x0101010101010101)
    high = np.uint64(0x8080808080808080)
    characters = end - at
    newlines = np.int64(0)
    while at < end:
        byte = src[at]
        if byte < 0x80:
            if at + 8 <= end:
                word = load_word(src, at)
                if word & high == np.uint64(0):
                    # All eight are ASCII: a byte is a newline where (byte ^ 10) + 0x7F does not carry to its high bit.
                    marks = ~((word ^ (ones * np.uint64(10))) + ones * np.uint64(0x7F)) & high
                    newlines += np.int64(((marks >> np.uint64(7)) * ones) >> np.uint64(56))
                    at += 8
                    continue
            newlines += byte == 10
            at += 1
            continue
        if byte < 0xC2:
            return -1, newlines
        if byte < 0xE0:
            size = 2
        elif byte < 0xF0:
            size = 3
        elif byte < 0xF5:
            size = 4
        else:
            return -1, newlines
        if at + size > end:
            return -1, newlines
        second = src[at + 1]
        if (
            (second & 0xC0) != 0x80
            or (byte == 0xE0 and second < 0xA0)
            or (byte == 0xED and second > 0x9F)
            or (byte == 0xF0 and second < 0x90)
            or (byte == 0xF4 and second > 0x8F)
        ):
            return -1, newlines
        for k in range(2, size):
            if (src[at + k] & 0xC0) != 0x80:
                return -1, newlines
        characters -= size - 1
        at += size
    return characters, newlines


@njit(cache=True, nogil=True)
def _strip_pages(src, bodies, skip, out, places, characters, newlines):  # type: ignore[no-untyped-def]
    """Write the stripped lines of every page to ``out``; ``places`` are their ends."""
    at = 0
    for page in range(bodies.shape[0]):
        begin = at
        at = _strip_lines(src, bodies[page, 0], bodies[page, 1], skip, out, at)
        places[page + 1] = at
        characters[page], newlines[page] = count_text(out, begin, at)


def strip_pages(data: bytes, bodies: NDArray[np.int64], title: Title = "drop") -> Iterator[Text]:
    """The text of every page between ``bodies`` in ``data``, which has 8 bytes more than the last one.

    The page's lines, each stripped; the first one, its title, left out unless ``title`` is ``keep``. Source:
    cc_net/process_wet_file.py. Lines end where Python's text files end them (LF, CR, CR LF); bytes that are not
    UTF-8 become U+FFFD.
    """
    out = np.empty(len(data) + 16, np.uint8)
    places = np.zeros(len(bodies) + 1, np.int64)
    characters = np.empty(len(bodies), np.int64)
    newlines = np.empty(len(bodies), np.int64)
    source = np.frombuffer(data, np.uint8)
    _strip_pages(source, bodies, 1 if title == "drop" else 0, out, places, characters, newlines)
    stripped = out[: places[-1]].tobytes()
    rows = zip(places[:-1].tolist(), places[1:].tolist(), characters.tolist(), newlines.tolist(), strict=True)
    count: int
    for begin, end, count, breaks in rows:
        text = stripped[begin:end]
        if count < 0:
            decoded = text.decode("utf-8", "replace")
            text, count, breaks = decoded.encode(), len(decoded), decoded.count("\n")
        yield Text(text, count, breaks + 1 if text else 0)


def page_lines(body: bytes, title: Title = "drop") -> Text:
    """``strip_pages`` of one page."""
    return next(strip_pages(body + bytes(8), np.array([[0, len(body)]]), title))


def page_text(body: bytes, title: Title = "drop") -> str:
    """``page_lines`` as a string."""
    return page_lines(body, title).utf8.decode()
