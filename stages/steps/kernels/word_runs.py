"""Runs of n words of a text that a set of runs also has, by 64-bit hashes of the words as they are compared.

Compared is the normal form: every character in lower case by itself (the first of what ``str.lower`` gives), without
the characters that Unicode calls punctuation or symbols (categories P and S), cut at whitespace (``str.split``). The
kernel reads UTF-8 once; what it finds is to be checked against the words themselves, as hashes may be equal by chance.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.code_points import changed_by, characters, without_letters
from llama_data.pipeline.kernels.hashing import GOLDEN, mix64
from llama_data.pipeline.kernels.memory import address, padded, prefetch
from llama_data.pipeline.kernels.utf8 import decode_trusted_at

# No character above changes, is deleted or is a space (a test says so).
LIMIT = 0x20000
_GONE, _SPACE = np.uint32(0xFFFFFFFF), np.uint32(0xFFFFFFFE)
_NONE = np.int64(-1)
_ENDS = (ord(" "), ord("\n"))
_AHEAD = 16
"""Runs between asking for the bit of a key and looking at it: a power of two."""


@cache
def _forms() -> dict[int, int | None]:
    """The characters that change, and what each becomes (None: nothing)."""
    chars = characters(LIMIT)
    lowered: dict[int, int | None] = {ord(char): ord(char.lower()[0]) for char in changed_by(str.lower, chars)}
    gone = [char for char in without_letters(chars) if unicodedata.category(char)[0] in "PS"]
    return lowered | dict.fromkeys(map(ord, gone))


def normal_words(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return text.translate(_forms()).split()


@cache
def _table() -> NDArray[np.uint32]:
    """What each code point below LIMIT becomes: another one, _GONE or _SPACE."""
    table = np.arange(LIMIT, dtype=np.uint32)
    for point, form in _forms().items():
        table[point] = _GONE if form is None else form
    table[[ord(char) for char in characters(LIMIT) if char.isspace()]] = _SPACE
    return table


@cache
def _as_they_are() -> NDArray[np.uint32]:
    """The table for words that are made already, with one space between them."""
    table = np.arange(LIMIT, dtype=np.uint32)
    table[ord(" ")] = _SPACE
    return table


class Keys(NamedTuple):
    """A set of 64-bit keys in arrays that may be mapped: the ``keys`` in their order, which may stand there repeatedly,
    a bit for each among ``bits``, and ``starts``: for each value of their highest bits the number of the first key.
    """

    keys: NDArray[np.uint64]
    bits: NDArray[np.uint64]
    starts: NDArray[np.uint32]


def make_keys(keys: NDArray[np.uint64]) -> Keys:
    """The set of some sorted keys, fewer than 2**32: 3 to 6 bytes a key beside the key itself."""
    # Sixteen bits a key at least: of runs that are no hit, at most a sixteenth go on to the keys.
    bits = np.zeros(max(64, 1 << (len(keys) // 4).bit_length()), np.uint64)
    _enter(keys, bits)
    # From two to four keys have the same highest bits.
    count = max(1, (len(keys) // 4).bit_length())
    firsts = np.arange(1 << count, dtype=np.uint64) << np.uint64(64 - count)
    starts = np.append(np.searchsorted(keys, firsts), len(keys)).astype(np.uint32)
    return Keys(keys, bits, starts)


@njit(cache=True, nogil=True)
def _bit_place(key, bits):  # type: ignore[no-untyped-def]
    """The bit of a key: its place among all bits, whose number is a power of two."""
    return np.int64((key >> np.uint64(20)) & np.uint64(bits.size * 64 - 1))


@njit(cache=True, nogil=True)
def _enter(keys, bits):  # type: ignore[no-untyped-def]
    for key in keys:
        place = _bit_place(key, bits)
        bits[place >> 6] |= np.uint64(1) << np.uint64(place & 63)


@njit(cache=True, nogil=True)
def _number_of(key, keys, bits, starts, shift, every):  # type: ignore[no-untyped-def]
    """The number of the first key that is equal, or -1; ``every``: the key itself."""
    if every:
        return np.int64(key)
    place = _bit_place(key, bits)
    if not (bits[place >> 6] >> np.uint64(place & 63)) & np.uint64(1):
        return _NONE
    group = np.int64(key >> shift)
    low, high = np.int64(starts[group]), np.int64(starts[group + 1])
    end = high
    # Halved, as many items may share a run.
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < end and keys[low] == key else _NONE


@njit(cache=True, nogil=True)
def _runs(data, begin_of, end_of, table, n, power, keys, bits, starts, every, texts, numbers, begins, stops):  # type: ignore[no-untyped-def]
    """Find the runs of ``n`` words of texts that are among the keys; returns how many. ``every``: take all runs.

    ``power``: the factor of the word that leaves a run. Written for each: its text, the number of its key (of ``every``
    the key itself), where its first word begins and its last ends.
    """
    base = address(data)
    # There are a power of two of groups, and one more start.
    shift, groups = np.uint64(64), starts.size - 1
    while groups > 1:
        shift, groups = shift - np.uint64(1), groups >> 1
    ring = np.zeros(n, np.uint64)
    firsts = np.zeros(n, np.int64)
    # Runs whose bits are on their way from memory.
    asked = np.zeros(_AHEAD, np.uint64)
    asked_begins, asked_ends = np.zeros(_AHEAD, np.int64), np.zeros(_AHEAD, np.int64)
    found = 0
    for text in range(begin_of.size):
        at, end = begin_of[text], end_of[text]
        words, place, run, made = 0, 0, np.uint64(0), 0
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
            h = mix64(h)
            run = (run - ring[place] * power) * GOLDEN + h if words >= n else run * GOLDEN + h
            ring[place] = h
            firsts[place] = first
            words += 1
            # Where the next word stands, which is where the first of this run does.
            place = place + 1 if place + 1 < n else 0
            if words >= n:
                key = mix64(run)
                prefetch(bits, _bit_place(key, bits) >> 6)
                at_ring = made & (_AHEAD - 1)
                if made >= _AHEAD:
                    number = _number_of(asked[at_ring], keys, bits, starts, shift, every)
                    if every or number >= 0:
                        texts[found], numbers[found] = text, number
                        begins[found], stops[found] = asked_begins[at_ring], asked_ends[at_ring]
                        found += 1
                asked[at_ring] = key
                asked_begins[at_ring], asked_ends[at_ring] = firsts[place] - begin_of[text], last - begin_of[text]
                made += 1
        for waiting in range(max(0, made - _AHEAD), made):
            at_ring = waiting & (_AHEAD - 1)
            number = _number_of(asked[at_ring], keys, bits, starts, shift, every)
            if every or number >= 0:
                texts[found], numbers[found] = text, number
                begins[found], stops[found] = asked_begins[at_ring], asked_ends[at_ring]
                found += 1
    return found


class Runs(NamedTuple):
    """Runs of words: the number of the text of each, of its key, and where it begins and ends in the text's bytes."""

    texts: NDArray[np.int64]
    numbers: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]


def find_runs(texts: Sequence[bytes], n: int, keys: Keys, *, made: bool = False) -> Runs:
    """The runs of ``n`` words of texts in UTF-8 whose hashes are among the keys, in their order.

    ``numbers`` are those of the first of equal keys. ``made``: the texts are words already, with single spaces.
    """
    return _found(texts, n, keys, False, made)


def all_runs(texts: Sequence[bytes], n: int) -> Runs:
    """Every run of ``n`` words of texts that are words already, with single spaces; ``numbers`` has their hashes."""
    return _found(texts, n, make_keys(np.empty(0, np.uint64)), True, True)


def _found(texts: Sequence[bytes], n: int, keys: Keys, every: bool, made: bool) -> Runs:
    sizes = np.array([len(text) for text in texts], np.int64)
    ends = np.cumsum(sizes)
    data = padded(b"".join(texts))
    # A run ends with a word, and a word has two bytes with its space; what is not written costs no memory.
    most = int(sizes.sum()) // 2 + len(texts) + 1
    out = [np.empty(most, np.int64) for _ in range(4)]
    power = np.uint64(pow(int(GOLDEN), n - 1, 1 << 64))
    table = _as_they_are() if made else _table()
    sorted_keys, bits, starts = (_read_only(array) for array in keys)
    count = _runs(data, ends - sizes, ends, table, n, power, sorted_keys, bits, starts, every, *out)
    return Runs(*(column[:count].copy() for column in out))


def _read_only(table: NDArray[Any]) -> NDArray[Any]:
    """The same array as a mapped one is: for another kind of array the kernel would be compiled once more."""
    seen = table.view()
    seen.flags.writeable = False
    return seen


@njit(cache=True, nogil=True)
def mark_repeats(texts, places, keys, n, again):  # type: ignore[no-untyped-def]
    """Mark the runs that have the key and the words of the run before; returns how many have its key, but other words.

    Runs begin at ``places`` of ``texts``, whose words end with a space or a line end, and stand in the order of keys.
    """
    others = 0
    again[:1] = False
    for number in range(1, keys.size):
        again[number] = False
        if keys[number] == keys[number - 1]:
            again[number] = _same_words(texts, np.int64(places[number - 1]), np.int64(places[number]), n)
            others += not again[number]
    return others


@njit(cache=True, nogil=True)
def _same_words(texts, one, two, n):  # type: ignore[no-untyped-def]
    words = 0
    while words < n:
        a, b = texts[one], texts[two]
        # Both end a word, or neither does.
        ends = a in _ENDS and b in _ENDS
        if a != b and not ends:
            return False
        words += ends
        one, two = one + 1, two + 1
    return True
