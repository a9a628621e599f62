"""Words of a text by paying once for each distinct stretch between spaces.

A word splitter that looks at no more than one such stretch (a chunk) at a time gives the same words whenever the same
chunk comes. So its words are kept in a ``WordTable``: for each word the polynomial hash of its characters, its length
and marks. Plain chunks (ASCII letters or digits, and perhaps one mark behind them) are split here; any other is
asked of the splitter once, in Python.

The hash of a word is the sum of ``code(character k) * BASE ** k``: hashes of words that follow each other can be put
together to the hash of the text without spaces, which is how datatrove compares its longer n-grams.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.hashing import mix64, splitmix64
from llama_data.pipeline.kernels.memory import address, load_byte_at, load_int_at
from llama_data.pipeline.kernels.utf8 import CLASSES, NOT_WIDE, PLAIN, WIDE, wide, wide_size
from llama_data.pipeline.kernels.word_table import (
    find_at,
    hash_at,
    insert,
    prefetch_slot_at,
    slot_mask,
    value_at,
    value_length_at,
)

NUMBERS = 3
"""Numbers of a word in the table: the hash's halves, and the length with the marks above it."""
LENGTH_BITS = 24
LONGEST = (1 << LENGTH_BITS) - 1
ALPHA, COUNTS, STOP_SHIFT = 1, 2, 2
"""Marks of a word: a letter is in it; it counts as a word; from STOP_SHIFT on the number of a stop word, from 1."""
MOST_STOP_WORDS = 63
WHOLE = 1
"""The length of a value that says: the words of this chunk depend on its neighbours."""

BASE = np.uint64(0x9E3779B97F4A7C15 | 1)
_CODES = splitmix64(0x5EED, 128)
_AHEAD = 16
# Bytes of the chunks that are split here.
_LETTER, _DIGIT, _MARK, _DOT = 1, 2, 3, 4
_KINDS = np.zeros(256, np.uint8)
_KINDS[[*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1)]] = _LETTER
_KINDS[[*range(ord("0"), ord("9") + 1)]] = _DIGIT
_KINDS[[ord(mark) for mark in ",;:!?"]] = _MARK
_KINDS[ord(".")] = _DOT
_ASCII_SPACE = np.zeros(256, np.bool_)
_ASCII_SPACE[[9, 10, 11, 12, 13, 32]] = True

# What becomes of a plain chunk.
MARK_IS_WORD, MARK_IS_DROPPED, MARK_STAYS = 0, 1, 2
"""The mark behind a plain chunk is a word of its own, is no word, or stays part of the word."""


class Plain(NamedTuple):
    """How plain chunks are split. ``exceptions``: sorted hashes of chunks, and of what is left of chunks without their
    mark, that are none. ``stops``: hashes of stop words; ``lower``: words are compared with these in lower case.
    """

    mark: int
    lower: bool
    marks_count: bool
    exceptions: NDArray[np.uint64]
    stops: NDArray[np.uint64]


class WordArrays(NamedTuple):
    """The words of a text: hashes, lengths (in the splitter's unit) and marks."""

    hashes: NDArray[np.uint64]
    lengths: NDArray[np.int32]
    marks: NDArray[np.uint8]


@njit(cache=True, nogil=True)
def _code(point):  # type: ignore[no-untyped-def]
    return _CODES[point] if point < 128 else mix64(np.uint64(point))


@njit(cache=True, nogil=True)
def hash_of_points(points: NDArray[np.uint32]) -> int:
    """The hash of a word that is given as code points."""
    total, power = np.uint64(0), np.uint64(1)
    for point in points:
        total += _code(point) * power
        power *= BASE
    return total


@njit(cache=True, nogil=True)
def find_chunks(src, end, unicode_spaces, starts, ends, keys):  # type: ignore[no-untyped-def]
    """Find the stretches between spaces and their keys in the table; how many there are.

    ``unicode_spaces``: all that ``str.isspace`` calls a space; otherwise ASCII's six.
    """
    place = address(src)
    count, at, start = 0, 0, 0
    while at <= end:
        size = 1
        if at < end:
            if unicode_spaces:
                kind = CLASSES[src[at]]
                if kind == PLAIN:
                    at += 1
                    continue
                if kind == WIDE:
                    found = wide(src, at, end)
                    if found == NOT_WIDE:
                        at += 1
                        continue
                    size = wide_size(found)
            elif not _ASCII_SPACE[src[at]]:
                at += 1
                continue
        if at > start:
            starts[count], ends[count] = start, at
            keys[count] = hash_at(place + start, at - start)
            count += 1
        at += size
        start = at
    return count


@njit(cache=True, nogil=True)
def _is_exception(plain, place, length):  # type: ignore[no-untyped-def]
    key = hash_at(place, length)
    at = np.searchsorted(plain.exceptions, key)
    return at < plain.exceptions.size and plain.exceptions[at] == key


@njit(cache=True, nogil=True)
def _put_word(plain, place, length, marks, out, at):  # type: ignore[no-untyped-def]
    """The three numbers of a plain word."""
    total, lowered, power = np.uint64(0), np.uint64(0), np.uint64(1)
    for k in range(length):
        byte = load_byte_at(place + k)
        total += _CODES[byte] * power
        lowered += _CODES[byte | 32 if _KINDS[byte] == _LETTER else byte] * power
        power *= BASE
    compared = lowered if plain.lower else total
    for number in range(plain.stops.size):
        if plain.stops[number] == compared:
            marks |= (number + 1) << STOP_SHIFT
            break
    out[at] = np.int32(np.uint32(total & np.uint64(0xFFFFFFFF)))
    out[at + 1] = np.int32(np.uint32(total >> np.uint64(32)))
    out[at + 2] = np.int32(np.uint32(np.uint32(marks) << np.uint32(LENGTH_BITS) | np.uint32(length)))


@njit(cache=True, nogil=True)
def split_plain(plain, place, length, out):  # type: ignore[no-untyped-def]
    """Split a plain chunk into ``out``: how many numbers it came to, 0 for a chunk that is not plain."""
    if length > 40:
        return 0
    first = _KINDS[load_byte_at(place)]
    if first != _LETTER and first != _DIGIT:
        return 0
    core = 1
    while core < length and _KINDS[load_byte_at(place + core)] == first:
        core += 1
    if core < length - 1:
        return 0
    if core < length:
        last = _KINDS[load_byte_at(place + core)]
        if last != _MARK and last != _DOT:
            return 0
        # Behind a capital a dot may belong to an abbreviation.
        if last == _DOT and plain.mark == MARK_IS_WORD and first == _LETTER and load_byte_at(place + core - 1) < 97:
            return 0
    if plain.exceptions.size and (_is_exception(plain, place, core) or _is_exception(plain, place, length)):
        return 0
    marks = (ALPHA if first == _LETTER else 0) | COUNTS
    if core == length or plain.mark == MARK_STAYS:
        _put_word(plain, place, length, marks, out, 0)
        return NUMBERS
    _put_word(plain, place, core, marks, out, 0)
    if plain.mark == MARK_IS_DROPPED:
        return NUMBERS
    _put_word(plain, place + core, 1, COUNTS if plain.marks_count else 0, out, NUMBERS)
    return 2 * NUMBERS


DONE, MISSING, FULL, IN_CONTEXT = 0, 1, 2, 3
"""Why ``look_up`` has stopped: at the end; chunks must be asked for; the table is full; a chunk's
neighbours must be seen."""
# Places in ``state``.
NEXT, WORDS, ASKED, GIVEN = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def look_up(src, count, starts, ends, keys, table, plain, given, asked, state, words):  # type: ignore[no-untyped-def]
    """Put the words of the chunks from ``state[NEXT]`` on into ``words``.

    ``given``: the numbers of the next chunk, when ``state[GIVEN]`` says that they have just been asked for. Chunks that the table lacks go to
    ``asked``: the words stop before the first, and the search for more such chunks goes on.
    """
    text = address(src)
    slots, values, held, mask = address(table.slots), address(table.values), address(table.keys), slot_mask(table)
    own = np.empty(2 * NUMBERS, np.int32)
    hashes, lengths, marks = words
    at, missing = state[WORDS], 0
    for number in range(state[NEXT], count):
        if number + _AHEAD < count:
            prefetch_slot_at(slots, mask, keys[number + _AHEAD])
        place, length = text + starts[number], ends[number] - starts[number]
        slot = np.int64(-1)
        if state[GIVEN]:
            n, source = given.size, address(given)
        else:
            slot = find_at(slots, mask, held, place, length, keys[number])
            if slot >= 0:
                n = value_length_at(slots, slot)
                source = value_at(slots, values, slot, n)
            else:
                n, source = split_plain(plain, place, length, own), address(own)
                if n == 0:
                    if missing == 0:
                        state[NEXT], state[WORDS] = number, at
                    asked[missing] = number
                    missing += 1
                    if missing == asked.size:
                        break
                    continue
                if not insert(table, src, starts[number], ends[number], keys[number], own, n):
                    if missing == 0:
                        state[NEXT], state[WORDS] = number, at
                    state[ASKED] = missing
                    return FULL
        state[GIVEN] = 0
        if missing:
            continue
        if n == WHOLE:
            state[NEXT], state[WORDS] = number, at
            return IN_CONTEXT
        for k in range(0, n, NUMBERS):
            low = np.uint64(load_int_at(source + 4 * k)) & np.uint64(0xFFFFFFFF)
            hashes[at] = low | np.uint64(load_int_at(source + 4 * k + 4)) << np.uint64(32)
            packed = np.uint32(load_int_at(source + 4 * k + 8) & 0xFFFFFFFF)
            lengths[at] = packed & np.uint32(LONGEST)
            marks[at] = packed >> np.uint32(LENGTH_BITS)
            at += 1
    state[ASKED] = missing
    if missing:
        return MISSING
    state[NEXT], state[WORDS] = count, at
    return DONE
