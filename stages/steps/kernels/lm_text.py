"""CCNet's normal form of a text for its language model, which is not the one that its line dedup uses.

Source: cc_net/text_normalizer.py ``normalize``: strip; lower; NFD without characters of category Mn; decimal digits
become ``0``; 34 punctuation marks become ASCII; control characters are deleted, newlines among them, so that a
document is one line and words at line ends are glued.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.code_points import changed_by, characters, forms_of, without_letters
from llama_data.pipeline.kernels.memory import PADDING, address, copy, load_word, padded, store_word
from llama_data.pipeline.kernels.utf8 import decode_checked_at, strip
from llama_data.stages.steps.kernels.line_hash import CONTROLS, PUNCTUATION

_ASCII = dict(
    zip(
        PUNCTUATION,
        [
            *(",", ".", ",", '"', '"', '"', '"', '"', '"', '"', '"', '"', '"', "'", ":", ":", "?", "!", "(", ")"),
            *(";", "-", " - ", ". ", "~", "'", "...", "-", "<", ">", "[", "]", "%", "-"),
        ],
        strict=True,
    )
)
_LIMIT = 0x30000
_SELECTORS = (0xE0100, 0xE01EF)
"""The one range above the table that changes: variation selectors, of category Mn."""
_SIGMA = "\u03a3"
_DIGIT = re.compile(r"\d")  # characters of category Nd
# Sizes of a normal form that say something else.
_SAME, _ASK_PYTHON = 254, 255
_LONGEST = 64
"""The longest normal form of one character has fewer bytes (a test says so)."""
# Said by the kernel instead of a size.
_PYTHON, _TOO_SMALL = -1, -2


def normalise_text(text: str) -> str:
    """The normal form of a text (see the module)."""
    decomposed = _decomposed(text.strip().lower())
    # Once for each distinct character, of which even a long text has few.
    return decomposed.translate({ord(char): _mapped(char) for char in set(decomposed)})


def _mapped(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Mn" or char in CONTROLS:
        return ""
    return "0" if category == "Nd" else _ASCII.get(char, char)


class _Table(NamedTuple):
    """What each code point becomes, in UTF-8.

    ``sizes``: bytes of it, which stand in ``values`` from ``offsets`` on; or _SAME, _ASK_PYTHON. ``ascii``: the same
    for ASCII, where all become one byte or, 0, none.
    """

    offsets: NDArray[np.int32]
    sizes: NDArray[np.uint8]
    values: NDArray[np.uint8]
    ascii: NDArray[np.uint8]


@cache
def _table() -> _Table:
    """For each code point below 0x30000 the UTF-8 of what it becomes; above, only U+E0100-E01EF change."""
    chars = characters(_LIMIT)
    offsets = np.zeros(_LIMIT, np.int32)
    sizes = np.full(_LIMIT, _SAME, np.uint8)
    composed = changed_by(_decomposed, chars)
    altered = set(changed_by(str.lower, chars)).union(composed, CONTROLS, _ASCII)
    others = without_letters(chars)
    categories = dict(zip(others, map(unicodedata.category, others), strict=True))
    altered.update(_DIGIT.findall(chars), (char for char, category in categories.items() if category == "Mn"))
    # Capital sigma depends on what is around it; marks that are kept may change places in NFD.
    marks = {char for char, category in categories.items() if category != "Mn" and unicodedata.combining(char)}
    parts = zip(composed, forms_of(composed, _decomposed), strict=True)
    moving = marks.union((char for char, form in parts if not marks.isdisjoint(form)), _SIGMA)
    sizes[[ord(char) for char in moving]] = _ASK_PYTHON
    changed = sorted(altered - moving)
    forms = [form.encode("utf-8", "surrogatepass") for form in forms_of(changed, normalise_text)]
    points = [ord(char) for char in changed]
    sizes[points] = [len(form) for form in forms]
    offsets[points] = np.cumsum([0, *map(len, forms)])[:-1]
    values = padded(b"".join(forms))
    ascii = np.arange(128, dtype=np.uint8)
    plain = sizes[:128] != _SAME
    ascii[plain] = np.where(sizes[:128] == 0, 0, values[offsets[:128]])[plain]
    return _Table(offsets, sizes, values, ascii)


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


@njit(cache=True, nogil=True)
def _normalise(src, offsets, sizes, values, ascii, out):  # type: ignore[no-untyped-def]
    """Write the normal form to ``out``; its size, or _PYTHON, or _TOO_SMALL when ``out`` is. ``src`` has PADDING."""
    i, end = strip(src, 0, src.size - PADDING)
    at = 0
    # Words are stored, which may overhang.
    room = out.size - _LONGEST - 8
    while i < end:
        byte = src[i]
        if at > room:
            return _TOO_SMALL
        if byte < 0x80:
            changed = ascii[byte]
            if changed:
                out[at] = changed
                at += 1
            i += 1
            continue
        # Surrogates are characters here: Python's normal form takes them through, and so does the model.
        point, size = decode_checked_at(address(src) + i)
        if point < 0:
            return _PYTHON
        length = np.int64(sizes[point]) if point < _LIMIT else np.int64(_SAME)
        if length == _SAME:
            if point < _SELECTORS[0] or point > _SELECTORS[1]:
                store_word(out, at, load_word(src, i))
                at += size
        elif length == _ASK_PYTHON:
            return _PYTHON
        else:
            first = np.int64(offsets[point])
            at = copy(values, first, first + length, out, at)
        i += size
    return at


def normalise_bytes(text: bytes) -> bytes:
    """``normalise_text`` on UTF-8."""
    table = _table()
    source = padded(text)
    # Decomposing lengthens little; where it lengthens much there is a second time.
    out = np.empty(len(text) + len(text) // 4 + 2 * _LONGEST, np.uint8)
    size = _normalise(source, table.offsets, table.sizes, table.values, table.ascii, out)
    if size == _TOO_SMALL:
        out = np.empty(_LONGEST * len(text) + 2 * _LONGEST, np.uint8)
        size = _normalise(source, table.offsets, table.sizes, table.values, table.ascii, out)
    if size == _PYTHON:
        return normalise_text(text.decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass")
    return out[:size].tobytes()
