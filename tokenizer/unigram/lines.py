"""The kernel of the piece encoder: cut a line into words, look them up, and find the pieces of those that are new."""

from __future__ import annotations

import numpy as np
from numba import njit

from llama_data.pipeline.kernels.memory import (
    address,
    borrowed,
    load_float_at,
    load_int_at,
    load_word_at,
    store_word,
)
from llama_data.pipeline.kernels.swar import first_equal, first_place
from llama_data.pipeline.kernels.word_table import (
    find_at,
    hash_at,
    insert,
    prefetch_slot_at,
    slot_mask,
    value_at,
    value_length_at,
)
from llama_data.tokenizer.unigram.words import (
    DONE,
    LIMIT_UNIT,
    NOT_BY_WORDS,
    OUT_FULL,
    TABLE_FULL,
    best_path,
    normal_form,
    pack,
    packed_edges,
    packed_limit,
    packed_pieces,
    packed_size,
    write,
)

LONGEST_KEPT = 256
# Words that are on the way from memory at the same time.
_BLOCK = 64
_SPACE = 32
_NO_KEY = np.uint64(0)  # a word that is not looked up or not to be kept; no hash is 0
# Beyond what a word's pieces take: two stores of eight bytes may overhang.
_ROOM = 16


@njit(cache=True, nogil=True)
def _word_end(place, end):  # type: ignore[no-untyped-def]
    """Address of the first space from ``place`` on, or ``end``; 8 bytes behind that can be read."""
    while place < end:
        spaces = first_equal(load_word_at(place), _SPACE)
        if spaces != np.uint64(0):
            return min(place + first_place(spaces), end)
        place += 8
    return end


@njit(cache=True, nogil=True)
def _new_word(text, end, model, table, key, start, data, lattice, rounding, out, place, score):  # type: ignore[no-untyped-def]
    """Find the pieces of the word ``data[start:end]``, keep them in the table under ``key`` unless that is _NO_KEY.

    Returns a code, and when it is DONE the place in ``out``, the number of pieces and the score after the word.
    """
    size = normal_form(model, text + start, text + end, lattice.form)
    if size < 0:
        return -size, place, 0, score
    limit = best_path(model, lattice, size, score)
    if not rounding and abs(score) >= limit * LIMIT_UNIT:
        return NOT_BY_WORDS, place, 0, score
    if place + 2 * size + _ROOM > out.size:
        return OUT_FULL, place, 0, score
    if key != _NO_KEY:
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
    model, table, lattice, data, out = borrowed((model, table, lattice, data, out))
    text, slots, keys, values = address(data), address(table.slots), address(table.keys), address(table.values)
    mask = slot_mask(table)
    starts, ends, marks = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.uint64)
    at, place, count, score = state[0], state[1], state[2], before[0]
    while at < end:
        words = 0
        while words < _BLOCK and at < end:
            if data[at] == _SPACE:
                at += 1
                continue
            starts[words], marks[words] = at, _NO_KEY
            at = _word_end(text + at, text + end) - text
            ends[words] = at
            if at - starts[words] <= LONGEST_KEPT:
                marks[words] = hash_at(text + starts[words], at - starts[words])
                prefetch_slot_at(slots, mask, marks[words])
            words += 1
        for k in range(words):
            start, stop, key = starts[k], ends[k], marks[k]
            slot = np.int64(-1)
            if key != _NO_KEY:
                slot = find_at(slots, mask, keys, text + start, stop - start, key)
            if slot >= 0:
                numbers = value_length_at(slots, slot)
                found = value_at(slots, values, slot, numbers)
                head = load_int_at(found)
                if abs(score) < packed_limit(head) * LIMIT_UNIT and place + 4 * numbers + _ROOM <= out.size:
                    # Added one by one, in SentencePiece's order: the sum of the sums would round otherwise.
                    edges = packed_edges(head)
                    for edge in range(edges):
                        score += load_float_at(found + 4 + 4 * edge)
                    size = packed_size(head, numbers)
                    found += 4 + 4 * edges
                    copied = 0
                    while copied < size:
                        store_word(out, place + copied, load_word_at(found + copied))
                        copied += 8
                    place += size
                    count += packed_pieces(head)
                    continue
                # Known, but what stands before it may decide by rounding: its path anew, and nothing to keep.
                state[3] += 1
                key = _NO_KEY
            code, place, pieces, score = _new_word(
                text, stop, model, table, key, start, data, lattice, rounding, out, place, score
            )
            if code != DONE:
                state[0], state[1], state[2], before[0] = start, place, count, score
                return code
            count += pieces
    state[1], state[2] = place, count
    return DONE
