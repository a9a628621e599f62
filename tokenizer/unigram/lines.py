"""The kernel of the piece encoder: cut a line into words, look them up, and find the pieces of those that are new."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

from llama_data.pipeline.kernels.memory import store_word, trailing_zeros
from llama_data.pipeline.kernels.word_table import (
    INLINE_NUMBERS,
    address,
    find_at,
    hash_at,
    insert,
    load_int,
    load_word,
    prefetch_at,
    value_at,
)
from llama_data.tokenizer.unigram.words import (
    DONE,
    LIMIT_UNIT,
    MOST_EDGES,
    NOT_BY_WORDS,
    OUT_FULL,
    TABLE_FULL,
    best_path,
    normal_form,
    pack,
    write,
)

LONGEST_KEPT = 256
_BLOCK = 64
_LENGTH_MASK = np.uint64((1 << 24) - 1)


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    kinds: tuple[Any, ...] | None = getattr(kind, "types", None)  # of a tuple's items
    if kinds is not None:
        items = [(inner, builder.extract_value(value, place)) for place, inner in enumerate(kinds)]
        return context.make_tuple(builder, kind, [_without_owner(context, builder, *item) for item in items])
    if isinstance(kind, types.Array):
        view = context.make_array(kind)(context, builder, value)
        view.meminfo = ir.Constant(view.meminfo.type, None)
        return view._getvalue()
    return value


def _build_borrowed(typingctx: Any, arrays: Any) -> Any:
    """The same arrays (in tuples) without their owners, who keep them alive."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _without_owner(context, builder, signature.args[0], arguments[0])

    return arrays(arrays), build


_borrowed: Any = intrinsic(_build_borrowed)


@njit(cache=True, nogil=True, inline="always")
def _load_float(place):  # type: ignore[no-untyped-def]
    """The float32 at an address."""
    return np.int32(load_int(place)).view(np.float32)


@njit(cache=True, nogil=True)
def _word_end(place, end):  # type: ignore[no-untyped-def]
    """Address of the first space from ``place`` on, or ``end``; 8 bytes behind that can be read."""
    ones, high = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
    while place < end:
        word = load_word(place) ^ (ones * np.uint64(32))
        # The lowest byte that is 0; above it a borrow may mark others.
        zero = (word - ones) & ~word & high
        if zero != np.uint64(0):
            return min(place + (np.int64(trailing_zeros(zero)) >> 3), end)
        place += 8
    return end


@njit(cache=True, nogil=True)
def _new_word(text, end, model, table, key, start, data, lattice, rounding, out, place, score):  # type: ignore[no-untyped-def]
    """Find the pieces of the word ``data[start:end]``, keep them in the table under ``key`` unless that is 0.

    Returns a code, and when it is DONE the place in ``out``, the number of pieces and the score after the word.
    """
    size = normal_form(model, text + start, text + end, lattice.form)
    if size < 0:
        return -size, place, 0, score
    limit = best_path(model, lattice, size, score)
    if not rounding and abs(score) >= limit * LIMIT_UNIT:
        return NOT_BY_WORDS, place, 0, score
    if place + 2 * size + 16 > out.size:
        return OUT_FULL, place, 0, score
    if key != np.uint64(0):
        numbers = pack(lattice, size, limit)
        if numbers > 0 and not insert(table, data, start, end, key, lattice.packed, numbers):
            return TABLE_FULL, place, 0, score
    place, pieces = write(lattice, lattice.came, size, out, place)
    return DONE, place, pieces, lattice.sums[size]


@njit(cache=True, nogil=True)
def encode_line(data, end, model, table, lattice, rounding, out, state, before):  # type: ignore[no-untyped-def]
    """Write the pieces of the line ``data[:end]`` to ``out``, each with a space behind it. Returns a code.

    ``data`` has 8 bytes more. ``rounding``: SentencePiece rounds as this module does; else NOT_BY_WORDS where that
    matters. ``state`` (place in the line, place in ``out``, pieces, known words that were looked at again) and
    ``before`` (score) let a call go on where the last one stopped for want of room.
    """
    # A call that is given arrays counts references to each of them: more work than a word is.
    model, table, lattice, data, out = _borrowed((model, table, lattice, data, out))
    text, slots, keys, values = address(data), address(table.slots), address(table.keys), address(table.values)
    mask = np.uint64(table.slots.shape[0] - 1)
    starts, ends, marks = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.uint64)
    at, place, count, score = state[0], state[1], state[2], before[0]
    while at < end:
        words = 0
        while words < _BLOCK and at < end:
            if data[at] == 32:
                at += 1
                continue
            starts[words], marks[words] = at, np.uint64(0)
            at = _word_end(text + at, text + end) - text
            ends[words] = at
            if at - starts[words] <= LONGEST_KEPT:
                marks[words] = hash_at(text + starts[words], at - starts[words])
                prefetch_at(slots, mask, marks[words])
            words += 1
        for k in range(words):
            start, stop, key = starts[k], ends[k], marks[k]
            slot = np.int64(-1)
            if key != np.uint64(0):
                slot = find_at(slots, mask, keys, text + start, stop - start, key)
            if slot >= 0:
                numbers = np.int64((load_word(slots + 64 * slot + 8) >> np.uint64(24)) & _LENGTH_MASK)
                found = value_at(slots, values, slot, numbers)
                head = load_int(found)
                if abs(score) < ((head >> 20) & 0xFFF) * LIMIT_UNIT and place + 4 * numbers + 16 <= out.size:
                    edges = (head >> 11) & MOST_EDGES
                    for edge in range(edges):
                        score += _load_float(found + 4 + 4 * edge)
                    size = 4 * (numbers - 1 - edges - (numbers > INLINE_NUMBERS)) - (head & 3)
                    found += 4 + 4 * edges
                    copied = 0
                    while copied < size:
                        store_word(out, place + copied, load_word(found + copied))
                        copied += 8
                    place += size
                    count += (head >> 2) & MOST_EDGES
                    continue
                state[3] += 1
                key = np.uint64(0)
            code, place, pieces, score = _new_word(
                text, stop, model, table, key, start, data, lattice, rounding, out, place, score
            )
            if code != DONE:
                state[0], state[1], state[2], before[0] = start, place, count, score
                return code
            count += pieces
    state[1], state[2] = place, count
    return DONE
