"""The words of a text between its spaces, and what else splitters of words look at.

One pass over the UTF-8 finds where each word is, how long it is, and its marks; no string is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.code_points import LIMIT
from llama_data.pipeline.kernels.hashing import GOLDEN, mix64
from llama_data.pipeline.kernels.memory import address, borrowed, load_byte_at, load_word_at
from llama_data.pipeline.kernels.swar import HIGH, ONES, ascii_above, bit_count, first_below, first_place, keep_bytes
from llama_data.pipeline.kernels.utf8 import decode_trusted_at
from llama_data.pipeline.kernels.word_table import hash_at
from llama_data.stages.steps.kernels.word_properties import (
    ALPHABETIC,
    ALPHANUMERIC,
    LOWER_LIMIT,
    NO_LOWER,
    SIGN,
)

ALPHA, COUNTS, STOP_SHIFT = 1, 2, 2
"""Marks of a word: a letter is in it; it counts as a word; from STOP_SHIFT on the number of a stop word, from 1."""
MOST_STOP_WORDS = 63
ALL_COUNT, SIGNS_DO_NOT, BEHIND_ASCII = range(3)
"""Which words count: all; those not of marks alone; those that begin alphanumeric behind one of ASCII's spaces."""
_LONG = 63
_HASHED = np.uint64(1 << 63)
ASCII_SPACE = np.zeros(256, np.bool_)
ASCII_SPACE[[9, 10, 11, 12, 13, 32]] = True
"""ASCII's six spaces, by byte."""


class Stops(NamedTuple):
    """Stop words: keys and numbers by slots, and a bit for the length of each in characters.

    The slot of a key is its product with ``factor``, shifted.
    """

    keys: NDArray[np.uint64]
    numbers: NDArray[np.uint8]
    sizes: np.uint64
    lower: bool
    factor: np.uint64
    shift: np.uint64


class WordArrays(NamedTuple):
    """The words of a text: where they begin and end in its bytes, lengths (in the splitter's unit) and marks.

    ``hashes``: of their bytes.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lengths: NDArray[np.int32]
    marks: NDArray[np.uint8]
    hashes: NDArray[np.uint64]


def make_arrays(size: int) -> WordArrays:
    """Room for so many words."""
    starts, ends, lengths = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int32)
    return WordArrays(starts, ends, lengths, np.empty(size, np.uint8), np.empty(size, np.uint64))


@njit(cache=True, nogil=True)
def hash_words(src, count, starts, ends, hashes):  # type: ignore[no-untyped-def]
    """The hash of the bytes of each word."""
    text = address(src)
    for number in range(count):
        hashes[number] = hash_at(text + starts[number], ends[number] - starts[number])


def make_stops(words: Mapping[str, int], *, lower: bool) -> Stops:
    """The table of stop words by number; ``lower``: texts are compared in lower case."""
    points = [np.frombuffer(word.encode("utf-32-le", "surrogatepass"), np.uint32) for word in words if word]
    held = np.array([_key_of_points(one) for one in points], np.uint64)
    sizes, slots, factor = 0, max(64, 1 << (len(held) ** 2).bit_length()), GOLDEN
    shift = np.uint64(65 - slots.bit_length())
    # A slot for each, so that a word is compared with one.
    while len(np.unique(held * factor >> shift)) < len(held):
        factor = np.uint64(mix64(factor)) | np.uint64(1)
    places = held * factor >> shift
    keys, numbers = np.zeros(slots, np.uint64), np.zeros(slots, np.uint8)
    for place, key, word in zip(places, held, filter(None, words), strict=True):
        keys[place], numbers[place] = key, words[word]
        sizes |= 1 << min(len(word), _LONG)
    return Stops(keys, numbers, np.uint64(sizes), lower, factor, shift)


@njit(cache=True, nogil=True)
def _key_of_points(points):  # type: ignore[no-untyped-def]
    """The key of a word: fewer than eight ASCII characters as they are, with their number, others by a hash.

    A hash has its high bit set, which no other key has.
    """
    literal, hashed, plain = np.uint64(points.size) << np.uint64(56), np.uint64(0), points.size < 8
    for number in range(points.size):
        point = points[number]
        plain = plain and point < 128
        literal |= np.uint64(point) << np.uint64(8 * (number & 7))
        hashed = mix64(hashed ^ np.uint64(point)) * GOLDEN
    return literal if plain else hashed | _HASHED


@njit(cache=True, nogil=True)
def _key_of_long(place, end, lower, lowered):  # type: ignore[no-untyped-def]
    """The key of the word between two addresses, one character after the other; 0: it is no stop word."""
    literal, hashed, plain, number = np.uint64(0), np.uint64(0), True, 0
    while place < end:
        point, size = decode_trusted_at(place)
        if lower and point < LOWER_LIMIT:
            point = np.int64(lowered[point])
            if point == np.int64(NO_LOWER):
                return np.uint64(0)
        plain = plain and point < 128
        literal |= np.uint64(point) << np.uint64(8 * (number & 7))
        hashed = mix64(hashed ^ np.uint64(point)) * GOLDEN
        place += size
        number += 1
    return literal | np.uint64(number) << np.uint64(56) if plain and number < 8 else hashed | _HASHED


@njit(cache=True, nogil=True, inline="always")
def stop_word(stops, lowered, place, size, characters):  # type: ignore[no-untyped-def]
    """The number of the stop word that the ``size`` bytes at an address are, 0 for none."""
    key = np.uint64(0)
    if size == characters and size < 8:
        # Most words come here, and every other one is as long as a stop word: it is quicker to look than to ask.
        key = keep_bytes(load_word_at(place), size)
        if stops.lower:
            key |= (ascii_above(key, 64) & ~ascii_above(key, 90)) >> np.uint64(2)
        key |= np.uint64(size) << np.uint64(56)
    elif (stops.sizes >> np.uint64(min(characters, _LONG))) & np.uint64(1):
        key = _key_of_long(place, place + size, stops.lower, lowered)
    slot = np.int64((key * stops.factor) >> stops.shift)
    # An empty slot has key 0 and number 0.
    return np.int64(stops.numbers[slot]) * (stops.keys[slot] == key)


@njit(cache=True, nogil=True, inline="always")
def letters(word):  # type: ignore[no-untyped-def]
    """Marks ASCII's letters; exact below the first byte that is not ASCII."""
    lower = word | (ONES * np.uint64(32))
    return ascii_above(lower, 96) & ~ascii_above(lower, 122)


@njit(cache=True, nogil=True, inline="always")
def digits(word):  # type: ignore[no-untyped-def]
    """Marks ASCII's digits; exact below the first byte that is not ASCII."""
    return ascii_above(word, 47) & ~ascii_above(word, 57)


@njit(cache=True, nogil=True, inline="always")
def _below(marks, stop):  # type: ignore[no-untyped-def]
    """The marks in bytes before the first one of ``stop``."""
    return marks & (stop - np.uint64(1)) & ~stop


@njit(cache=True, nogil=True)
def characters_at(place, size):  # type: ignore[no-untyped-def]
    """Number of characters in ``size`` bytes at an address."""
    others, at = np.int64(0), np.int64(0)
    while at < size:
        word = load_word_at(place + at)
        if size - at < 8:
            word = keep_bytes(word, size - at)
        others += np.int64(bit_count(word & ~(word << np.uint64(1)) & HIGH))
        at += 8
    return size - others


@njit(cache=True, nogil=True)
def _all_signs(kinds, place, stop):  # type: ignore[no-untyped-def]
    """True when all characters between two addresses are of kind SIGN."""
    while place < stop:
        point, size = decode_trusted_at(place)
        if point >= LIMIT or not kinds[point] & SIGN:
            return False
        place += size
    return True


@njit(cache=True, nogil=True)
def _is_kind(kinds, place, wanted):  # type: ignore[no-untyped-def]
    """True when the character at an address is of a kind."""
    point, _ = decode_trusted_at(place)
    return point < LIMIT and (kinds[point] & wanted) != 0


@njit(cache=True, nogil=True)
def _slow_word(kinds, space, place, stop):  # type: ignore[no-untyped-def]
    """Go on with a word character by character: its end, continuation bytes, whether a letter is in what was passed."""
    others, alpha = 0, False
    while place < stop:
        point, size = decode_trusted_at(place)
        kind = np.int64(kinds[point]) if point < LIMIT else np.int64(0)
        if kind & space:
            break
        alpha |= (kind & ALPHABETIC) != 0
        others += size - 1
        place += size
    return min(place, stop), others, alpha


@njit(cache=True, nogil=True, inline="always")
def skip_spaces(kinds, space, place, stop):  # type: ignore[no-untyped-def]
    """Where the characters of kind ``space`` end that stand at an address, or the text."""
    while place < stop:
        byte = load_byte_at(place)
        size = 1
        if byte >= 128:
            byte, size = decode_trusted_at(place)
        if byte >= LIMIT or not kinds[byte] & space:
            break
        place += size
    return place


@njit(cache=True, nogil=True, inline="always")
def chunk_end(kinds, space, place, stop):  # type: ignore[no-untyped-def]
    """Where the next character of kind ``space`` is, or the text ends."""
    found = np.uint64(0)
    while found == np.uint64(0):
        word = load_word_at(place)
        # Padding is such a byte.
        found = first_below(word, 33) | (word & HIGH)
        place += first_place(found) if found else 8
    if place < stop and not kinds[load_byte_at(place)] & space:
        place, _, _ = _slow_word(kinds, space, place, stop)
    return place


@njit(cache=True, nogil=True)
def find_spaced(src, end, space, counting, in_bytes, kinds, lowered, stops, starts, ends, lengths, marks):  # type: ignore[no-untyped-def]
    """Find the words between spaces: characters of kind ``space``. How many there are."""
    kinds, lowered, stops = borrowed(kinds), borrowed(lowered), borrowed(stops)
    text = address(src)
    stop = text + end
    count, at = 0, text
    while True:
        at = skip_spaces(kinds, space, at, stop)
        if at >= stop:
            break
        start, others, passed = at, 0, np.uint64(0)
        # Eight bytes at a time to one that may be a space, or is not ASCII. Padding is such a byte.
        while True:
            word = load_word_at(at)
            found = first_below(word, 33) | (word & HIGH)
            if found:
                break
            passed |= letters(word)
            at += 8
        passed |= _below(letters(word), found)
        at += first_place(found)
        alpha = passed != np.uint64(0)
        if at < stop and not kinds[load_byte_at(at)] & space:
            at, others, more = _slow_word(kinds, space, at, stop)
            alpha |= more
        size = at - start
        characters = size - others
        mark = COUNTS
        if counting == SIGNS_DO_NOT:
            if not alpha and _all_signs(kinds, start, at):
                mark = 0
        elif counting == BEHIND_ASCII and not (
            (start == text or ASCII_SPACE[load_byte_at(start - 1)]) and _is_kind(kinds, start, ALPHANUMERIC)
        ):
            mark = 0
        if alpha:
            mark |= ALPHA
        mark |= stop_word(stops, lowered, start, size, characters) << STOP_SHIFT
        starts[count], ends[count] = start - text, at - text
        lengths[count] = size if in_bytes else characters
        marks[count] = mark
        count += 1
    return count
