"""A bounded hash table from byte strings to spans of int32, for compiled kernels that pay once a distinct word.

Open addressing with linear probing; a hit is only a hit when all bytes are equal. A slot is one cache line: keys of
up to 24 bytes and values of up to six numbers stand in the slot itself. A kernel takes ``ChunkTable.arrays`` and calls

    key = key_hash(data, start, end)                     # data: uint8, readable for 8 bytes after ``end``
    slot = find(table, data, start, end, key)            # -1: not there
    n = read(table, slot, out, at)                       # copies the numbers to out[at:at + n]
    ok = insert(table, data, start, end, key, values, n) # False: full; see below

A hot loop takes the arrays' addresses once (``address``) and calls ``hash_at``, ``prefetch_at`` and ``find_at``: a
call that is given arrays costs numba two atomic reference counts for each, several times the search itself.

When ``insert`` says False the kernel returns to Python, which calls ``ChunkTable.make_room()`` (grow, or at the
bound keep only what was found again since the last time) and enters the kernel again with the new arrays. What is
in the table never changes a result, only its speed. ``FIND_LIMIT`` bounds the work of a probe on crafted keys: what
does not fit within it is simply not kept (``insert`` returns True).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic
from numpy.typing import NDArray

FIND_LIMIT = 64
MAX_KEY = (1 << 24) - 1
KEY_BYTES = 4
INLINE_KEY = 24
INLINE_NUMBERS = 6

# Columns of a slot: 64-bit words. KEY and VALUE hold the bytes and numbers themselves or, of longer ones, the place in
# ``keys`` and ``values``.
WORDS, HASH, LENGTHS, KEY, VALUE = 8, 0, 1, 2, 5
# Places in ``counts``.
ENTRIES, KEYS_USED, VALUES_USED = 0, 1, 2
_FOUND_AGAIN = np.uint64(1 << 63)
_EMPTY = np.uint64(0)
_LENGTH_MASK = np.uint64((1 << 24) - 1)
_P1 = np.uint64(0x9E3779B97F4A7C15)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)


class Table(NamedTuple):
    """The arrays of a table, as kernels take them."""

    slots: NDArray[np.uint64]
    keys: NDArray[np.uint8]
    values: NDArray[np.int32]
    counts: NDArray[np.int64]


def _build_address(typingctx: Any, array: Any) -> Any:
    """Where the array's first element lies in memory. The caller keeps the array alive."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(view.data, ir.IntType(64))

    return numba.types.int64(array), build


def _build_load_word(typingctx: Any, place: Any) -> Any:
    """The eight bytes at an address, as one uint64 (little-endian machines only, as all that numba supports)."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), align=1)

    return numba.types.uint64(numba.types.int64), build


def _build_load_byte(typingctx: Any, place: Any) -> Any:
    """The byte at an address, as int64."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = builder.load(builder.inttoptr(arguments[0], ir.IntType(8).as_pointer()))
        return builder.zext(byte, ir.IntType(64))

    return numba.types.int64(numba.types.int64), build


def _build_load_int(typingctx: Any, place: Any) -> Any:
    """The int32 at an address, as int64."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = builder.load(builder.inttoptr(arguments[0], ir.IntType(32).as_pointer()))
        return builder.sext(number, ir.IntType(64))

    return numba.types.int64(numba.types.int64), build


def _build_store_word(typingctx: Any, place: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return numba.types.void(numba.types.int64, numba.types.uint64), build


def _build_prefetch(typingctx: Any, place: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        name = "llvm.prefetch.p0"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        flags = [ir.Constant(word, value) for value in (0, 3, 1)]
        builder.call(function, [builder.inttoptr(arguments[0], pointer), *flags])
        return context.get_dummy_value()

    return numba.types.void(numba.types.int64), build


# Any: numba calls these with its typing context in front, which a type checker cannot know.
address: Any = intrinsic(_build_address)
load_byte: Any = intrinsic(_build_load_byte)
load_int: Any = intrinsic(_build_load_int)
load_word: Any = intrinsic(_build_load_word)
_store_word: Any = intrinsic(_build_store_word)
_prefetch: Any = intrinsic(_build_prefetch)


@numba.njit(cache=True, nogil=True)
def prefetch_at(slots, mask, key):  # type: ignore[no-untyped-def]
    """Ask for the slot of a key's first probe, some dozens of keys before ``find_at`` needs it."""
    _prefetch(slots + np.int64((key >> np.uint64(20)) & mask) * 64)


@numba.njit(cache=True, nogil=True)
def _last_word(place, length):  # type: ignore[no-untyped-def]
    return load_word(place) & (np.uint64(0xFFFFFFFFFFFFFFFF) >> (np.uint64(8) * (np.uint64(8) - np.uint64(length))))


@numba.njit(cache=True, nogil=True)
def hash_at(place, length):  # type: ignore[no-untyped-def]
    """Hash of ``length`` (at least 1) bytes at an address; never 0."""
    h = np.uint64(length) * _P2
    while length > 8:
        h = (h ^ load_word(place)) * _P1
        h ^= h >> np.uint64(29)
        place += 8
        length -= 8
    h = (h ^ _last_word(place, length)) * _P1
    h = (h ^ (h >> np.uint64(32))) * _P2
    return h | np.uint64(1)


@numba.njit(cache=True, nogil=True)
def key_hash(data, start, end):  # type: ignore[no-untyped-def]
    """Hash of ``data[start:end]`` (never 0); the span must not be empty."""
    return hash_at(address(data) + start, end - start)


@numba.njit(cache=True, nogil=True)
def _same(one, other, length):  # type: ignore[no-untyped-def]
    """True when two spans of more than 8 bytes are equal."""
    last = length - 8
    at = 0
    while at < last:
        if load_word(one + at) != load_word(other + at):
            return False
        at += 8
    return load_word(one + last) == load_word(other + last)


@numba.njit(cache=True, nogil=True)
def find_at(slots, mask, keys, place, length, key):  # type: ignore[no-untyped-def]
    """The slot that holds the ``length`` bytes at the address ``place``, or -1.

    ``slots`` and ``keys`` are the addresses of these arrays, ``mask`` is the number of slots less one.
    """
    at = (key >> np.uint64(20)) & mask
    for _ in range(FIND_LIMIT):
        slot = slots + np.int64(at) * 64
        stored = load_word(slot)
        if stored == key:
            lengths = load_word(slot + 8)
            if (lengths & _LENGTH_MASK) == np.uint64(length):
                held = load_word(slot + 16)
                if length <= 8:
                    same = held == _last_word(place, length)
                else:
                    same = _same(slot + 16 if length <= INLINE_KEY else keys + np.int64(held), place, length)
                if same:
                    if not lengths & _FOUND_AGAIN:
                        _store_word(slot + 8, lengths | _FOUND_AGAIN)
                    return np.int64(at)
        elif stored == _EMPTY:
            return np.int64(-1)
        at = (at + np.uint64(1)) & mask
    return np.int64(-1)


@numba.njit(cache=True, nogil=True)
def find(table, data, start, end, key):  # type: ignore[no-untyped-def]
    """The slot that holds ``data[start:end]``, or -1."""
    slots = table.slots
    mask = np.uint64(slots.shape[0] - 1)
    return find_at(address(slots), mask, address(table.keys), address(data) + start, end - start, key)


@numba.njit(cache=True, nogil=True)
def value_at(slots, values, slot, n):  # type: ignore[no-untyped-def]
    """Address of the first of a slot's ``n`` numbers; ``slots`` and ``values`` are the addresses of these arrays."""
    place = slots + slot * 64 + 8 * VALUE
    return place if n <= INLINE_NUMBERS else values + 4 * np.int64(load_word(place))


@numba.njit(cache=True, nogil=True)
def value_length(table, slot):  # type: ignore[no-untyped-def]
    """How many numbers the slot's value has."""
    return np.int64((table.slots[slot, LENGTHS] >> np.uint64(24)) & _LENGTH_MASK)


@numba.njit(cache=True, nogil=True)
def read(table, slot, out, at):  # type: ignore[no-untyped-def]
    """Copy the slot's value to ``out`` from ``at`` on and return its length."""
    n = np.int64((table.slots[slot, LENGTHS] >> np.uint64(24)) & _LENGTH_MASK)
    place = value_at(address(table.slots), address(table.values), slot, n)
    for i in range(n):
        out[at + i] = load_int(place + 4 * i)
    return n


@numba.njit(cache=True, nogil=True)
def insert(table, data, start, end, key, values, n):  # type: ignore[no-untyped-def]
    """Keep ``values[:n]`` for ``data[start:end]``, which must not be there. False: the table is full.

    True also when it was not kept: a key of 16 MiB or more, or no free slot within FIND_LIMIT.
    """
    slots, counts, length = table.slots, table.counts, end - start
    long_key, long_value = length if length > INLINE_KEY else 0, n if n > INLINE_NUMBERS else 0
    if length > MAX_KEY or n > MAX_KEY or long_key > table.keys.size or long_value > table.values.size:
        return True
    if (
        counts[ENTRIES] * 5 >= slots.shape[0] * 3
        or counts[KEYS_USED] + long_key > table.keys.size
        or counts[VALUES_USED] + long_value > table.values.size
    ):
        return False
    mask = np.uint64(slots.shape[0] - 1)
    at = (key >> np.uint64(20)) & mask
    probes = 0
    while slots[at, HASH] != _EMPTY:
        probes += 1
        if probes == FIND_LIMIT:
            return True
        at = (at + np.uint64(1)) & mask
    if length <= INLINE_KEY:
        place, word = address(data) + start, 0
        while length - 8 * word > 8:
            slots[at, KEY + word] = load_word(place + 8 * word)
            word += 1
        slots[at, KEY + word] = _last_word(place + 8 * word, length - 8 * word)
    else:
        offset = counts[KEYS_USED]
        table.keys[offset : offset + length] = data[start:end]
        slots[at, KEY] = np.uint64(offset)
        counts[KEYS_USED] += length
    if n <= INLINE_NUMBERS:
        for i in range(n):
            number = np.uint64(np.uint32(values[i]))
            if i & 1:
                slots[at, VALUE + (i >> 1)] |= number << np.uint64(32)
            else:
                slots[at, VALUE + (i >> 1)] = number
    else:
        offset = counts[VALUES_USED]
        for i in range(n):
            table.values[offset + i] = values[i]
        slots[at, VALUE] = np.uint64(offset)
        counts[VALUES_USED] += n
    slots[at, LENGTHS] = np.uint64(length) | (np.uint64(n) << np.uint64(24))
    slots[at, HASH] = key
    counts[ENTRIES] += 1
    return True


@numba.njit(cache=True, nogil=True)
def _found_again(table):  # type: ignore[no-untyped-def]
    count = 0
    for at in range(table.slots.shape[0]):
        if table.slots[at, HASH] != _EMPTY and table.slots[at, LENGTHS] & _FOUND_AGAIN:
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _move(old, new, everything):  # type: ignore[no-untyped-def]
    """Copy entries (all, or those found again) into an empty table that is large enough."""
    mask = np.uint64(new.slots.shape[0] - 1)
    for source in range(old.slots.shape[0]):
        key = old.slots[source, HASH]
        lengths = old.slots[source, LENGTHS]
        if key == _EMPTY or not (everything or lengths & _FOUND_AGAIN):
            continue
        at = (key >> np.uint64(20)) & mask
        probes = 0
        while new.slots[at, HASH] != _EMPTY and probes < FIND_LIMIT - 1:
            probes += 1
            at = (at + np.uint64(1)) & mask
        if new.slots[at, HASH] != _EMPTY:
            continue
        length = np.int64(lengths & _LENGTH_MASK)
        n = np.int64((lengths >> np.uint64(24)) & _LENGTH_MASK)
        new.slots[at] = old.slots[source]
        if not everything:
            new.slots[at, LENGTHS] = lengths & ~_FOUND_AGAIN
        if length > INLINE_KEY:
            offset, target = np.int64(old.slots[source, KEY]), new.counts[KEYS_USED]
            new.keys[target : target + length] = old.keys[offset : offset + length]
            new.slots[at, KEY] = np.uint64(target)
            new.counts[KEYS_USED] += length
        if n > INLINE_NUMBERS:
            offset, target = np.int64(old.slots[source, VALUE]), new.counts[VALUES_USED]
            new.values[target : target + n] = old.values[offset : offset + n]
            new.slots[at, VALUE] = np.uint64(target)
            new.counts[VALUES_USED] += n
        new.counts[ENTRIES] += 1


def _make(slots: int, numbers: int) -> Table:
    # A slot must not lie across two cache lines.
    space = np.zeros((slots + 1) * WORDS, np.uint64)
    skip = (-space.ctypes.data % 64) // 8
    return Table(
        space[skip : skip + slots * WORDS].reshape(slots, WORDS),
        np.zeros(slots * KEY_BYTES, np.uint8),
        np.zeros(slots * numbers, np.int32),
        np.zeros(3, np.int64),
    )


class ChunkTable:
    """Owner of a table. ``max_bytes`` bounds its memory, also while it is rebuilt; it starts small and grows.

    ``numbers``: room for values of more than six numbers, as numbers a slot (tables are full at 0.6 entries a slot).
    """

    def __init__(self, *, max_bytes: int = 512 << 20, slots: int = 1 << 15, numbers: int = 1) -> None:
        self.numbers = numbers
        least = 2 * 16 * (8 * WORDS + KEY_BYTES + 4 * numbers)
        if max_bytes < least:
            raise ValueError(f"max_bytes must be at least {least}, not {max_bytes}")
        self.max_slots = 16 << ((max_bytes // least).bit_length() - 1)
        self.arrays = _make(min(slots, self.max_slots), numbers)
        self.evictions = 0

    def __len__(self) -> int:
        return int(self.arrays.counts[ENTRIES])

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
        if fresh.counts[KEYS_USED] * 4 > fresh.keys.size * 3 or fresh.counts[VALUES_USED] * 4 > fresh.values.size * 3:
            fresh = _make(size, self.numbers)
        self.arrays = fresh
        self.evictions += 1

    def get(self, key: bytes) -> NDArray[np.int32] | None:
        """The value of a key, or None. For callers outside kernels."""
        data = np.frombuffer(key + bytes(8), np.uint8)
        slot = find(self.arrays, data, 0, len(key), np.uint64(key_hash(data, 0, len(key)))) if key else -1
        if slot < 0:
            return None
        out = np.empty(value_length(self.arrays, slot), np.int32)
        read(self.arrays, slot, out, 0)
        return out

    def put(self, key: bytes, value: NDArray[np.int32]) -> None:
        """Keep a value for a key that is not there; the key must not be empty. For callers outside kernels."""
        data = np.frombuffer(key + bytes(8), np.uint8)
        mark = np.uint64(key_hash(data, 0, len(key)))
        while not insert(self.arrays, data, 0, len(key), mark, np.ascontiguousarray(value, np.int32), len(value)):
            self.make_room()
