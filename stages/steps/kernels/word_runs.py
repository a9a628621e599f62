"""Runs of n words of a text that a set of runs also has, by 64-bit hashes of the words as they are compared.

Compared is the normal form: every character in lower case by itself (the first of what ``str.lower`` gives), without
the characters that Unicode calls punctuation or symbols (categories P and S), cut at whitespace (``str.split``). The
kernel reads UTF-8 once; what it finds is to be checked against the words themselves, as hashes may be equal by chance.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.code_points import changed_by, characters
from llama_data.pipeline.kernels.hashing import GOLDEN, mix64
from llama_data.pipeline.kernels.memory import PADDING, address
from llama_data.pipeline.kernels.utf8 import decode_trusted_at

# No character above changes, is deleted or is a space (a test says so).
LIMIT = 0x20000
_GONE, _SPACE = np.uint32(0xFFFFFFFF), np.uint32(0xFFFFFFFE)
_NONE = np.int64(-1)


def _form(char: str) -> str:
    return "" if unicodedata.category(char)[0] in "PS" else char.lower()[0]


def normal_words(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return "".join(map(_form, text)).split()


@cache
def _table() -> NDArray[np.uint32]:
    """What each code point below LIMIT becomes: another one, _GONE or _SPACE."""
    chars = characters(LIMIT)
    table = np.arange(LIMIT, dtype=np.uint32)
    for char in changed_by(str.lower, chars):
        table[ord(char)] = ord(char.lower()[0])
    table[[ord(char) for char in chars if unicodedata.category(char)[0] in "PS"]] = _GONE
    table[[ord(char) for char in chars if char.isspace()]] = _SPACE
    return table


class Keys(NamedTuple):
    """A set of 64-bit keys: a bit for the high bits of each, and a table of their numbers (-1: none)."""

    keys: NDArray[np.uint64]
    bits: NDArray[np.uint64]
    slots: NDArray[np.int32]


def make_keys(keys: NDArray[np.uint64]) -> Keys:
    """The set of some keys, which must differ."""
    size = 64
    while size < 2 * len(keys):
        size *= 2
    # Sixteen bits a key at least: of words that are no hit, a sixteenth go on to the table.
    bits = np.zeros(max(size // 4, 64), np.uint64)
    slots = np.full(size, -1, np.int32)
    _enter(keys, bits, slots)
    return Keys(keys, bits, slots)


@njit(cache=True, nogil=True)
def _bit_place(key, bits):  # type: ignore[no-untyped-def]
    """The bit of a key: its place among all bits, whose number is a power of two."""
    return np.int64((key >> np.uint64(20)) & np.uint64(bits.size * 64 - 1))


@njit(cache=True, nogil=True)
def _enter(keys, bits, slots):  # type: ignore[no-untyped-def]
    mask = slots.size - 1
    for number in range(keys.size):
        place = _bit_place(keys[number], bits)
        bits[place >> 6] |= np.uint64(1) << np.uint64(place & 63)
        at = np.int64(keys[number] & np.uint64(mask))
        while slots[at] >= 0:
            at = (at + 1) & mask
        slots[at] = number


@njit(cache=True, nogil=True, inline="always")
def _number_of(key, keys, bits, slots):  # type: ignore[no-untyped-def]
    """The number of a key, or -1."""
    place = _bit_place(key, bits)
    found = _NONE
    if (bits[place >> 6] >> np.uint64(place & 63)) & np.uint64(1):
        mask = slots.size - 1
        at = np.int64(key & np.uint64(mask))
        while slots[at] >= 0:
            if keys[slots[at]] == key:
                found = np.int64(slots[at])
                break
            at = (at + 1) & mask
    return found


@njit(cache=True, nogil=True)
def _runs(data, starts, ends, table, n, power, keys, bits, slots, every, texts, numbers, begins, stops):  # type: ignore[no-untyped-def]
    """Find the runs of ``n`` words of texts that are among the keys; returns how many. ``every``: take all runs.

    ``power``: the factor of the word that leaves a run. Written for each: its text, the number of its key (of ``every``
    the key itself), where its first word begins and its last ends.
    """
    base = address(data)
    ring = np.zeros(n, np.uint64)
    firsts = np.zeros(n, np.int64)
    found = 0
    for text in range(starts.size):
        at, end = starts[text], ends[text]
        words, run = 0, np.uint64(0)
        while at < end:
            # One word: letters are mixed into ``h`` one by one.
            h, letters, first, last = np.uint64(n), 0, at, at
            while at < end:
                byte = data[at]
                size = 1
                if byte < 0x80:
                    form = table[byte]
                else:
                    point, size = decode_trusted_at(base + at)
                    form = table[point] if point < LIMIT else np.uint32(point)
                if form == _SPACE:
                    at += size
                    break
                if form != _GONE:
                    h = (h ^ np.uint64(form)) * GOLDEN
                    h ^= h >> np.uint64(29)
                    letters += 1
                    if letters == 1:
                        first = at
                    last = at + size
                at += size
            if letters == 0:
                continue
            place = words % n
            h = mix64(h)
            run = (run - ring[place] * power) * GOLDEN + h if words >= n else run * GOLDEN + h
            ring[place] = h
            firsts[place] = first
            words += 1
            if words >= n:
                key = mix64(run)
                number = np.int64(key) if every else _number_of(key, keys, bits, slots)
                if every or number >= 0:
                    texts[found], numbers[found] = text, number
                    begins[found], stops[found] = firsts[words % n] - starts[text], last - starts[text]
                    found += 1
    return found


class Runs(NamedTuple):
    """Runs of words: the number of the text of each, of its key, and where it begins and ends in the text's bytes."""

    texts: NDArray[np.int64]
    numbers: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]


def find_runs(texts: Sequence[bytes], n: int, keys: Keys) -> Runs:
    """The runs of ``n`` words of texts in UTF-8 whose hashes are among the keys, in their order."""
    return _found(texts, n, keys, False)


def run_keys(texts: Sequence[bytes], n: int) -> NDArray[np.uint64]:
    """The hash of every run of ``n`` words of texts, in their order."""
    return _found(texts, n, make_keys(np.empty(0, np.uint64)), True).numbers.view(np.uint64)


def _found(texts: Sequence[bytes], n: int, keys: Keys, every: bool) -> Runs:
    sizes = np.array([len(text) for text in texts], np.int64)
    ends = np.cumsum(sizes)
    data = np.frombuffer(b"".join(texts) + bytes(PADDING), np.uint8)
    # A run ends with a word, and a word has two bytes with its space; what is not written costs no memory.
    most = int(sizes.sum()) // 2 + len(texts) + 1
    out = [np.empty(most, np.int64) for _ in range(4)]
    power = np.uint64(pow(int(GOLDEN), n - 1, 1 << 64))
    count = _runs(data, ends - sizes, ends, _table(), n, power, keys.keys, keys.bits, keys.slots, every, *out)
    return Runs(*(column[:count].copy() for column in out))
