"""Word shingles as sets of 64-bit hashes, and what can be told from their smallest members.

A word is a maximal run of letters and digits of the lower-cased text. A shingle is ``width`` words in a row; a text
with fewer words has one shingle of all of them.

Two sketches of such a set serve different questions. Its smallest k hashes (bottom-k) are a uniform sample of it,
which another set can be asked for: that estimates containment, whatever the two sizes. Its MinHash signature (for each
of many permutations the smallest image) is what ``datasketch`` makes and asks: two of them estimate the Jaccard
similarity.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.hashing import GOLDEN, mix64

Hashes = NDArray[np.uint64]

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)

Signature = NDArray[np.uint32]

SCHEME = "affine32"
"""What datasketch calls this way of permuting; the scheme that its ``MinHash`` takes unless told otherwise."""

PERMUTATIONS = 128
SEED = 1
"""Both as in ``datasketch.MinHash()``."""

# MurmurHash3's finaliser for 32 bits: what datasketch puts every hash through before it is permuted.
_LOW_32 = np.uint64(0xFFFFFFFF)
_FMIX_1 = np.uint64(0x85EBCA6B)
_FMIX_2 = np.uint64(0xC2B2AE35)

_PLANES = 4
"""Letters and digits stand in Unicode's first four planes of 65,536 code points; a test looks at all seventeen."""


def shingle_hashes(text: str, width: int = 5) -> Hashes:
    """The hashes of the text's shingles, sorted, each once."""
    data = np.frombuffer(text.lower().encode("utf-8", "replace"), np.uint8)
    hashes = np.empty(len(data) // 2 + 1, np.uint64)
    hashes = hashes[: _shingle(data, _word_characters(), width, hashes)]
    hashes.sort()
    return hashes[: _close_up(hashes)].copy()  # a set that is kept does not hold the room of all


def bottom(hashes: Hashes, size: int) -> Hashes:
    """The sketch of a sorted set: its ``size`` smallest members, or all of them."""
    return hashes[:size]


def signature(hashes: Hashes, permutations: int = PERMUTATIONS, seed: int = SEED) -> Signature:
    """The MinHash signature of a set, value for value that of ``datasketch.MinHash(permutations, seed)``.

    datasketch has to be fed with the low 32 bits of the same hashes (``low_bits`` as its ``hashfunc``). The order of
    the hashes and repeats do not matter; the empty set has 2**32 - 1 everywhere.
    """
    multipliers, summands = permutation_constants(permutations, seed)
    smallest = np.full(permutations, _LOW_32, np.uint32)
    _sign(hashes, multipliers, summands, smallest)
    return smallest


def low_bits(value: int) -> int:
    """The 32 bits of a shingle's hash that signatures are made of: the ``hashfunc`` to give to datasketch."""
    return value & 0xFFFFFFFF


@lru_cache(maxsize=4)
def permutation_constants(count: int, seed: int) -> NDArray[np.uint32]:
    """datasketch's permutations h -> a * h + b modulo 2**32: a row of a, a row of b.

    Every a is odd, so no two hashes have the same image. They are drawn by numpy's RandomState, whose stream is frozen.
    """
    chance = np.random.RandomState(seed)
    odd = chance.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    constants = np.array([odd, chance.randint(0, 1 << 32, count, dtype=np.uint32)])
    constants.flags.writeable = False  # everyone gets the same array
    return constants


def common(a: Hashes, b: Hashes) -> int:
    """The number of members that two sorted sets share."""
    return int(count_common(a, b))


def containment(a: Hashes, b: Hashes) -> float:
    """The share of the smaller set that the other holds; 0 when either is empty."""
    smaller = min(len(a), len(b))
    return common(a, b) / smaller if smaller else 0.0


def jaccard(a: Hashes, b: Hashes) -> float:
    """The share of the union that both hold; 0 when both are empty."""
    shared = common(a, b)
    union = len(a) + len(b) - shared
    return shared / union if union else 0.0


def count_hits(
    hashes: Hashes, table: Hashes, owners: NDArray[np.int32], after: int, counts: Any, touched: NDArray[np.int32]
) -> int:
    """Ask a table of hashes with owners which of them a set holds; both are sorted, the table may have repeats.

    Adds one to ``counts[owner]`` for every hash of an owner above ``after`` that the set holds, and writes the owners
    whose count was 0 before to ``touched``, in no order. Returns how many those are.
    """
    return int(_count_hits(hashes, table, owners, after, counts, touched))


@cache
def _word_characters() -> NDArray[np.uint8]:
    """For every code point of the first planes 1 when it belongs to a word: as ``str.isalnum`` says, in one call."""
    points = np.arange(_PLANES << 16, dtype=np.uint32)
    return np.strings.isalnum(points.view("U1")).view(np.uint8)


@njit(cache=True, nogil=True)
def _shingle(data: Any, is_word: Any, width: int, out: Any) -> int:
    """Write the hash of every shingle of UTF-8 text to ``out``; returns how many there are.

    A shingle's hash is a polynomial of its words' hashes, so the next one costs a word that comes in (times 1) and one
    that goes out (times GOLDEN ** width), however wide it is. ``ring`` has the words that are inside.
    """
    ring = np.zeros(width, np.uint64)
    drop = np.uint64(1)
    for _ in range(width):
        drop *= GOLDEN
    rolling = np.uint64(0)
    words, written, slot, size, position = 0, 0, 0, len(data), 0
    while position < size:
        word, begin = FNV_OFFSET, position
        while position < size:  # through one word
            byte = data[position]
            if byte < 0x80:
                if is_word[byte] == 0:
                    break
                word = (word ^ np.uint64(byte)) * FNV_PRIME
                position += 1
                continue
            step, point = _decode(data, position)
            if point >= len(is_word) or is_word[point] == 0:
                break
            for offset in range(step):
                word = (word ^ np.uint64(data[position + offset])) * FNV_PRIME
            position += step
        if position > begin:
            word = mix64(word)
            rolling = rolling * GOLDEN + word - ring[slot] * drop
            ring[slot] = word
            slot = 0 if slot + 1 == width else slot + 1
            words += 1
            if words >= width:
                out[written] = mix64(rolling)
                written += 1
        if position < size:  # over the character that ended it
            position += 1 if data[position] < 0x80 else _decode(data, position)[0]
    if 0 < words < width:
        out[0] = mix64(rolling)
        written = 1
    return written


@njit(cache=True, nogil=True)
def _close_up(ordered: Any) -> int:
    """Move the distinct members of a sorted array to its front; returns how many there are."""
    count = 0
    for value in ordered:
        if count == 0 or value != ordered[count - 1]:
            ordered[count] = value
            count += 1
    return count


@njit(cache=True, nogil=True)
def _decode(data: Any, position: int) -> Any:
    """Length and code point of the UTF-8 character that begins here."""
    first = np.int64(data[position])
    step, point = 1, first
    if first >= 0xF0:
        step, point = 4, first & 0x07
    elif first >= 0xE0:
        step, point = 3, first & 0x0F
    elif first >= 0xC0:
        step, point = 2, first & 0x1F
    for offset in range(1, step):
        point = (point << 6) | (data[position + offset] & 0x3F)
    return step, point


@njit(cache=True, nogil=True)
def count_common(a: Any, b: Any) -> int:
    """``common`` for compiled callers."""
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


@njit(cache=True, nogil=True)
def _sign(hashes: Any, multipliers: Any, summands: Any, smallest: Any) -> None:
    """Lower ``smallest`` to the least image of any hash under each permutation.

    Four hashes go through the permutations together: constants and minima are then loaded and stored a fourth as
    often. One instruction works on several permutations at a time.
    """
    last = len(hashes) - 1
    for first in range(0, len(hashes), 4):  # the last hash fills up the last four: repeats do not matter
        one, two = _mixed(hashes[first]), _mixed(hashes[min(first + 1, last)])
        three, four = _mixed(hashes[min(first + 2, last)]), _mixed(hashes[min(first + 3, last)])
        for place in range(len(smallest)):
            a, b = multipliers[place], summands[place]
            least = min(np.uint32(a * one + b), np.uint32(a * two + b))
            other = min(np.uint32(a * three + b), np.uint32(a * four + b))
            smallest[place] = min(smallest[place], min(least, other))


@njit(cache=True, nogil=True)
def _mixed(wide: Any) -> Any:
    value = wide & _LOW_32
    value = ((value ^ (value >> np.uint64(16))) * _FMIX_1) & _LOW_32
    value = ((value ^ (value >> np.uint64(13))) * _FMIX_2) & _LOW_32
    return np.uint32(value ^ (value >> np.uint64(16)))


@njit(cache=True, nogil=True)
def _count_hits(hashes: Any, table: Any, owners: Any, after: int, counts: Any, touched: Any) -> int:
    found, i, j = 0, 0, 0
    while i < len(hashes) and j < len(table):
        if table[j] < hashes[i]:
            j = _gallop(table, j, hashes[i])
        elif hashes[i] < table[j]:
            i = _gallop(hashes, i, table[j])
        else:
            owner = owners[j]
            if owner > after:
                if counts[owner] == 0:
                    touched[found] = owner
                    found += 1
                counts[owner] += 1
            j += 1
    return found


@njit(cache=True, nogil=True)
def _gallop(ordered: Any, place: int, value: Any) -> int:
    """The first place after ``place`` that holds ``value`` or more; ``place`` holds less.

    Steps double, then halve: the cost is the logarithm of the way, not of the table. So either side may be much the
    denser one, as the table of bottom-k hashes is near 0 and a book's set everywhere else.
    """
    low, step = place, 1
    high = place + 1
    while high < len(ordered) and ordered[high] < value:
        low = high
        step *= 2
        high = low + step
    high = min(high, len(ordered))
    while high - low > 1:
        middle = (low + high) >> 1
        if ordered[middle] < value:
            low = middle
        else:
            high = middle
    return high
