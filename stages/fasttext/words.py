"""The dictionary of a fastText model and its input rows: what a single word stands for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.memory import load_word
from llama_data.pipeline.kernels.swar import first_below, first_place
from llama_data.stages.fasttext.file import FastTextFile


class Words(NamedTuple):
    """The dictionary and the input rows, as kernels take them."""

    entries: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    slots: NDArray[np.int32]
    words: int
    minn: int
    maxn: int
    bucket: int
    pruned: NDArray[np.int32]
    present: NDArray[np.uint8]
    rows: NDArray[np.float32]


# FNV-1a's beginning and factor, of 32 bits.
_FNV_OFFSET = np.uint32(2166136261)
_FNV_PRIME = np.uint32(16777619)
_USUAL_BUCKETS = 2_000_000
_CONTROLS = 33
_BEGIN, _END = ord("<"), ord(">")


@njit(cache=True, nogil=True)
def _is_inner(byte):  # type: ignore[no-untyped-def]
    """True for a byte that continues a character."""
    return (byte & 0xC0) == 0x80


@njit(cache=True, nogil=True, inline="always")
def _mix(h, byte):  # type: ignore[no-untyped-def]
    """One step of fastText's FNV-1a hash, which takes bytes as signed."""
    signed = np.uint32(byte) if byte < 0x80 else np.uint32(np.uint32(byte) | np.uint32(0xFFFFFF00))
    return np.uint32(np.uint32(h ^ signed) * _FNV_PRIME)


@njit(cache=True, nogil=True)
def fill_slots(entries, offsets, slots):  # type: ignore[no-untyped-def]
    """Enter every dictionary string into an open-addressing table of its ids."""
    mask = slots.size - 1
    for id in range(offsets.size - 1):
        h = _FNV_OFFSET
        for k in range(offsets[id], offsets[id + 1]):
            h = _mix(h, entries[k])
        at = np.int64(h) & mask
        while slots[at] >= 0:
            at = (at + 1) & mask
        slots[at] = id


@njit(cache=True, nogil=True, inline="always")
def is_space(byte):  # type: ignore[no-untyped-def]
    """True for a byte at which fastText's readWord stops."""
    return byte == 32 or (byte >= 9 and byte <= 13) or byte == 0


@njit(cache=True, nogil=True)
def word_end(data, at, stop):  # type: ignore[no-untyped-def]
    """Where the word at ``at`` ends. ``data`` has 8 bytes more than ``stop``."""
    while at < stop:
        word = load_word(data, at)
        low = first_below(word, _CONTROLS)
        if low == np.uint64(0):
            at += 8
            continue
        at += first_place(low)
        # Most control characters are part of a word: then on, from the byte behind.
        if at >= stop or is_space(data[at]):
            break
        at += 1
    return min(at, stop)


@njit(cache=True, nogil=True)
def word_hash(data, start, end):  # type: ignore[no-untyped-def]
    """fastText's hash of a word."""
    h = _FNV_OFFSET
    for k in range(start, end):
        h = _mix(h, data[k])
    return h


@njit(cache=True, nogil=True)
def word_id(model, data, start, end):  # type: ignore[no-untyped-def]
    """Dictionary id of ``data[start:end]``, or -1."""
    return hashed_word_id(model, data, start, end, word_hash(data, start, end))


@njit(cache=True, nogil=True)
def hashed_word_id(model, data, start, end, h):  # type: ignore[no-untyped-def]
    """``word_id``, given the word's hash."""
    mask = model.slots.size - 1
    at = np.int64(h) & mask
    while model.slots[at] >= 0:
        id = model.slots[at]
        first = model.offsets[id]
        if model.offsets[id + 1] - first == end - start:
            same = True
            for k in range(end - start):
                if model.entries[first + k] != data[start + k]:
                    same = False
                    break
            if same:
                return id
        at = (at + 1) & mask
    return np.int32(-1)


@njit(cache=True, nogil=True)
def _add_ngrams(model, data, start, end, word, total):  # type: ignore[no-untyped-def]
    """Add the rows of the character n-grams of ``<word>``; returns how many there are. ``word`` has room for it."""
    size = end - start + 2
    word[0] = _BEGIN
    for k in range(end - start):
        word[k + 1] = data[start + k]
    word[size - 1] = _END
    bucket = np.uint32(model.bucket)
    added = 0
    for i in range(size):
        if _is_inner(word[i]):
            continue
        h = _FNV_OFFSET
        j = i
        for n in range(1, model.maxn + 1):
            if j >= size:
                break
            h = _mix(h, word[j])
            j += 1
            while j < size and _is_inner(word[j]):
                h = _mix(h, word[j])
                j += 1
            # No n-gram of the begin or end mark alone.
            if n < model.minn or (n == 1 and (i == 0 or j == size)):
                continue
            # Nearly all models have fastText's default; a constant divisor becomes a multiplication.
            row = np.int64(h % np.uint32(_USUAL_BUCKETS)) if bucket == _USUAL_BUCKETS else np.int64(h % bucket)
            if model.pruned.size > 0:
                # A bit for each bucket first: most are pruned, and the bits stay in the cache.
                if not (model.present[row >> 3] >> (row & 7)) & 1:
                    continue
                row = np.int64(model.pruned[row])
            row += model.words
            for d in range(total.size):
                total[d] += model.rows[row, d]
            added += 1
    return added


@njit(cache=True, nogil=True)
def starts_with(data, start, end, text):  # type: ignore[no-untyped-def]
    """True when ``data[start:end]`` begins with ``text``."""
    if end - start < text.size:
        return False
    for k in range(text.size):  # noqa: SIM110 (a generator is nothing for a kernel)
        if data[start + k] != text[k]:
            return False
    return True


@njit(cache=True, nogil=True)
def word_rows(model, data, start, end, prefix, word, total):  # type: ignore[no-untyped-def]
    """Set ``total`` to the sum of the rows of a word; returns how many there are."""
    total[:] = 0
    id = word_id(model, data, start, end)
    if id >= model.words or (id < 0 and starts_with(data, start, end, prefix)):
        return 0
    added = 0
    if id >= 0:
        for d in range(total.size):
            total[d] = model.rows[id, d]
        added = 1
    if model.maxn > 0:
        added += _add_ngrams(model, data, start, end, word, total)
    return added


def words_of(file: FastTextFile) -> Words:
    """The dictionary of a model file, with its table of strings filled."""
    size = 16
    while size < 2 * file.offsets.size:
        size *= 2
    slots = np.full(size, -1, np.int32)
    fill_slots(file.entries, file.offsets, slots)
    pruned = np.empty(0, np.int32) if file.pruned is None else file.pruned
    return Words(
        file.entries,
        file.offsets,
        slots,
        file.words,
        file.minn,
        file.maxn,
        max(file.bucket, 1),
        pruned,
        np.packbits(pruned >= 0, bitorder="little"),
        file.rows,
    )
