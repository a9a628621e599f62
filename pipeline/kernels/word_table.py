"""A bounded hash table from byte strings to spans of int32, for compiled kernels that pay once a distinct word.

Open addressing with linear probing; a hit is only a hit when all bytes are equal. A slot is one cache line: keys of
up to 24 bytes and values of up to six numbers stand in the slot itself. A kernel takes ``WordTable.arrays`` and calls

    key = key_hash(data, start, end)                     # data: uint8, readable for 8 bytes after ``end``
    slot = find(table, data, start, end, key)            # -1: not there
    n = read(table, slot, out, at)                       # copies the numbers to out[at:at + n]
    ok = insert(table, data, start, end, key, values, n) # False: full; see below

A hot loop takes the arrays' addresses once and calls ``hash_at``, ``prefetch_slot_at``, ``find_at``,
``value_length_at`` and ``value_at`` (see ``memory`` on names and on what a call costs). Nobody else knows how a slot is
laid out.

When ``insert`` says False the kernel returns to Python, which calls ``WordTable.make_room()`` (grow, or at the
bound keep only what was found again since the last time) and enters the kernel again with the new arrays. What is
in the table never changes a result, only its speed. ``FIND_LIMIT`` bounds the work of a probe on crafted keys: what
does not fit within it is simply not kept (``insert`` returns True).
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.kernels.hashing import GOLDEN
from llama_data.pipeline.kernels.memory import address, load_int_at, load_word_at, padded, prefetch_at, store_word_at
from llama_data.pipeline.kernels.swar import keep_bytes

FIND_LIMIT = 64
INLINE_KEY = 24
INLINE_NUMBERS = 6
_KEY_BYTES = 4  # of room in ``keys`` a slot: most words stand in their slots
_FULL = (3, 5)  # of the slots: beyond 0.6 probing grows long

# A slot's columns, in 64-bit words. _KEY and _VALUE hold the bytes and numbers themselves or, of longer ones, the place
# in ``keys`` and ``values``.
_WORDS, _HASH, _LENGTHS, _KEY, _VALUE = 8, 0, 1, 2, 5
_SLOT_BYTES = 8 * _WORDS
_EMPTY = np.uint64(0)  # no hash is 0
# Bits of _LENGTHS: bytes of the key, numbers of the value, and whether the entry was found since it was made.
_LENGTH_BITS = np.uint64(24)
_LENGTH_MASK = np.uint64((1 << 24) - 1)
_FOUND_AGAIN = np.uint64(1 << 63)
_LONGEST = (1 << 24) - 1
# The low bits of a hash are the worst mixed, and its lowest is always 1.
_HOME_SHIFT = np.uint64(20)
# Places in ``counts``.
_ENTRIES, _KEYS_USED, _VALUES_USED = 0, 1, 2
_FACTOR = np.uint64(0xC2B2AE3D27D4EB4F)  # odd, about half of its bits set, and unlike GOLDEN


class Table(NamedTuple):
    """The arrays of a table, as kernels take them."""

    slots: NDArray[np.uint64]
    keys: NDArray[np.uint8]
    values: NDArray[np.int32]
    counts: NDArray[np.int64]


@numba.njit(cache=True, nogil=True)
def _home(key, mask):  # type: ignore[no-untyped-def]
    """The slot at which the search for a key begins."""
    return (key >> _HOME_SHIFT) & mask


@numba.njit(cache=True, nogil=True)
def _key_length(lengths):  # type: ignore[no-untyped-def]
    return np.int64(lengths & _LENGTH_MASK)


@numba.njit(cache=True, nogil=True)
def _value_length(lengths):  # type: ignore[no-untyped-def]
    return np.int64((lengths >> _LENGTH_BITS) & _LENGTH_MASK)


@numba.njit(cache=True, nogil=True)
def slot_mask(table):  # type: ignore[no-untyped-def]
    """The number of slots less one, which ``prefetch_slot_at`` and ``find_at`` take; slots are a power of two."""
    return np.uint64(table.slots.shape[0] - 1)


@numba.njit(cache=True, nogil=True)
def prefetch_slot_at(slots, mask, key):  # type: ignore[no-untyped-def]
    """Ask for the slot of a key's first probe, some dozens of keys before ``find_at`` needs it."""
    # A table outgrows the caches, so a look-up is a miss of some hundred cycles; dozens of them overlap.
    prefetch_at(slots + np.int64(_home(key, mask)) * _SLOT_BYTES)


@numba.njit(cache=True, nogil=True)
def hash_at(place, length):  # type: ignore[no-untyped-def]
    """Hash of ``length`` (at least 1) bytes at an address; never 0."""
    # The length goes in first: the last word is filled up with zeros, which may also be bytes of the key.
    h = np.uint64(length) * _FACTOR
    while length > 8:
        h = (h ^ load_word_at(place)) * GOLDEN
        h ^= h >> np.uint64(29)
        place += 8
        length -= 8
    h = (h ^ keep_bytes(load_word_at(place), length)) * GOLDEN
    h = (h ^ (h >> np.uint64(32))) * _FACTOR
    return h | np.uint64(1)


@numba.njit(cache=True, nogil=True)
def key_hash(data, start, end):  # type: ignore[no-untyped-def]
    """Hash of ``data[start:end]`` (never 0); the span must not be empty."""
    return hash_at(address(data) + start, end - start)


@numba.njit(cache=True, nogil=True)
def _same(one, other, length):  # type: ignore[no-untyped-def]
    """True when two spans of more than 8 bytes are equal."""
    # The last word of both overlaps the one before instead of going beyond the end: what follows may differ.
    last = length - 8
    at = 0
    while at < last:
        if load_word_at(one + at) != load_word_at(other + at):
            return False
        at += 8
    return load_word_at(one + last) == load_word_at(other + last)


@numba.njit(cache=True, nogil=True)
def find_at(slots, mask, keys, place, length, key):  # type: ignore[no-untyped-def]
    """The slot that holds the ``length`` bytes at the address ``place``, or -1.

    ``slots`` and ``keys`` are the addresses of these arrays, ``mask`` is ``slot_mask``.
    """
    at = _home(key, mask)
    for _ in range(FIND_LIMIT):
        slot = slots + np.int64(at) * _SLOT_BYTES
        stored = load_word_at(slot + 8 * _HASH)
        if stored == key:
            lengths = load_word_at(slot + 8 * _LENGTHS)
            if _key_length(lengths) == length:
                held = load_word_at(slot + 8 * _KEY)
                if length <= 8:
                    same = held == keep_bytes(load_word_at(place), length)
                else:
                    same = _same(slot + 8 * _KEY if length <= INLINE_KEY else keys + np.int64(held), place, length)
                if same:
                    # Only when it is not set: writing would make the whole cache line go back to memory.
                    if not lengths & _FOUND_AGAIN:
                        store_word_at(slot + 8 * _LENGTHS, lengths | _FOUND_AGAIN)
                    return np.int64(at)
        elif stored == _EMPTY:
            return np.int64(-1)
        at = (at + np.uint64(1)) & mask
    return np.int64(-1)


@numba.njit(cache=True, nogil=True)
def find(table, data, start, end, key):  # type: ignore[no-untyped-def]
    """The slot that holds ``data[start:end]``, or -1."""
    place = address(data) + start
    return find_at(address(table.slots), slot_mask(table), address(table.keys), place, end - start, key)


@numba.njit(cache=True, nogil=True)
def value_length_at(slots, slot):  # type: ignore[no-untyped-def]
    """How many numbers the slot's value has; ``slots`` is the address of the array."""
    return _value_length(load_word_at(slots + slot * _SLOT_BYTES + 8 * _LENGTHS))


@numba.njit(cache=True, nogil=True)
def values_place_at(slots, slot):  # type: ignore[no-untyped-def]
    """Index in ``values`` of the first number of a slot's value, which must have more than INLINE_NUMBERS."""
    return np.int64(load_word_at(slots + slot * _SLOT_BYTES + 8 * _VALUE))


@numba.njit(cache=True, nogil=True)
def value_at(slots, values, slot, n):  # type: ignore[no-untyped-def]
    """Address of the first of a slot's ``n`` numbers; ``slots`` and ``values`` are the addresses of these arrays."""
    if n <= INLINE_NUMBERS:
        return slots + slot * _SLOT_BYTES + 8 * _VALUE
    return values + 4 * values_place_at(slots, slot)


@numba.njit(cache=True, nogil=True)
def read(table, slot, out, at):  # type: ignore[no-untyped-def]
    """Copy the slot's value to ``out`` from ``at`` on and return its length."""
    slots = address(table.slots)
    n = value_length_at(slots, slot)
    place = value_at(slots, address(table.values), slot, n)
    for i in range(n):
        out[at + i] = load_int_at(place + 4 * i)
    return n


@numba.njit(cache=True, nogil=True)
def insert(table, data, start, end, key, values, n):  # type: ignore[no-untyped-def]
    """Keep ``values[:n]`` for ``data[start:end]``, which must not be there. False: the table is full.

    True also when it was not kept: a key of 16 MiB or more, or no free slot within FIND_LIMIT.
    """
    slots, counts, length = table.slots, table.counts, end - start
    long_key, long_value = length if length > INLINE_KEY else 0, n if n > INLINE_NUMBERS else 0
    if length > _LONGEST or n > _LONGEST or long_key > table.keys.size or long_value > table.values.size:
        return True
    if (
        counts[_ENTRIES] * _FULL[1] >= slots.shape[0] * _FULL[0]
        or counts[_KEYS_USED] + long_key > table.keys.size
        or counts[_VALUES_USED] + long_value > table.values.size
    ):
        return False
    mask = slot_mask(table)
    at = _home(key, mask)
    probes = 0
    while slots[at, _HASH] != _EMPTY:
        probes += 1
        if probes == FIND_LIMIT:
            return True
        at = (at + np.uint64(1)) & mask
    if length <= INLINE_KEY:
        place, word = address(data) + start, 0
        while length - 8 * word > 8:
            slots[at, _KEY + word] = load_word_at(place + 8 * word)
            word += 1
        slots[at, _KEY + word] = keep_bytes(load_word_at(place + 8 * word), length - 8 * word)
    else:
        offset = counts[_KEYS_USED]
        table.keys[offset : offset + length] = data[start:end]
        slots[at, _KEY] = np.uint64(offset)
        counts[_KEYS_USED] += length
    if n <= INLINE_NUMBERS:
        for i in range(n):
            number = np.uint64(np.uint32(values[i]))
            if i & 1:
                slots[at, _VALUE + (i >> 1)] |= number << np.uint64(32)
            else:
                slots[at, _VALUE + (i >> 1)] = number
    else:
        offset = counts[_VALUES_USED]
        for i in range(n):
            table.values[offset + i] = values[i]
        slots[at, _VALUE] = np.uint64(offset)
        counts[_VALUES_USED] += n
    # The hash is what makes the slot taken, so it comes last.
    slots[at, _LENGTHS] = np.uint64(length) | (np.uint64(n) << _LENGTH_BITS)
    slots[at, _HASH] = key
    counts[_ENTRIES] += 1
    return True


@numba.njit(cache=True, nogil=True)
def _found_again(table):  # type: ignore[no-untyped-def]
    count = 0
    for at in range(table.slots.shape[0]):
        if table.slots[at, _HASH] != _EMPTY and table.slots[at, _LENGTHS] & _FOUND_AGAIN:
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _move(old, new, everything):  # type: ignore[no-untyped-def]
    """Copy entries (all, or those found again) into an empty table that is large enough."""
    mask = slot_mask(new)
    for source in range(old.slots.shape[0]):
        key = old.slots[source, _HASH]
        lengths = old.slots[source, _LENGTHS]
        if key == _EMPTY or not (everything or lengths & _FOUND_AGAIN):
            continue
        at = _home(key, mask)
        probes = 0
        while new.slots[at, _HASH] != _EMPTY and probes < FIND_LIMIT - 1:
            probes += 1
            at = (at + np.uint64(1)) & mask
        if new.slots[at, _HASH] != _EMPTY:
            continue
        length, n = _key_length(lengths), _value_length(lengths)
        new.slots[at] = old.slots[source]
        if not everything:
            new.slots[at, _LENGTHS] = lengths & ~_FOUND_AGAIN
        if length > INLINE_KEY:
            offset, target = np.int64(old.slots[source, _KEY]), new.counts[_KEYS_USED]
            new.keys[target : target + length] = old.keys[offset : offset + length]
            new.slots[at, _KEY] = np.uint64(target)
            new.counts[_KEYS_USED] += length
        if n > INLINE_NUMBERS:
            offset, target = np.int64(old.slots[source, _VALUE]), new.counts[_VALUES_USED]
            new.values[target : target + n] = old.values[offset : offset + n]
            new.slots[at, _VALUE] = np.uint64(target)
            new.counts[_VALUES_USED] += n
        new.counts[_ENTRIES] += 1


def _make(slots: int, numbers: int) -> Table:
    # A slot must not lie across two cache lines. What is left of the room for that is padding behind the last one.
    space = np.zeros((slots + 1) * _WORDS, np.uint64)
    skip = (-space.ctypes.data % _SLOT_BYTES) // 8
    return Table(
        space[skip : skip + slots * _WORDS].reshape(slots, _WORDS),
        np.zeros(slots * _KEY_BYTES, np.uint8),
        np.zeros(slots * numbers, np.int32),
        np.zeros(3, np.int64),
    )


class WordTable:
    """Owner of a table. ``max_bytes`` bounds its memory, also while it is rebuilt; it starts small and grows.

    ``numbers``: room for values of more than six numbers, as numbers a slot (tables are full at 0.6 entries a slot).
    """

    def __init__(self, *, max_bytes: int = 512 << 20, slots: int = 1 << 15, numbers: int = 1) -> None:
        self.numbers = numbers
        # Of 16 slots, twice: while the table is rebuilt the old and the new one are there.
        least = 2 * 16 * (_SLOT_BYTES + _KEY_BYTES + 4 * numbers)
        if max_bytes < least:
            raise ValueError(f"max_bytes must be at least {least}, not {max_bytes}")
        self.max_slots = 16 << ((max_bytes // least).bit_length() - 1)
        self.arrays = _make(min(slots, self.max_slots), numbers)
        self.evictions = 0

    def __len__(self) -> int:
        return int(self.arrays.counts[_ENTRIES])

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the table holds."""
        return sum(array.nbytes for array in self.arrays)

    def make_room(self) -> None:
        """Grow twofold; at the bound drop what was not found again since the last time (all, if that helps little)."""
        size = self.arrays.slots.shape[0]
        if size < self.max_slots:
            larger = _make(min(size * 2, self.max_slots), self.numbers)
            _move(self.arrays, larger, True)
            self.arrays = larger
            return
        fresh = _make(size, self.numbers)
        if _found_again(self.arrays) * 2 <= len(self):
            _move(self.arrays, fresh, False)
        # What was found again may fill the room for long keys or values: then insert would say full again at once.
        if fresh.counts[_KEYS_USED] * 4 > fresh.keys.size * 3 or fresh.counts[_VALUES_USED] * 4 > fresh.values.size * 3:
            fresh = _make(size, self.numbers)
        self.arrays = fresh
        self.evictions += 1

    def get(self, key: bytes) -> NDArray[np.int32] | None:
        """The value of a key, or None. For callers outside kernels."""
        data = padded(key)
        slot = find(self.arrays, data, 0, len(key), np.uint64(key_hash(data, 0, len(key)))) if key else -1
        if slot < 0:
            return None
        out = np.empty(value_length_at(self.arrays.slots.ctypes.data, slot), np.int32)
        read(self.arrays, slot, out, 0)
        return out

    def put(self, key: bytes, value: NDArray[np.int32]) -> None:
        """Keep a value for a key that is not there; the key must not be empty. For callers outside kernels."""
        data = padded(key)
        mark = np.uint64(key_hash(data, 0, len(key)))
        while not insert(self.arrays, data, 0, len(key), mark, np.ascontiguousarray(value, np.int32), len(value)):
            self.make_room()
