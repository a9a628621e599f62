"""The numbers that GitHub's heuristics look at, in one pass over UTF-8 bytes."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.utf8 import BREAK, CLASSES, PLAIN, WIDE, Bytes, wide


class Counts(NamedTuple):
    """Characters, lines (as ``str.splitlines`` cuts them), longest line and alphanumerics, all in characters."""

    characters: int
    lines: int
    max_line: int
    alnum: int

    @property
    def average_line(self) -> float:
        """Characters a line, line ends counted (as RedPajama divides)."""
        return self.characters / self.lines if self.lines else 0.0

    @property
    def alnum_share(self) -> float:
        """Share of the characters that are letters or digits, 0 to 1."""
        return self.alnum / self.characters if self.characters else 0.0


@cache
def _alnum_table() -> NDArray[np.bool_]:
    """``str.isalnum`` of every code point."""
    points = np.arange(0x110000, dtype=np.uint32)
    points[0xD800:0xE000] = 0
    return np.strings.isalnum(points.view("<U1"))


@njit(cache=True, nogil=True)
def _count(src: Bytes, alnum_of: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    size = src.shape[0]
    characters = 0
    lines = 0
    longest = 0
    alnum = 0
    before = 0
    at = 0
    while at < size:
        byte = src[at]
        if byte < 0x80:
            length = 1
            point = np.int32(byte)
        elif byte < 0xE0:
            length = 2
            point = np.int32(byte & 0x1F) << 6 | np.int32(src[at + 1] & 0x3F)
        elif byte < 0xF0:
            length = 3
            point = np.int32(byte & 0x0F) << 12 | np.int32(src[at + 1] & 0x3F) << 6 | np.int32(src[at + 2] & 0x3F)
        else:
            length = 4
            point = (
                np.int32(byte & 0x07) << 18
                | np.int32(src[at + 1] & 0x3F) << 12
                | np.int32(src[at + 2] & 0x3F) << 6
                | np.int32(src[at + 3] & 0x3F)
            )
        kind = CLASSES[byte]
        if kind == WIDE:
            kind = wide(src, at, size) & 3
        if kind == PLAIN:
            alnum += alnum_of[point]
        characters += 1
        if kind == BREAK:
            lines += 1
            longest = max(longest, characters - 1 - before)
            if byte == 13 and at + 1 < size and src[at + 1] == 10:
                characters += 1
                length = 2
            before = characters
        at += length
    if characters > before:
        lines += 1
        longest = max(longest, characters - before)
    return characters, lines, longest, alnum


def count(text: str) -> Counts:
    """The counts of a text. Raises UnicodeEncodeError when it holds a lone surrogate."""
    return Counts(*_count(np.frombuffer(text.encode(), np.uint8), _alnum_table()))
