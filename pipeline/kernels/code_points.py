"""All characters at once, for tables over code points: every new process makes them, and every task may be a new one.

Python is asked about many characters in one call, and about one alone only where that call says that something happens.
Surrogates are characters here, as Python's str has them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LIMIT = 0x110000
"""One more than the last code point."""
BETWEEN = "\ue000"
"""A character of private use: Python's methods and Unicode's normal forms leave it alone, and none looks across it."""
_RUN = 256


def characters(limit: int = LIMIT) -> str:
    """The characters of all code points below ``limit``, in their order."""
    return np.arange(limit, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")


def without_letters(chars: str) -> str:
    """The characters that are neither letters nor digits (``str.isalnum``), in their order: of all, a third."""
    points = np.frombuffer(chars.encode("utf-32-le", "surrogatepass"), "<u4")
    # numpy does not take surrogates; they are no letters.
    sound = np.where(points >> np.uint32(11) == 0xD800 >> 11, np.uint32(0), points)
    others = points[~np.strings.isalnum(sound.view("<U1"))]
    return others.tobytes().decode("utf-32-le", "surrogatepass")


def changed_by(form: Callable[[str], str], chars: str) -> list[str]:
    """Those of the characters that ``form`` changes when each stands alone.

    ``form`` is ``str.lower`` or a normal form of Unicode: a run of characters that comes back as it was holds none that
    is changed alone, because lower case never makes a character vanish and a part of a normal form is one.
    """
    found = []
    for start in range(0, len(chars), _RUN):
        run = chars[start : start + _RUN]
        if form(run) != run:
            found += [char for char in run if form(char) != char]
    return found


def forms_of(chars: list[str], form: Callable[[str], str]) -> list[str]:
    """What ``form`` makes of each character where it stands between characters that have nothing to do with it.

    One call for all of them. BETWEEN must not be among the characters.
    """
    return form(BETWEEN + BETWEEN.join(chars) + BETWEEN).split(BETWEEN)[1:-1] if chars else []


def utf8_words(limit: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """UTF-8 of every code point below ``limit`` as little-endian numbers, and how many bytes these are.

    A surrogate has three bytes, as ``surrogatepass`` writes it.
    """
    point = np.arange(limit, dtype=np.uint32)
    last, third, second = ((point >> np.uint32(6 * n) & np.uint32(0x3F)) | np.uint32(0x80) for n in range(3))
    size = 1 + (point >= 0x80).astype(np.uint32) + (point >= 0x800) + (point >= 0x10000)
    two = 0xC0 | point >> 6 | last << 8
    three = 0xE0 | point >> 12 | third << 8 | last << 16
    four = 0xF0 | point >> 18 | second << 8 | third << 16 | last << 24
    return np.choose(size - 1, [point, two, three, four]).astype(np.uint32), size.astype(np.uint32)
