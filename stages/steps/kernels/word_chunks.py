"""spaCy's words of a text by paying once for each distinct stretch between spaces.

A word splitter that looks at no more than one such stretch (a chunk) at a time gives the same words whenever the same
chunk comes. So the words of a chunk are kept in a ``WordTable``: of each its size, length and marks. Plain chunks
(ASCII letters or digits, and perhaps one mark behind them) are split here; any other is asked of spaCy once, in Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.code_points import LIMIT
from llama_data.pipeline.kernels.memory import address, borrowed, load_byte_at, load_int_at, load_word_at, padded
from llama_data.pipeline.kernels.swar import HIGH, first_place
from llama_data.pipeline.kernels.utf8 import decode_trusted_at
from llama_data.pipeline.kernels.word_table import (
    find_at,
    hash_at,
    prefetch_slot_at,
    slot_mask,
    value_at,
    value_length_at,
)
from llama_data.stages.steps.kernels.word_properties import ALPHABETIC, MARK, SPACE
from llama_data.stages.steps.kernels.word_scan import (
    ALPHA,
    COUNTS,
    STOP_SHIFT,
    characters_at,
    chunk_end,
    digits,
    letters,
    skip_spaces,
    stop_word,
)

NUMBERS = 2
"""Numbers of a word in the table: its size in bytes with the marks above it, and its length in characters."""
SIZE_BITS = 24
LONGEST = (1 << SIZE_BITS) - 1
WHOLE = 1
"""The length of a value that says: the words of this chunk depend on its neighbours."""
_AHEAD = 16
# What may stand behind a plain chunk as a word of its own.
_MARKS = np.zeros(256, np.bool_)
_MARKS[[ord(mark) for mark in ".,;:!?"]] = True
_DOT = ord(".")


class Exceptions(NamedTuple):
    """Hashes of chunks, and of what is left of chunks without their mark, that are not plain: a bit and a set.

    ``longest``: the bytes of the longest.
    """

    bits: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    longest: int


def make_exceptions(chunks: Iterable[bytes]) -> Exceptions:
    """The set of some chunks."""
    known = [chunk for chunk in chunks if chunk]
    size = 64 << (2 * len(known)).bit_length()
    longest = max(map(len, known), default=0)
    found = Exceptions(np.zeros(size // 64, np.uint64), np.zeros(size, np.uint64), longest)
    for chunk in known:
        _enter(padded(chunk), len(chunk), found.bits, found.keys)
    return found


@njit(cache=True, nogil=True)
def _enter(chunk, size, bits, keys):  # type: ignore[no-untyped-def]
    key = hash_at(address(chunk), size)
    at = np.int64(key >> np.uint64(20)) & (keys.size - 1)
    bits[at >> 6] |= np.uint64(1) << np.uint64(at & 63)
    while keys[at] != np.uint64(0):
        at = (at + 1) & (keys.size - 1)
    keys[at] = key


@njit(cache=True, nogil=True, inline="always")
def _is_exception(exceptions, place, size):  # type: ignore[no-untyped-def]
    known = False
    if size <= exceptions.longest:
        key = hash_at(place, size)
        at = np.int64(key >> np.uint64(20)) & (exceptions.keys.size - 1)
        if (exceptions.bits[at >> 6] >> np.uint64(at & 63)) & np.uint64(1):
            while exceptions.keys[at] != np.uint64(0):
                known |= exceptions.keys[at] == key
                at = (at + 1) & (exceptions.keys.size - 1)
    return known


@njit(cache=True, nogil=True)
def _run_end(place, digit):  # type: ignore[no-untyped-def]
    """Where ASCII's letters, or digits, end that begin at an address."""
    while True:
        word = load_word_at(place)
        others = ~(digits(word) if digit else letters(word)) & HIGH | (word & HIGH)
        if others:
            return place + first_place(others)
        place += 8


@njit(cache=True, nogil=True)
def _core_end(kinds, exceptions, place, stop):  # type: ignore[no-untyped-def]
    """Where the word of a plain chunk between two addresses ends, before its mark; 0 for one that is not plain.

    A chunk of letters, and of marks of Unicode that stand with them, has nothing that one of spaCy's rules cuts at.
    """
    first = load_byte_at(place)
    end = _run_end(place, 48 <= first <= 57)
    wide = False
    if load_byte_at(end) >= 128 and not 48 <= first <= 57:
        while end < stop:
            point, size = decode_trusted_at(end)
            # The first is a letter.
            if point >= LIMIT or not kinds[point] & (ALPHABETIC | MARK if end > place else ALPHABETIC):
                break
            wide |= size > 1
            end = min(end + size, stop)
    if end == place or end < stop - 1:
        return np.int64(0)
    if end < stop:
        mark = load_byte_at(end)
        if not _MARKS[mark]:
            return np.int64(0)
        # Behind a capital a dot may belong to an abbreviation; of other letters than ASCII's only some let it go.
        if mark == _DOT and (wide or 65 <= load_byte_at(end - 1) <= 90):
            return np.int64(0)
        if _is_exception(exceptions, place, stop - place):
            return np.int64(0)
    return np.int64(0) if _is_exception(exceptions, place, end - place) else end


@njit(cache=True, nogil=True)
def find_chunks(src, end, kinds, exceptions, starts, ends, cores, keys):  # type: ignore[no-untyped-def]
    """Find the stretches between spaces (``str.isspace``); how many there are.

    ``cores``: the size of a plain chunk's word, or 0 for another chunk, whose key in the table goes to ``keys``.
    """
    kinds, exceptions = borrowed(kinds), borrowed(exceptions)
    text = address(src)
    stop = text + end
    count, at = 0, text
    while True:
        at = skip_spaces(kinds, SPACE, at, stop)
        if at >= stop:
            break
        start = at
        at = chunk_end(kinds, SPACE, at, stop)
        core = _core_end(kinds, exceptions, start, at)
        starts[count], ends[count] = start - text, at - text
        cores[count] = core - start if core else 0
        if not core:
            keys[count] = hash_at(start, at - start)
        count += 1
    return count


DONE, MISSING, IN_CONTEXT = 0, 1, 2
"""Why ``look_up`` has stopped: at the end; chunks must be asked for; a chunk's neighbours must be seen."""
# Places in ``state``.
NEXT, WORDS, ASKED, GIVEN = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def look_up(src, count, starts, ends, cores, keys, table, kinds, lowered, stops, given, asked, state, words):  # type: ignore[no-untyped-def]
    """Put the words of the chunks from ``state[NEXT]`` on into ``words``.

    ``given``: the numbers of the next chunk, when ``state[GIVEN]`` says that they have just been asked for. Chunks that
    the table lacks go to ``asked``: the words stop before the first, and the search for more such chunks goes on.
    """
    kinds, lowered, stops = borrowed(kinds), borrowed(lowered), borrowed(stops)
    text = address(src)
    slots, values, held, mask = address(table.slots), address(table.values), address(table.keys), slot_mask(table)
    at, missing = state[WORDS], 0
    for number in range(state[NEXT], count):
        if number + _AHEAD < count and cores[number + _AHEAD] == 0:
            prefetch_slot_at(slots, mask, keys[number + _AHEAD])
        place, length = text + starts[number], ends[number] - starts[number]
        core = cores[number]
        if core:
            if missing == 0:
                at = _put_plain(text, place, core, length, kinds, lowered, stops, words, at)
            continue
        if state[GIVEN]:
            n, source = given.size, address(given)
        else:
            slot = find_at(slots, mask, held, place, length, keys[number])
            if slot < 0:
                if missing == 0:
                    state[NEXT], state[WORDS] = number, at
                asked[missing] = number
                missing += 1
                if missing == asked.size:
                    break
                continue
            n = value_length_at(slots, slot)
            source = value_at(slots, values, slot, n)
        state[GIVEN] = 0
        if missing:
            continue
        if n == WHOLE:
            state[NEXT], state[WORDS] = number, at
            return IN_CONTEXT
        start = starts[number]
        for k in range(0, n, NUMBERS):
            packed = np.uint32(load_int_at(source + 4 * k) & 0xFFFFFFFF)
            size = np.int64(packed & np.uint32(LONGEST))
            words.starts[at], words.ends[at] = start, start + size
            words.lengths[at] = load_int_at(source + 4 * k + 4)
            words.marks[at] = packed >> np.uint32(SIZE_BITS)
            start += size
            at += 1
    state[ASKED] = missing
    if missing:
        return MISSING
    state[NEXT], state[WORDS] = count, at
    return DONE


@njit(cache=True, nogil=True, inline="always")
def _put_plain(text, place, core, length, kinds, lowered, stops, words, at):  # type: ignore[no-untyped-def]
    """Put the words of a plain chunk into ``words``; how many there are then."""
    characters = characters_at(place, core)
    first = load_byte_at(place)
    mark = COUNTS | (0 if 48 <= first <= 57 else ALPHA)
    words.starts[at], words.ends[at] = place - text, place - text + core
    words.lengths[at] = characters
    words.marks[at] = mark | stop_word(stops, lowered, place, core, characters) << STOP_SHIFT
    at += 1
    if core < length:
        # spaCy cuts the mark off; it is no word that counts.
        words.starts[at], words.ends[at] = place - text + core, place - text + length
        words.lengths[at] = 1
        words.marks[at] = stop_word(stops, lowered, place + core, 1, 1) << STOP_SHIFT
        at += 1
    return at
