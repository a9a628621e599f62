"""Sums over a text's words and word n-grams, for models in which a word's own row is all that it has by itself.

A run of words has the row of its hash, among the buckets. Rows are far apart in memory: dozens of them are asked for
before the first is added.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from llama_data.pipeline.kernels.memory import prefetch
from llama_data.stages.fasttext.words import hashed_word_id, is_space, starts_with, word_end, word_hash

# fastText's factor between the hashes of neighbours (Dictionary::addWordNgrams).
_FACTOR = np.uint64(116049371)
_BLOCK = 32
"""Rows that are on the way from memory at the same time."""
_CACHE_LINE = 16
"""Numbers in a line of the cache."""


@njit(cache=True, nogil=True)
def _flush(flat, places, n, sums):  # type: ignore[no-untyped-def]
    """Add the rows at the first ``n`` places, in their order."""
    for k in range(n):
        # A slice, so that no index can be negative, which keeps the additions from becoming vector instructions.
        row = flat[places[k] : places[k] + sums.size]
        for d in range(sums.size):
            sums[d] += row[d]


@njit(cache=True, nogil=True)
def _signed(h):  # type: ignore[no-untyped-def]
    """A hash of 32 bits as fastText keeps it, a signed number, in 64 bits."""
    return np.uint64(np.int64(np.int32(h)))


@njit(cache=True, nogil=True)
def _bucket_row(model, h):  # type: ignore[no-untyped-def]
    """The row of an n-gram's hash, or -1: it was pruned."""
    row = np.int64(h % np.uint64(model.bucket))
    if model.pruned.size > 0:
        row = np.int64(model.pruned[row])
    return model.words + row if row >= 0 else -1


@njit(cache=True, nogil=True)
def add_words(model, data, at, stop, alone, longest, prefix, mark, mark_is_label, sums):  # type: ignore[no-untyped-def]
    """Add the rows of the dictionary's words in ``data[at:stop]`` (``alone``) and of runs of 2 to ``longest`` words.

    Returns how many there are. A text's end is a word of a run as any other (``</s>``, unless that is a label).
    """
    flat = model.rows.reshape(model.rows.size)
    dim = sums.size
    places = np.empty(_BLOCK, np.int64)
    # Hashes of the runs that end with the last word, by how many words they have.
    runs = np.zeros(longest + 1, np.uint64)
    words, n, count = 0, 0, 0
    ended = False
    while not ended:
        while at < stop and is_space(data[at]):
            at += 1
        end = word_end(data, at, stop)
        ended = at >= stop or (end - at == mark.size and starts_with(data, at, end, mark))
        if ended:
            if longest < 2 or mark_is_label:
                break
            h = word_hash(mark, 0, mark.size)
        else:
            h = word_hash(data, at, end)
            id = hashed_word_id(model, data, at, end, h)
            if id >= model.words or (id < 0 and longest > 1 and starts_with(data, at, end, prefix)):
                at = end
                continue
            if alone and id >= 0:
                places[n] = np.int64(id) * dim
                prefetch_row(flat, places[n], dim)
                n += 1
                count += 1
        at = end
        signed = _signed(h)
        for size in range(min(longest, words + 1), 1, -1):
            runs[size] = runs[size - 1] * _FACTOR + signed
            row = _bucket_row(model, runs[size])
            if row >= 0:
                if n == _BLOCK:
                    _flush(flat, places, n, sums)
                    n = 0
                places[n] = row * dim
                prefetch_row(flat, places[n], dim)
                n += 1
                count += 1
        runs[1] = signed
        words += 1
        if n >= _BLOCK - 1:
            _flush(flat, places, n, sums)
            n = 0
    _flush(flat, places, n, sums)
    return count


@njit(cache=True, nogil=True)
def prefetch_row(flat, place, dim):  # type: ignore[no-untyped-def]
    """Ask for a row that begins at ``place``."""
    for d in range(0, dim, _CACHE_LINE):
        prefetch(flat, place + d)
