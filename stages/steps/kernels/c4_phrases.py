"""Finds the phrases that cost a line or a page, without regard to case, in compiled code.

Wu and Manber's search: the two bytes under the end of a window as long as the shortest phrase say how far the
window can move, which is nearly its whole length in ordinary text.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from llama_data.pipeline.kernels.utf8 import Bytes

LOREM, JAVASCRIPT, POLICY = 1, 2, 4
PHRASES = (
    ("lorem ipsum", LOREM),
    ("javascript", JAVASCRIPT),
    ("terms of use", POLICY),
    ("privacy policy", POLICY),
    ("cookie policy", POLICY),
    ("uses cookies", POLICY),
    ("use of cookies", POLICY),
    ("use cookies", POLICY),
)

_KELVIN_SIGN = tuple("\u212a".encode())
_SMALL_K = ord("k")
_CAPITALS, _TO_SMALL = (ord("A"), ord("Z")), ord("a") - ord("A")
_WINDOW = min(len(phrase) for phrase, _ in PHRASES)
_LENGTHS = np.array([len(phrase) for phrase, _ in PHRASES])
_FLAGS = np.array([flag for _, flag in PHRASES])
_WORDS = np.zeros((len(PHRASES), int(_LENGTHS.max())), np.uint8)
for _row, (_phrase, _) in enumerate(PHRASES):
    _WORDS[_row, : len(_phrase)] = np.frombuffer(_phrase.encode(), np.uint8)


def _shifts() -> Bytes:
    table = np.full(65536, _WINDOW - 1, np.uint8)
    for phrase, _ in PHRASES:
        for place in range(1, _WINDOW):
            for first in {phrase[place - 1], phrase[place - 1].upper()}:
                for second in {phrase[place], phrase[place].upper()}:
                    pair = ord(first) << 8 | ord(second)
                    table[pair] = min(table[pair], _WINDOW - 1 - place)
    return table


_SHIFTS = _shifts()


@njit(cache=True, nogil=True)
def _flags_at(src: Bytes, start: int, end: int) -> int:
    """Flags of the phrases that begin at ``start`` in the lower-cased text."""
    flags = 0
    for row in range(_WORDS.shape[0]):
        at = start
        step = 0
        while step < _LENGTHS[row] and at < end:
            char = src[at]
            if _CAPITALS[0] <= char <= _CAPITALS[1]:
                char += _TO_SMALL
            if char == _WORDS[row, step]:
                at += 1
            elif (
                # The Kelvin sign is the one non-ASCII character whose lower case is an ASCII letter alone: k.
                char == _KELVIN_SIGN[0]
                and _WORDS[row, step] == _SMALL_K
                and at + 2 < end
                and src[at + 1] == _KELVIN_SIGN[1]
                and src[at + 2] == _KELVIN_SIGN[2]
            ):
                at += 3
            else:
                break
            step += 1
        if step == _LENGTHS[row]:
            flags |= _FLAGS[row]
    return flags


@njit(cache=True, nogil=True)
def find_phrases(src: Bytes, start: int, end: int, kelvin: bool) -> int:
    """Flags of all phrases in ``src[start:end]``; ``kelvin`` says that the Kelvin sign may occur there."""
    flags = 0
    # With the Kelvin sign a phrase has more bytes than letters, so that windows are no measure.
    if kelvin:
        for at in range(start, end):
            flags |= _flags_at(src, at, end)
        return flags
    last = start + _WINDOW - 1
    while last < end:
        shift = _SHIFTS[np.int64(src[last - 1]) << 8 | np.int64(src[last])]
        if shift == 0:  # some phrase may end its window here, and the window may begin it
            flags |= _flags_at(src, last - _WINDOW + 1, end)
            shift = 1
        last += shift
    return flags
