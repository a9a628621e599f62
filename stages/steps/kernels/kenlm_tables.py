"""Walks over the tables of a KenLM model: is every place that one names inside the next?"""

from __future__ import annotations

import numpy as np
from numba import njit

SOUND, NO_EMPTY, OUT_OF_RANGE = 0, 1, 2


@njit(cache=True, nogil=True)
def check_table(data, at, slots, width, largest):  # type: ignore[no-untyped-def]
    """Look for an empty slot of a hash table, whose key is 0, and where ``largest`` is not negative at the numbers
    behind the keys. Returns SOUND, NO_EMPTY or OUT_OF_RANGE."""
    empty = False
    for slot in range(slots):
        begin = at + slot * width
        key = False
        for place in range(begin, begin + 8):
            key |= data[place] != 0
        empty |= not key
        if key and largest >= 0:
            number = np.int64(0)
            for place in range(4):
                number |= np.int64(data[begin + 8 + place]) << (8 * place)
            if number > largest:
                return OUT_OF_RANGE
    return SOUND if empty else NO_EMPTY


@njit(cache=True, nogil=True)
def _read_bits(data, bit, length):  # type: ignore[no-untyped-def]
    """Up to 57 bits from a place on, the lowest first."""
    value = np.uint64(0)
    first = bit >> 3
    for place in range(8):
        value |= np.uint64(data[first + place]) << np.uint64(8 * place)
    mask = (np.uint64(1) << np.uint64(length)) - np.uint64(1)
    return (value >> np.uint64(bit & 7)) & mask


@njit(cache=True, nogil=True)
def check_trie(data, count, total, before, inline, steps, largest):  # type: ignore[no-untyped-def]
    """Whether the pointers of ``count`` entries, and the end behind them, ascend and stay at or below ``largest``.

    An entry has ``total`` bits, its pointer's lower ``inline`` ones stand behind ``before`` others; the upper ones are
    the last place of ``steps`` at or below the entry's number.
    """
    last, step = np.uint64(0), 0
    for entry in range(count + 1):
        while step + 1 < steps.size and steps[step + 1] <= np.uint64(entry):
            step += 1
        upper = np.uint64(step) << np.uint64(inline)
        pointer = upper | _read_bits(data, entry * total + before, inline)
        if pointer < last or pointer > np.uint64(largest):
            return False
        last = pointer
    return True
