"""CCNet's normal form of a text for its language model, which is not the one that its line dedup uses.

Source: cc_net/text_normalizer.py ``normalize``: strip; lower; NFD without characters of category Mn; decimal digits
become ``0``; 34 punctuation marks become ASCII; control characters are deleted, newlines among them, so that a
document is one line and words at line ends are glued.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.utf8 import decode, strip
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
_ASK_PYTHON = 255


def normalise_text(text: str) -> str:
    """The normal form of a text (see the module)."""
    decomposed = unicodedata.normalize("NFD", text.strip().lower())
    return "".join(_mapped(char) for char in decomposed)


def _mapped(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Mn" or char in CONTROLS:
        return ""
    return "0" if category == "Nd" else _ASCII.get(char, char)


class _Table(NamedTuple):
    offsets: NDArray[np.int32]
    sizes: NDArray[np.uint8]
    values: NDArray[np.uint8]
    ascii: NDArray[np.uint8]


@cache
def _table() -> _Table:
    """For each code point below 0x30000 the UTF-8 of what it becomes; above, only U+E0100-E01EF change."""
    offsets = np.zeros(_LIMIT, np.int32)
    sizes = np.zeros(_LIMIT, np.uint8)
    known: dict[bytes, int] = {}
    values = bytearray()
    for point in range(_LIMIT):
        char = chr(point)
        # Capital sigma depends on what is around it; marks that are kept may change places in NFD.
        if point == 0x3A3 or _may_move(char):
            sizes[point] = _ASK_PYTHON
            continue
        changed = normalise_text("x" + char + "x")[1:-1].encode("utf-8", "surrogatepass")
        if changed not in known:
            known[changed] = len(values)
            values += changed
        offsets[point] = known[changed]
        sizes[point] = len(changed)
    ascii = np.array([values[offsets[c]] if sizes[c] else 0 for c in range(128)], np.uint8)
    return _Table(offsets, sizes, np.frombuffer(bytes(values), np.uint8), ascii)


def _may_move(char: str) -> bool:
    return any(
        unicodedata.combining(part) != 0 and unicodedata.category(part) != "Mn"
        for part in unicodedata.normalize("NFD", char)
    )


@njit(cache=True, nogil=True)
def _normalise(src, offsets, sizes, values, ascii, out):  # type: ignore[no-untyped-def]
    """Write the normal form to ``out``; its size, -1 to ask Python, -2 when ``out`` is too small."""
    i, end = strip(src, 0, src.size - 8)
    at = 0
    room = out.size - 64
    while i < end:
        byte = src[i]
        if at > room:
            return -2
        if byte < 0x80:
            changed = ascii[byte]
            if changed:
                out[at] = changed
                at += 1
            i += 1
            continue
        point, size = decode(src, i)
        if point < 0:
            return -1
        if point < 0x30000:
            length = sizes[point]
            if length == 255:
                return -1
            first = offsets[point]
            for k in range(length):
                out[at + k] = values[first + k]
            at += length
        elif point < 0xE0100 or point > 0xE01EF:  # the variation selectors there are of category Mn
            for k in range(size):
                out[at + k] = src[i + k]
            at += size
        i += size
    return at


def normalise_bytes(text: bytes) -> bytes:
    """``normalise_text`` on UTF-8."""
    table = _table()
    out = np.empty(len(text) + len(text) // 4 + 128, np.uint8)
    source = np.frombuffer(text + bytes(8), np.uint8)
    size = _normalise(source, table.offsets, table.sizes, table.values, table.ascii, out)
    if size == -2:
        # The longest normal form of one character is under 64 bytes.
        out = np.empty(64 * len(text) + 128, np.uint8)
        size = _normalise(source, table.offsets, table.sizes, table.values, table.ascii, out)
    if size == -1:
        return normalise_text(text.decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass")
    return out[:size].tobytes()
