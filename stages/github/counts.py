"""The numbers that GitHub's heuristics look at, in one pass over UTF-8 bytes."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.memory import address
from llama_data.pipeline.kernels.utf8 import (
    BREAK,
    CLASSES,
    PLAIN,
    WIDE,
    Bytes,
    decode_trusted_at,
    wide,
    wide_kind,
)

_LF, _CR = 10, 13


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
    text = address(src)
    while at < size:
        byte = src[at]
        point, length = decode_trusted_at(text + at)
        kind = CLASSES[byte]
        if kind == WIDE:
            kind = wide_kind(wide(src, at, size))
        # No space is alphanumeric; the table is 1 MiB, so it is not asked about what is known.
        if kind == PLAIN:
            alnum += alnum_of[point]
        characters += 1
        if kind == BREAK:
            lines += 1
            longest = max(longest, characters - 1 - before)
            if byte == _CR and at + 1 < size and src[at + 1] == _LF:
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
