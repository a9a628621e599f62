"""Evaluates fastText's supervised models, paying once for each distinct word.

A text's hidden vector is the mean over the rows of its words and their character n-grams. The sum for a word is the
same wherever it stands, so it is kept in a table with its number of rows; the rest is a small output layer. Same labels
as fastText's own ``predict``, scores equal to 1e-5 (sums are taken in another order).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.kernels.memory import address, padded, prefetch
from llama_data.pipeline.kernels.word_table import (
    INLINE_NUMBERS,
    WordTable,
    find,
    find_at,
    hash_at,
    insert,
    prefetch_slot_at,
    slot_mask,
    values_place_at,
)
from llama_data.stages.fasttext.file import HIERARCHICAL, SOFTMAX, FastTextFile, read_model
from llama_data.stages.fasttext.ngrams import add_words
from llama_data.stages.fasttext.output import best_leaf, best_output, huffman, leaf_path, leaf_scores, output_scores
from llama_data.stages.fasttext.words import is_space, starts_with, word_end, word_id, word_rows, words_of

LABEL_PREFIX = b"__label__"
LINE_END = b"</s>"
"""fastText's word for a line's end; in a text it ends the text."""
CACHE_BYTES = 256 << 20
_BLOCK = 64
"""Words that are on the way from memory at the same time."""
_USUAL_DIM = 16
_NEW = -1
_FULL = -1
"""Said instead of a number of rows: the table is full."""


class Prediction(NamedTuple):
    """The best label (without ``__label__``; None for a text that no row of the model stands for) and its score."""

    label: str | None
    score: float


@njit(cache=True, nogil=True)
def _add(stored, counts, places, n, sums):  # type: ignore[no-untyped-def]
    """Add the stored sums at the first ``n`` places; returns how many rows they are of."""
    count = 0
    if sums.size == _USUAL_DIM:  # the language model's: a constant bound makes vector instructions of it
        for k in range(n):
            place = places[k]
            count += counts[place]
            for d in range(_USUAL_DIM):
                sums[d] += stored[place + 1 + d]
        return count
    for k in range(n):
        place = places[k]
        count += counts[place]
        for d in range(sums.size):
            sums[d] += stored[place + 1 + d]
    return count


@njit(cache=True, nogil=True)
def _learn(model, table, data, starts, ends, keys, places, n, prefix, full, sums):  # type: ignore[no-untyped-def]
    """``_add`` for words of which some are _NEW: their sums are taken and kept. _FULL when the table is full.

    Sums are added in the order of the words, so that a score does not depend on what the table held. ``full``: a full
    table is no reason to stop.
    """
    dim = sums.size
    stored = table.values.view(np.float32)
    total = np.empty(dim, np.float32)
    packed = np.zeros(max(dim + 1, INLINE_NUMBERS + 1), np.int32)  # so many: the table keeps them in ``values``
    floats = packed[1:].view(np.float32)
    word = np.empty(256, np.uint8)
    count = 0
    for k in range(n):
        place = places[k]
        if place >= 0:
            count += table.values[place]
            for d in range(dim):
                sums[d] += stored[place + 1 + d]
            continue
        start, end = starts[k], ends[k]
        if end - start + 2 > word.size:
            word = np.empty(2 * (end - start + 2), np.uint8)
        packed[0] = word_rows(model, data, start, end, prefix, word, total)
        for d in range(dim):
            floats[d] = total[d]
            sums[d] += total[d]
        count += packed[0]
        # A word that stands there twice is new the first time only.
        new = find(table, data, start, end, keys[k]) < 0
        if new and not insert(table, data, start, end, keys[k], packed, packed.size) and not full:
            return _FULL
    return count


@njit(cache=True, nogil=True)
def _all_words(model, table, data, at, stop, prefix, mark, full, work, sums):  # type: ignore[no-untyped-def]
    """Add the rows of the words in ``data[at:stop]``; returns how many there are, or _FULL.

    Words are looked up by dozens, so that their places in memory are on the way before they are needed; ``work`` is
    room for as many. ``full``: a full table is no reason to stop.
    """
    text_at, slots, stored_keys = address(data), address(table.slots), address(table.keys)
    mask = slot_mask(table)
    stored = table.values.view(np.float32)
    starts, ends, places, keys = work[0], work[1], work[2], work[3].view(np.uint64)
    count = 0
    while at < stop:
        n = 0
        while n < starts.size and at < stop:
            if is_space(data[at]):
                at += 1
                continue
            end = word_end(data, at, stop)
            if end - at == mark.size and starts_with(data, at, end, mark):
                at = stop
                break
            key = hash_at(text_at + at, end - at)
            prefetch_slot_at(slots, mask, key)
            starts[n], ends[n], keys[n] = at, end, key
            n += 1
            at = end
        known = True
        for k in range(n):
            slot = find_at(slots, mask, stored_keys, text_at + starts[k], ends[k] - starts[k], keys[k])
            if slot < 0:
                places[k] = _NEW
                known = False
                continue
            places[k] = values_place_at(slots, slot)
            prefetch(stored, places[k])
            prefetch(stored, places[k] + 15)  # the next cache line, where the usual value ends
        if known:
            count += _add(stored, table.values, places, n, sums)
        else:
            added = _learn(model, table, data, starts, ends, keys, places, n, prefix, full, sums)
            if added == _FULL:
                return _FULL
            count += added
    return count


@njit(cache=True, nogil=True)
def _hidden(model, longest, table, data, starts, ends, done, crowded, prefix, mark, hidden, counts):  # type: ignore[no-untyped-def]
    """Fill the mean vectors of texts from ``done`` on. Returns the first text not done: the table is full there.

    ``longest``: the longest run of words that has a row. In the text ``crowded`` a full table is no reason to stop: it
    may hold more words than the table can.
    """
    dim = hidden.shape[1]
    sums = np.empty(dim, np.float32)
    work = np.empty((4, _BLOCK), np.int64)
    mark_id = word_id(model, mark, 0, mark.size)
    mark_is_label = mark_id >= model.words
    if mark_is_label:
        mark_id = -1  # a label of that name is no word
    for text in range(done, starts.size):
        for d in range(dim):
            sums[d] = 0
        if model.maxn > 0:
            count = _all_words(model, table, data, starts[text], ends[text], prefix, mark, text == crowded, work, sums)
            if count == _FULL:
                return text
            if longest > 1:
                count += add_words(
                    model, data, starts[text], ends[text], False, longest, prefix, mark, mark_is_label, sums
                )
        else:
            count = add_words(model, data, starts[text], ends[text], True, longest, prefix, mark, mark_is_label, sums)
        # fastText ends every text with a line end, which is a word of its own when the model knows it.
        if mark_id >= 0:
            for d in range(dim):
                sums[d] += model.rows[mark_id, d]
            count += 1
        counts[text] = count
        if count > 0:
            scale = np.float32(1.0 / count)
            for d in range(dim):
                hidden[text, d] = sums[d] * scale
    return starts.size


class FastTextModel:
    """A supervised fastText model with any loss. Not thread-safe: it owns a table of words."""

    def __init__(self, file: FastTextFile, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.file = file
        self.labels = tuple(label.removeprefix(LABEL_PREFIX.decode()) for label in file.labels)
        self._words = words_of(file)
        self.table = WordTable(max_bytes=cache_bytes, numbers=10)  # 17 for each of 0.6 words a slot
        if file.loss == HIERARCHICAL:
            self._left, self._right = huffman(file.counts)

    @classmethod
    def load(cls, path: str) -> FastTextModel:
        """Read a model file. Raises ModelError when it is not one that can be evaluated."""
        return cls(read_model(path))

    @classmethod
    def shared(cls, path: str) -> FastTextModel:
        """The model of this process, so that its table of words serves one task after the other."""
        return _shared(path, os.stat(path).st_mtime_ns) if os.path.exists(path) else cls.load(path)

    def predict(self, texts: Sequence[bytes]) -> list[Prediction]:
        """The best label of each text of one line, given as UTF-8 without line ends."""
        hidden, counts = self._hidden_layer(texts)
        labels = np.empty(len(texts), np.int64)
        scores = np.zeros(len(texts), np.float32)
        if self.file.loss == HIERARCHICAL:
            best_leaf(self.file.output, self._left, self._right, hidden, counts, labels, scores)
        else:
            best_output(self.file.output, self.file.loss == SOFTMAX, hidden, counts, labels, scores)
        return [
            Prediction(self.labels[label] if label >= 0 else None, score)
            for label, score in zip(labels.tolist(), scores.tolist(), strict=True)
        ]

    def scores(self, texts: Sequence[bytes], label: str) -> NDArray[np.float32]:
        """What fastText's ``predict`` of all labels says of one (its probability + 0.00001); 0 where it says nothing.

        Texts as in ``predict``. Raises ModelError: the model has no such label.
        """
        if label not in self.labels:
            raise ModelError(f"the model has no label {label!r}; it has: {', '.join(self.labels[:20])}")
        hidden, counts = self._hidden_layer(texts)
        scores = np.zeros(len(texts), np.float32)
        wanted = self.labels.index(label)
        if self.file.loss == HIERARCHICAL:
            nodes, signs = leaf_path(self._left, self._right, wanted)
            leaf_scores(self.file.output, nodes, signs, hidden, counts, scores)
        else:
            output_scores(self.file.output, self.file.loss == SOFTMAX, wanted, hidden, counts, scores)
        return scores

    def _hidden_layer(self, texts: Sequence[bytes]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The mean vectors of texts, and of how many rows each is."""
        sizes = np.array([len(text) for text in texts], np.int64)
        ends = np.cumsum(sizes)
        data = padded(b"".join(texts))
        starts = ends - sizes
        hidden = np.empty((len(texts), self.file.dim), np.float32)
        counts = np.zeros(len(texts), np.int64)
        prefix = np.frombuffer(LABEL_PREFIX, np.uint8)
        mark = np.frombuffer(LINE_END, np.uint8)
        longest = max(self.file.word_ngrams, 1)
        done, crowded = 0, -1
        while True:
            table = self.table.arrays
            done = _hidden(self._words, longest, table, data, starts, ends, done, crowded, prefix, mark, hidden, counts)
            if done == len(texts):
                break
            evictions = self.table.evictions
            self.table.make_room()
            # Room was made by forgetting, and the text fills the table again: it is too large for it by itself.
            if self.table.evictions > evictions:
                crowded = done
        return hidden, counts


@lru_cache(maxsize=4)
def _shared(path: str, _changed: int) -> FastTextModel:
    return FastTextModel.load(path)
