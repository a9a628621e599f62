"""Word shingles as sets of 64-bit hashes, and what can be told from their smallest members.

A word is a maximal run of letters and digits of the lower-cased text. A shingle is ``width`` words in a row; a text
with fewer words has one shingle of all of them. The smallest k hashes of a set are a MinHash sketch of it
(bottom-k): a uniform sample of the set, which another set can be asked for.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
BASE = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


def shingle_hashes(text: str, width: int = 5) -> Hashes:
    """The hashes of the text's shingles, sorted, each once."""
    data = np.frombuffer(text.lower().encode("utf-8", "replace"), np.uint8)
    hashes = np.empty(len(data) // 2 + 1, np.uint64)
    found = _shingle(data, _word_characters(), width, hashes)
    return _distinct(np.sort(hashes[:found]))


def _distinct(ordered: Hashes) -> Hashes:
    """A sorted array without repeats; numpy's own unique is an order of magnitude slower here."""
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def bottom(hashes: Hashes, size: int) -> Hashes:
    """The sketch of a sorted set: its ``size`` smallest members, or all of them."""
    return hashes[:size]


def common(a: Hashes, b: Hashes) -> int:
    """The number of members that two sorted sets share."""
    return int(_common(a, b))


def containment(a: Hashes, b: Hashes) -> float:
    """The share of the smaller set that the other holds; 0 when either is empty."""
    smaller = min(len(a), len(b))
    return common(a, b) / smaller if smaller else 0.0


def jaccard(a: Hashes, b: Hashes) -> float:
    """The share of the union that both hold; 0 when both are empty."""
    shared = common(a, b)
    union = len(a) + len(b) - shared
    return shared / union if union else 0.0


@cache
def _word_characters() -> NDArray[np.uint8]:
    """For every code point 1 when it belongs to a word."""
    return np.fromiter((chr(point).isalnum() for point in range(0x110000)), np.uint8, 0x110000)


@njit(cache=True, nogil=True)
def _mix(value: Any) -> Any:
    """The finaliser of splitmix64: spreads every bit over the whole word."""
    value = (value ^ (value >> np.uint64(30))) * MIX_1
    value = (value ^ (value >> np.uint64(27))) * MIX_2
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _shingle(data: Any, is_word: Any, width: int, out: Any) -> int:
    """Write the hash of every shingle of UTF-8 text to ``out``; returns how many there are."""
    ring = np.zeros(width, np.uint64)
    drop = np.uint64(1)
    for _ in range(width):
        drop *= BASE
    rolling, word = np.uint64(0), FNV_OFFSET
    words, written, size, position = 0, 0, len(data), 0
    inside = False
    while position <= size:
        step, inside_now = 1, False
        if position < size:
            first = data[position]
            point = np.int64(first)
            if first >= 0xF0:
                step = 4
                point = first & 0x07
            elif first >= 0xE0:
                step = 3
                point = first & 0x0F
            elif first >= 0xC0:
                step = 2
                point = first & 0x1F
            for offset in range(1, step):
                point = (point << 6) | (data[position + offset] & 0x3F)
            inside_now = is_word[point] == 1
        if inside_now:
            for offset in range(step):
                word = (word ^ np.uint64(data[position + offset])) * FNV_PRIME
        elif inside:
            word = _mix(word)
            slot = words % width
            rolling = rolling * BASE + word - ring[slot] * drop
            ring[slot] = word
            words += 1
            if words >= width:
                out[written] = _mix(rolling)
                written += 1
            word = FNV_OFFSET
        inside = inside_now
        position += step
    if 0 < words < width:
        out[0] = _mix(rolling)
        written = 1
    return written


@njit(cache=True, nogil=True)
def _common(a: Any, b: Any) -> int:
    i, j, found = 0, 0, 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            found += 1
            i += 1
            j += 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return found
