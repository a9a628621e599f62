"""How much of a text repeats: its lines, its paragraphs, and its n-grams of words.

Every count is that of a loop over a dictionary. Segments and n-grams that are written without spaces are compared byte
by byte behind their hash. Of n-grams that are compared word by word, pairs are known by a 64-bit hash; every longer one
by the numbers of the two n-grams that it consists of, which is exact. Two pairs of a text of a million words have one
hash with a chance of 3e-8, of a page of two thousand with 1e-13.

An n-gram repeats only if both that it consists of do, so each size looks only at what is left of the one below it: of
prose a third of the places come to the triples, and a hundredth to the fives.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.hashing import GOLDEN
from llama_data.pipeline.kernels.memory import address, copy, load_byte_at, load_word_at
from llama_data.pipeline.kernels.swar import first_equal, first_place
from llama_data.pipeline.kernels.utf8 import strip
from llama_data.pipeline.kernels.word_table import hash_at
from llama_data.stages.steps.kernels.word_scan import characters_at

LATER, ALL = 0, 1
"""Which copies are duplicates: the second and those after it, or the first one too."""
SMALLEST, LARGEST_TOP, LARGEST = 2, 4, 10
"""Sizes of n-grams; up to LARGEST_TOP the commonest is looked for, above it the characters of those that repeat."""
TIMES, LENGTH, COVERED, COLUMNS = range(4)
"""Of each size: how often the commonest is there, its characters, and those of the words in its copies (above
LARGEST_TOP: in copies of any)."""
_LF = 10
_SIZES = LARGEST - SMALLEST + 1
_FACTOR = np.uint64(0xC2B2AE3D27D4EB4F)
_KEEP_SLOTS = 1 << 22
# Words that are written together share so many bytes before they may be equal.
_SAMPLE = 16


class Slots:
    """The memory of hash tables that are used one after the other; nothing is cleared between them.

    A slot is a key and a place. Each table counts its places from a number that is higher than all before, so what
    an earlier one left behind is empty to it.
    """

    def __init__(self) -> None:
        self._slots = np.zeros(2 << 10, np.int64)
        self._base = 1

    def take(self, count: int, tables: int) -> tuple[NDArray[np.int64], int]:
        """Slots for ``tables`` of at most ``count`` entries, and the first of their places (``count`` + 1 each)."""
        size = 2 << max((2 * count).bit_length(), 4)
        if size > self._slots.size or (self._slots.size > _KEEP_SLOTS >= size):
            self._slots = np.zeros(max(size, 2 << 10), np.int64)
            self._base = 1
        base = self._base
        self._base += tables * (count + 1)
        return self._slots[:size], base


@njit(cache=True, nogil=True, inline="always")
def _slot(slots, base, key, home):  # type: ignore[no-untyped-def]
    """Where in ``slots`` a key is or would be; ``home``: a hash of it, whose high bits count."""
    last = slots.size - 2
    at = np.int64(home >> np.uint64(20)) * 2 & last
    # Both at once: one branch, which is rarely taken.
    while (slots[at + 1] >= base) & (slots[at] != key):
        at = (at + 2) & last
    return at


@njit(cache=True, nogil=True)
def _equal(one, other, length):  # type: ignore[no-untyped-def]
    at = 0
    while at + 8 <= length:
        if load_word_at(one + at) != load_word_at(other + at):
            return False
        at += 8
    while at < length:
        if load_byte_at(one + at) != load_byte_at(other + at):
            return False
        at += 1
    return True


@njit(cache=True, nogil=True)
def find_segments(src, start, end, least, most, stripped, keep_empty, starts, ends):  # type: ignore[no-untyped-def]
    """Cut ``src[start:end]`` where ``least`` newlines or more stand together, of which one cut takes at most ``most``.

    ``stripped``: without the spaces around each; ``keep_empty``: also those of no bytes. How many there are.
    """
    text = address(src)
    count, at, begin = 0, start, start
    while at <= end:
        run = 0
        if at < end:
            found = first_equal(load_word_at(text + at), _LF)
            if not found:
                at = min(at + 8, end)
                continue
            at = min(at + first_place(found), end)
            while at + run < end and load_byte_at(text + at + run) == _LF and run < most:
                run += 1
            if at < end and run < least:
                at += run
                continue
        left, right = (strip(src, begin, at)) if stripped else (begin, at)
        if keep_empty or left < right:
            starts[count], ends[count] = left, right
            count += 1
        if at == end:
            break
        at += run
        begin = at
    return count


@njit(cache=True, nogil=True)
def count_copies(src, count, starts, ends, copies, as_bytes, slots, base, seen, out):  # type: ignore[no-untyped-def]
    """Into ``out``: duplicate segments, their characters, and the characters of all segments.

    ``slots``, ``base``: a table for as many entries as there are segments; ``seen``: a number for each.
    """
    text = address(src)
    last = slots.size - 2
    duplicates, characters, total = 0, 0, 0
    for number in range(count):
        place, length = text + starts[number], ends[number] - starts[number]
        if copies == ALL:
            total += length if as_bytes else characters_at(place, length)
        key = np.int64(hash_at(place, length)) if length else np.int64(1)
        at = np.int64(np.uint64(key) >> np.uint64(20)) * 2 & last
        while slots[at + 1] >= base:
            first = slots[at + 1] - base
            if (
                slots[at] == key
                and ends[first] - starts[first] == length
                and _equal(text + starts[first], place, length)
            ):
                break
            at = (at + 2) & last
        if slots[at + 1] < base:
            slots[at], slots[at + 1] = key, base + number
            seen[number] = 1
            continue
        first = slots[at + 1] - base
        seen[first] += 1
        times = 2 if copies == ALL and seen[first] == 2 else 1
        duplicates += times
        characters += times * (length if as_bytes else characters_at(place, length))
    out[0], out[1], out[2] = duplicates, characters, total


@njit(cache=True, nogil=True, inline="always")
def _note_commonest(row, size, found, places, firsts, times, offsets, longest):  # type: ignore[no-untyped-def]
    """Into ``row`` the commonest of the n-grams that repeat: of several the first.

    ``longest``: of several the one with the most characters, and of these the first.
    """
    best, where, length = np.int64(0), np.int64(0), np.int64(-1)
    for number in range(found):
        at = places[number]
        if firsts[number] == at and times[at] >= best:
            characters = offsets[at + size] - offsets[at]
            if times[at] > best or (longest and characters > length):
                best, where, length = np.int64(times[at]), at, characters
    row[TIMES], row[LENGTH] = best, length
    covered, done = np.int64(0), np.int64(0)
    for number in range(found):
        if best and firsts[number] == where:
            at = places[number]
            covered += offsets[at + size] - offsets[max(at, done)]
            done = at + size
    row[COVERED] = covered


@njit(cache=True, nogil=True, inline="always")
def _note_covered(row, size, found, places, offsets):  # type: ignore[no-untyped-def]
    """Into ``row`` the characters of the words that lie in an n-gram that repeats, each word once."""
    covered, done = np.int64(0), np.int64(0)
    for number in range(found):
        at = places[number]
        covered += offsets[at + size] - offsets[max(at, done)]
        done = at + size
    row[COVERED] = covered


@njit(cache=True, nogil=True)
def count_n_grams(  # type: ignore[no-untyped-def]
    n, hashes, lengths, sizes, longest, slots, base, offsets, places, firsts, times, out
):
    """Into ``out`` what repeats of the n-grams of each size from SMALLEST to ``sizes``, compared word by word.

    ``slots``, ``base``: tables for ``n`` entries, one for each size. ``offsets``: characters before each word, filled
    here; ``places``, ``firsts``, ``times``: room for ``n`` numbers. A size of which nothing repeats has 0.
    """
    out[:] = 0
    characters = np.int64(0)
    for number in range(n):
        offsets[number] = characters
        characters += lengths[number]
    offsets[n] = characters
    # Without branches, for whether a pair of words comes again cannot be foreseen.
    times[:n] = 0
    for at in range(n - 1):
        key = hashes[at] * _FACTOR + hashes[at + 1]
        key = (key ^ (key >> np.uint64(32))) * GOLDEN
        slot = _slot(slots, base, np.int64(key), key)
        first = slots[slot + 1] - base
        first = first if first >= 0 else at
        slots[slot], slots[slot + 1] = np.int64(key), base + first
        firsts[at] = first
        times[first] += 1
    found = 0
    for at in range(n - 1):
        first = firsts[at]
        places[found], firsts[found] = at, first
        found += times[first] > 1
    for size in range(SMALLEST, sizes + 1):
        if size > SMALLEST:
            base += n + 1
            made = 0
            for number in range(found - 1):
                at = places[number]
                times[at] = 0
                if places[number + 1] != at + 1:
                    continue
                key = np.uint64(firsts[number]) << np.uint64(32) | np.uint64(firsts[number + 1])
                slot = _slot(slots, base, np.int64(key), key * GOLDEN)
                first = slots[slot + 1] - base
                first = first if first >= 0 else np.int64(at)
                slots[slot], slots[slot + 1] = np.int64(key), base + first
                times[first] += 1
                places[made], firsts[made] = at, first
                made += 1
            found = 0
            for number in range(made):
                first = firsts[number]
                places[found], firsts[found] = places[number], first
                found += times[first] > 1
        if found == 0:
            break
        row = out[size - SMALLEST]
        if size <= LARGEST_TOP:
            _note_commonest(row, size, found, places, firsts, times, offsets, longest)
        else:
            _note_covered(row, size, found, places, offsets)


@njit(cache=True, nogil=True)
def _written_together(src, n, starts, ends, joined, bounds):  # type: ignore[no-untyped-def]
    """Write the words without spaces into ``joined``; ``bounds``: where each begins there."""
    at = np.int64(0)
    for number in range(n):
        bounds[number] = at
        at = copy(src, starts[number], ends[number], joined, at)
    bounds[n] = at


@njit(cache=True, nogil=True)
def count_joined(src, n, starts, ends, slots, base, offsets, joined, bounds, places, firsts, times, out):  # type: ignore[no-untyped-def]
    """Into ``out`` the characters of n-grams that came before, from left to right, where a copy is stepped over whole.

    N-grams are compared as words written without spaces (datatrove). ``offsets``: as ``count_n_grams`` fills them;
    ``slots``, ``base``: tables for ``n`` entries, one for each size and one more; ``joined``: room for the words.
    """
    _written_together(src, n, starts, ends, joined, bounds)
    text = address(joined)
    # Where a repeating n-gram may begin: where the next bytes come again, or the n-gram has fewer bytes than these.
    for at in range(n):
        firsts[at], times[at] = at, 1
        if bounds[at] + _SAMPLE > bounds[n]:
            continue
        place = text + bounds[at]
        key = (load_word_at(place) * _FACTOR ^ load_word_at(place + 8)) * GOLDEN
        key ^= key >> np.uint64(32)
        slot = _slot(slots, base, np.int64(key), key * GOLDEN)
        if slots[slot + 1] < base:
            slots[slot], slots[slot + 1] = np.int64(key), base + at
        else:
            firsts[at] = slots[slot + 1] - base
            times[firsts[at]] += 1
    found = 0
    smallest = LARGEST_TOP + 1
    for at in range(n - smallest + 1):
        if times[firsts[at]] > 1 or bounds[at + smallest] - bounds[at] < _SAMPLE:
            places[found] = at
            found += 1
    last = slots.size - 2
    for size in range(smallest, LARGEST + 1):
        base += n + 1
        total, done = np.int64(0), np.int64(0)
        for number in range(found):
            at = places[number]
            if at < done:
                continue
            if at + size > n:
                break
            place, length = text + bounds[at], bounds[at + size] - bounds[at]
            key = np.int64(hash_at(place, length))
            slot = np.int64(np.uint64(key) >> np.uint64(20)) * 2 & last
            while slots[slot + 1] >= base:
                first = slots[slot + 1] - base
                if (
                    slots[slot] == key
                    and bounds[first + size] - bounds[first] == length
                    and _equal(text + bounds[first], place, length)
                ):
                    break
                slot = (slot + 2) & last
            if slots[slot + 1] < base:
                slots[slot], slots[slot + 1] = key, base + at
            else:
                total += offsets[at + size] - offsets[at]
                done = at + size
        out[size - SMALLEST, COVERED] = total
