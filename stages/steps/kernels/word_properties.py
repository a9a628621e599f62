"""What word splitters ask of a character: Python's kinds, marks, Unicode's kinds and classes of word boundaries.

The tables are made from ``str`` and ``regex`` as they are installed, so that they never disagree with either.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import regex  # type: ignore[import-untyped]
from datatrove.utils.text import PUNCTUATION  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.kernels.code_points import LIMIT, changed_by, characters

ALPHABETIC, ALPHANUMERIC, SPACE, WHITE, SIGN, WORDLIKE = (1 << bit for bit in range(6))
"""Kinds: ``str.isalpha``, ``str.isalnum``, ``str.isspace``, Unicode's White_Space, datatrove's punctuation, and
Unicode's Alphabetic or a number."""
MARK = 1 << 8
"""One more: Unicode's categories M, which stand with letters."""
CLASS_SHIFT = 12
"""From here on the class of word boundaries (UAX 29)."""
OTHER, LETTER, HEBREW, NUMERIC, KATAKANA, JOINER_SIGN, EXTEND, ZWJ = range(8)
MID_LETTER, MID_NUMBER, MID_BOTH, SINGLE_QUOTE, DOUBLE_QUOTE, REGIONAL, NEWLINE, WIDE_SPACE = range(8, 16)
"""Classes as Unicode has them; Format is EXTEND here, CR and LF are NEWLINE, which come to the same without both."""
PICTOGRAPH, VOWEL = 1 << 6, 1 << 7
"""Two more kinds: Unicode's Extended_Pictographic, and what ``regex`` keeps with an apostrophe before it."""
_VOWELS = "aàáâeèéêiìíîoòóôuùúûAÀÁÂEÈÉÊIÌÍÎOÒÓÔUÙÚÛ\u0130"
_CLASSES = {
    LETTER: "ALetter", HEBREW: "Hebrew_Letter", NUMERIC: "Numeric", KATAKANA: "Katakana", JOINER_SIGN: "ExtendNumLet",
    EXTEND: "Extend", ZWJ: "ZWJ", MID_LETTER: "MidLetter", MID_NUMBER: "MidNum", MID_BOTH: "MidNumLet",
    SINGLE_QUOTE: "Single_Quote", DOUBLE_QUOTE: "Double_Quote", REGIONAL: "Regional_Indicator", NEWLINE: "Newline",
    WIDE_SPACE: "WSegSpace",
}  # fmt: skip
_MORE = {EXTEND: ("Format",), NEWLINE: ("CR", "LF")}
RANGES = ((0, 0x40000), (0xE0000, 0xE1000))
"""Where characters are that have any of this (a test says so)."""
LOWER_LIMIT = 0x20000
"""No character above has a lower case (a test says so)."""
NO_LOWER = np.uint32(0xFFFFFFFF)


class Properties(NamedTuple):
    """``kinds``: of every code point; ``lower``: the lower case of those below LOWER_LIMIT.

    NO_LOWER: that is not one character.
    """

    kinds: NDArray[np.uint16]
    lower: NDArray[np.uint32]


@cache
def properties() -> Properties:
    """The tables, made once a process."""
    kinds = np.zeros(LIMIT, np.uint16)
    for start, end in RANGES:
        kinds[start:end] = kinds_of(start, end)
    lower = np.arange(LOWER_LIMIT, dtype=np.uint32)
    for char in changed_by(str.lower, characters(LOWER_LIMIT)):
        form = char.lower()
        lower[ord(char)] = ord(form) if len(form) == 1 else NO_LOWER
    return Properties(kinds, lower)


def kinds_of(start: int, end: int) -> NDArray[np.uint16]:
    """The kinds and classes of the code points from ``start`` to ``end``."""
    points = np.arange(start, end, dtype=np.uint32)
    # numpy does not take surrogates; they are no letters and no spaces.
    sound = np.where(points >> np.uint32(11) == 0xD800 >> 11, np.uint32(0), points).view("<U1")
    kinds = np.zeros(end - start, np.uint16)
    kinds |= np.strings.isalpha(sound) * np.uint16(ALPHABETIC)
    kinds |= np.strings.isalnum(sound) * np.uint16(ALPHANUMERIC)
    kinds |= np.strings.isspace(sound) * np.uint16(SPACE)
    chars = points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    patterns = {
        WHITE: r"\p{White_Space}+",
        WORDLIKE: r"[\p{Alphabetic}\p{N}]+",
        PICTOGRAPH: r"\p{Extended_Pictographic}+",
        MARK: r"\p{M}+",
    }
    patterns |= {
        number << CLASS_SHIFT: "[" + "".join(rf"\p{{WB={one}}}" for one in (name, *_MORE.get(number, ()))) + "]+"
        for number, name in _CLASSES.items()
    }
    for value, pattern in patterns.items():
        for found in regex.finditer(pattern, chars):
            kinds[slice(*found.span())] |= np.uint16(value)
    for kind, listed in ((SIGN, PUNCTUATION), (VOWEL, _VOWELS)):
        kinds[[ord(char) - start for char in set(listed) if start <= ord(char) < end]] |= np.uint16(kind)
    return kinds
