"""The compiled part of the fast encoder: cut, look up, merge, copy. Text is uint8, valid UTF-8, 8 bytes padded.

A chunk is a run of characters in which every two neighbours stand side by side in some piece (``tables``). Chunks are
cut a block at a time, their slots in the table of chunks prefetched, and then looked up: what is known is copied, what
is new is merged and kept. What is called for every chunk or character takes addresses (see ``kernels.memory``).
"""

from __future__ import annotations

import numba
import numpy as np

from llama_data.pipeline.kernels.hashing import GOLDEN
from llama_data.pipeline.kernels.memory import address, load_byte_at, load_int_at, load_word_at
from llama_data.pipeline.kernels.utf8 import decode_trusted_at
from llama_data.pipeline.kernels.word_table import (
    find_at,
    hash_at,
    insert,
    prefetch_slot_at,
    slot_mask,
    value_at,
    value_length_at,
)
from llama_data.tokenizer.bpe.tables import (
    EMPTY_PAIR,
    GLUE_BITS,
    GLUE_FACTORS,
    MERGED_BITS,
    SPACE,
    SYMBOL_BITS,
    WORD32,
)

# Symbols up to which a chunk is merged by looking at all pairs again and again: the square of so few is less than what
# a heap costs, and nearly all chunks are shorter.
SMALL = 48
# Chunks that are on the way from memory at the same time.
BLOCK = 64
NO_MERGE = 2**31 - 1
_BLANK = 32  # a space as it stands in the text
_ESCAPED_SPACE = tuple(SPACE.encode())
_NO_KEY = np.uint64(0)  # a chunk that is not looked up; no hash is 0
_MERGED = np.uint64((1 << MERGED_BITS) - 1)
# A merge in the heap: rank << 32 | place, so that the least is the best rank and of these the leftmost.
_PLACE_BITS, _PLACE = 32, 0xFFFFFFFF


@numba.njit(cache=True, nogil=True)
def _glued(glue, first, second):  # type: ignore[no-untyped-def]
    """True when the pair of code points is in the hashed set at the address ``glue`` (as tables.glue_bit)."""
    mixed = (first * GLUE_FACTORS[0] + second) & WORD32
    bit = ((mixed * GLUE_FACTORS[1]) & WORD32) >> (32 - GLUE_BITS)
    return (load_byte_at(glue + (bit >> 3)) >> (bit & 7)) & 1 != 0


@numba.njit(cache=True, nogil=True)
def _merged(pairs, shift, left, right):  # type: ignore[no-untyped-def]
    """The symbol that the pair merges to, or -1. ``pairs``: address of a table of 2 ** (64 - shift) entries."""
    if left < 0 or right < 0:
        return -1
    key = (np.uint64(left) << np.uint64(SYMBOL_BITS)) | np.uint64(right)
    mask = (np.uint64(1) << (np.uint64(64) - shift)) - np.uint64(1)
    at = (key * GOLDEN) >> shift
    while True:
        entry = load_word_at(pairs + np.int64(at) * 8)
        if entry >> np.uint64(MERGED_BITS) == key:
            return np.int64(entry & _MERGED)
        if entry == EMPTY_PAIR:
            return -1
        at = (at + np.uint64(1)) & mask


@numba.njit(cache=True, nogil=True)
def _rank(merged, ranks):  # type: ignore[no-untyped-def]
    return load_int_at(ranks + merged * 4) if merged >= 0 else NO_MERGE


@numba.njit(cache=True, nogil=True)
def _merge_small(symbols, begins, n, pairs, shift, ranks, best):  # type: ignore[no-untyped-def]
    """Merge in place, lowest rank first and leftmost among equals; returns how many symbols are left."""
    # ``best[i]`` is the rank of symbols i and i + 1; a merge changes two of them, all others only move.
    for i in range(n - 1):
        merged = _merged(pairs, shift, symbols[i], symbols[i + 1])
        best[i] = _rank(merged, ranks)
    while n > 1:
        at, lowest = -1, NO_MERGE
        for i in range(n - 1):
            if best[i] < lowest:
                lowest, at = best[i], i
        if at < 0:
            break
        symbols[at] = _merged(pairs, shift, symbols[at], symbols[at + 1])
        n -= 1
        for i in range(at + 1, n):
            symbols[i] = symbols[i + 1]
            begins[i] = begins[i + 1]
            best[i - 1] = best[i]
        if at < n - 1:
            merged = _merged(pairs, shift, symbols[at], symbols[at + 1])
            best[at] = _rank(merged, ranks)
        if at > 0:
            merged = _merged(pairs, shift, symbols[at - 1], symbols[at])
            best[at - 1] = _rank(merged, ranks)
    return n


@numba.njit(cache=True, nogil=True)
def _push(heap, size, value):  # type: ignore[no-untyped-def]
    at = size
    while at > 0:
        parent = (at - 1) >> 1
        if heap[parent] <= value:
            break
        heap[at] = heap[parent]
        at = parent
    heap[at] = value
    return size + 1


@numba.njit(cache=True, nogil=True)
def _sift_down(heap, size, at, value):  # type: ignore[no-untyped-def]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value


@numba.njit(cache=True, nogil=True)
def _merge_large(symbols, begins, n, pairs, shift, ranks):  # type: ignore[no-untyped-def]
    """As ``_merge_small`` with a heap of (rank, place): n log n time for a chunk of any length."""
    # Symbols are a linked list in place: a merge makes the left one the merged symbol and steps over the right one.
    # The heap begins with n - 1 entries at most; every merge takes one out and puts two in at most.
    following, before = np.empty(n, np.int32), np.empty(n, np.int32)
    rank = np.empty(n, np.int32)
    heap = np.empty(2 * n + 2, np.int64)
    size = 0
    for i in range(n):
        following[i], before[i] = i + 1, i - 1
        rank[i] = NO_MERGE
        if i + 1 < n:
            merged = _merged(pairs, shift, symbols[i], symbols[i + 1])
            if merged >= 0:
                rank[i] = load_int_at(ranks + merged * 4)
                heap[size] = (np.int64(rank[i]) << _PLACE_BITS) | i
                size += 1
    for parent in range(size // 2 - 1, -1, -1):
        _sift_down(heap, size, parent, heap[parent])
    while size:
        lowest = heap[0]
        size -= 1
        if size:
            _sift_down(heap, size, 0, heap[size])
        at = np.int64(lowest & _PLACE)
        # Merges stay in the heap when one of their symbols has been merged otherwise: then the rank is another by now.
        if rank[at] != np.int32(lowest >> _PLACE_BITS):
            continue
        right = following[at]
        symbols[at] = _merged(pairs, shift, symbols[at], symbols[right])
        rank[right] = NO_MERGE
        rank[at] = NO_MERGE
        following[at] = following[right]
        if following[at] < n:
            before[following[at]] = at
            merged = _merged(pairs, shift, symbols[at], symbols[following[at]])
            if merged >= 0:
                rank[at] = load_int_at(ranks + merged * 4)
                size = _push(heap, size, (np.int64(rank[at]) << _PLACE_BITS) | at)
        if before[at] >= 0:
            left = before[at]
            merged = _merged(pairs, shift, symbols[left], symbols[at])
            rank[left] = NO_MERGE
            if merged >= 0:
                rank[left] = load_int_at(ranks + merged * 4)
                size = _push(heap, size, (np.int64(rank[left]) << _PLACE_BITS) | left)
    kept, place = 0, 0
    while place < n:
        symbols[kept], begins[kept] = symbols[place], begins[place]
        kept += 1
        place = following[place]
    return kept


@numba.njit(cache=True, nogil=True)
def _symbol_at(symbol_of, space, point):  # type: ignore[no-untyped-def]
    """The symbol of a code point; ``symbol_of`` is the address of the table."""
    return load_int_at(symbol_of + 4 * (space if point == _BLANK else point))


@numba.njit(cache=True, nogil=True)
def _put_symbol(data, begin, symbol, rules, out, at):  # type: ignore[no-untyped-def]
    """Write the ids of one final symbol to ``out`` from ``at`` on; returns the place after them."""
    if 0 <= symbol < rules.vocabulary:
        out[at] = symbol
        return at + 1
    if not rules.byte_fallback:
        # Unknown characters that follow each other are one unknown id.
        if at == 0 or out[at - 1] != rules.unknown:
            out[at] = rules.unknown
            at += 1
        return at
    point, length = decode_trusted_at(address(data) + begin)
    if point == _BLANK and rules.space != _BLANK:
        for byte in _ESCAPED_SPACE:
            out[at] = rules.byte_ids[byte]
            at += 1
        return at
    for i in range(length):
        out[at + i] = rules.byte_ids[data[begin + i]]
    return at + length


@numba.njit(cache=True, nogil=True)
def _encode_chunk(data, start, end, rules, symbols, begins, best, out):  # type: ignore[no-untyped-def]
    """Ids of one chunk, by merging; returns how many. ``symbols``, ``begins``, ``best`` are scratch."""
    n, at, text, symbol_of = 0, start, address(data), address(rules.symbol_of)
    while at < end:
        point, length = decode_trusted_at(text + at)
        symbols[n], begins[n] = _symbol_at(symbol_of, rules.space, point), at
        n += 1
        at += length
    pairs, ranks = address(rules.pairs), address(rules.ranks)
    shift = np.uint64(rules.pair_shift)
    if n <= SMALL:
        n = _merge_small(symbols, begins, n, pairs, shift, ranks, best)
    else:
        n = _merge_large(symbols, begins, n, pairs, shift, ranks)
    count = 0
    for i in range(n):
        # Nearly every symbol is a piece: a call with arrays costs more than the rest of the loop.
        if 0 <= symbols[i] < rules.vocabulary:
            out[count] = symbols[i]
            count += 1
        else:
            count = _put_symbol(data, begins[i], symbols[i], rules, out, count)
    return count


@numba.njit(cache=True, nogil=True)
def _chunk_end(place, end, point, ascii_glue, glue, space):  # type: ignore[no-untyped-def]
    """Where the chunk ends whose first character is ``point`` and whose second stands at ``place``; all addresses."""
    while place < end:
        following, length = load_byte_at(place), 1
        # Two ASCII characters have a table of their own, small enough for the first cache.
        if following < 128 and point < 128:
            if load_byte_at(ascii_glue + (point << 7 | following)) == 0:
                break
        else:
            following, length = decode_trusted_at(place)
            one, other = space if point == _BLANK else point, space if following == _BLANK else following
            if not _glued(glue, one, other):
                break
        point = following
        place += length
    return place


@numba.njit(cache=True, nogil=True, inline="always")
def _cut_block(text, at, end, rules, keep, slots, mask, starts, marks, singles):  # type: ignore[no-untyped-def]
    """Cut up to BLOCK chunks from ``at`` on and ask for their slots; returns how many. ``starts`` has one more.

    ``marks``: hash of a chunk to look up, _NO_KEY of one that is longer than ``keep`` or a single character, whose
    symbol is in ``singles``: to look at its table is quicker than to look it up.
    """
    ascii_glue, glue, symbol_of = address(rules.ascii_glue), address(rules.glue), address(rules.symbol_of)
    block, stop = 0, at
    while block < BLOCK and stop < end:
        starts[block] = stop
        point, length = decode_trusted_at(text + stop)
        first = stop + length
        stop = _chunk_end(text + first, text + end, point, ascii_glue, glue, rules.space) - text
        marks[block] = _NO_KEY
        if stop == first:
            singles[block] = _symbol_at(symbol_of, rules.space, point)
        elif stop - starts[block] <= keep:
            marks[block] = hash_at(text + starts[block], stop - starts[block])
            prefetch_slot_at(slots, mask, marks[block])
        block += 1
    starts[block] = stop
    return block


@numba.njit(cache=True, nogil=True)
def encode_documents(data, bounds, bos, eos, rules, table, keep, out, ends, state):  # type: ignore[no-untyped-def]
    """Encode documents ``data[bounds[d]:bounds[d + 1]]`` to ``out``; ``ends[d]`` is where document d ends there.

    ``bos`` and ``eos`` are put around a document unless they are below 0. ``keep``: longest chunk, in bytes, that
    is kept in the table. ``state`` (document, place in the text, place in ``out``, 1 inside a document) lets a call
    go on where the last one stopped. Returns True when all is done, False when the table needs room.
    """
    text, slots, keys, values = address(data), address(table.slots), address(table.keys), address(table.values)
    mask = slot_mask(table)
    unknown = np.int64(-1) if rules.byte_fallback else np.int64(rules.unknown)
    symbols, begins = np.empty(keep + 1, np.int32), np.empty(keep + 1, np.int64)
    # Three ids a character at most: those of the bytes of an escaped space.
    best, ids = np.empty(SMALL, np.int32), np.empty(3 * keep + 3, np.int32)
    starts, marks = np.empty(BLOCK + 1, np.int64), np.empty(BLOCK, np.uint64)
    singles = np.empty(BLOCK, np.int32)
    document, at, place, inside = state[0], state[1], state[2], state[3]
    while document < bounds.size - 1:
        end = bounds[document + 1]
        if inside == 0:
            at, inside = bounds[document], np.int64(1)
            if bos >= 0:
                out[place] = bos
                place += 1
        while at < end:
            block = _cut_block(text, at, end, rules, keep, slots, mask, starts, marks, singles)
            for i in range(block):
                at, stop, key = starts[i], starts[i + 1], marks[i]
                if key != _NO_KEY:
                    slot = find_at(slots, mask, keys, text + at, stop - at, key)
                    if slot >= 0:
                        # _copy, but from an address.
                        n = value_length_at(slots, slot)
                        found = value_at(slots, values, slot, n)
                        if unknown >= 0 and place > 0 and out[place - 1] == unknown and load_int_at(found) == unknown:
                            place -= 1
                        for k in range(n):
                            out[place + k] = load_int_at(found + 4 * k)
                        place += n
                        continue
                    n = _encode_chunk(data, at, stop, rules, symbols, begins, best, ids)
                    if not insert(table, data, at, stop, key, ids, n):
                        state[0], state[1], state[2], state[3] = document, at, place, inside
                        return False
                    place = _copy(ids, n, out, place, unknown)
                elif stop - at > keep:
                    long_symbols, long_begins = np.empty(stop - at, np.int32), np.empty(stop - at, np.int64)
                    long_ids = np.empty(3 * (stop - at), np.int32)
                    n = _encode_chunk(data, at, stop, rules, long_symbols, long_begins, best, long_ids)
                    place = _copy(long_ids, n, out, place, unknown)
                elif 0 <= singles[i] < rules.vocabulary:
                    out[place] = singles[i]
                    place += 1
                else:
                    n = _put_symbol(data, at, singles[i], rules, ids, 0)
                    place = _copy(ids, n, out, place, unknown)
            at = starts[block]
        if eos >= 0:
            out[place] = eos
            place += 1
        ends[document] = place
        document += 1
        inside = np.int64(0)
    state[0], state[1], state[2], state[3] = document, at, place, inside
    return True


@numba.njit(cache=True, nogil=True)
def _copy(ids, n, out, place, unknown):  # type: ignore[no-untyped-def]
    """Append ids; a run of unknown ids that goes on across a cut stays one (``unknown`` -1: no such runs)."""
    skip = 1 if unknown >= 0 and place > 0 and n > 0 and out[place - 1] == unknown and ids[0] == unknown else 0
    for i in range(skip, n):
        out[place + i - skip] = ids[i]
    return place + n - skip
