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

from llama_data.pipeline.core.chunk_table import (
    INLINE_NUMBERS,
    VALUE,
    ChunkTable,
    address,
    find_at,
    hash_at,
    insert,
)
from llama_data.stages.shared.fasttext_file import (
    HIERARCHICAL,
    SOFTMAX,
    FastTextFile,
    read_model,
)

LABEL_PREFIX = b"__label__"
CACHE_BYTES = 256 << 20


class Prediction(NamedTuple):
    """The best label (without ``__label__``; None for a text that no row of the model stands for) and its score."""

    label: str | None
    score: float


class _Words(NamedTuple):
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


@njit(cache=True, nogil=True, inline="always")
def _mix(h, byte):  # type: ignore[no-untyped-def]
    """One step of fastText's FNV-1a hash, which takes bytes as signed."""
    signed = np.uint32(byte) if byte < 0x80 else np.uint32(np.uint32(byte) | np.uint32(0xFFFFFF00))
    return np.uint32(np.uint32(h ^ signed) * np.uint32(16777619))


@njit(cache=True, nogil=True)
def _fill_slots(entries, offsets, slots):  # type: ignore[no-untyped-def]
    """Enter every dictionary string into an open-addressing table of its ids."""
    mask = slots.size - 1
    for id in range(offsets.size - 1):
        h = np.uint32(2166136261)
        for k in range(offsets[id], offsets[id + 1]):
            h = _mix(h, entries[k])
        at = np.int64(h) & mask
        while slots[at] >= 0:
            at = (at + 1) & mask
        slots[at] = id


@njit(cache=True, nogil=True)
def _word_id(model, data, start, end):  # type: ignore[no-untyped-def]
    """Dictionary id of ``data[start:end]``, or -1."""
    h = np.uint32(2166136261)
    for k in range(start, end):
        h = _mix(h, data[k])
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
    word[0] = 60
    for k in range(end - start):
        word[k + 1] = data[start + k]
    word[size - 1] = 62
    bucket = np.uint32(model.bucket)
    added = 0
    for i in range(size):
        if (word[i] & 0xC0) == 0x80:
            continue
        h = np.uint32(2166136261)
        j = i
        for n in range(1, model.maxn + 1):
            if j >= size:
                break
            h = _mix(h, word[j])
            j += 1
            while j < size and (word[j] & 0xC0) == 0x80:
                h = _mix(h, word[j])
                j += 1
            if n < model.minn or (n == 1 and (i == 0 or j == size)):
                continue
            # Nearly all models have fastText's default; a constant divisor becomes a multiplication.
            row = np.int64(h % np.uint32(2000000)) if bucket == 2000000 else np.int64(h % bucket)
            if model.pruned.size > 0:
                if not (model.present[row >> 3] >> (row & 7)) & 1:
                    continue
                row = np.int64(model.pruned[row])
            row += model.words
            for d in range(total.size):
                total[d] += model.rows[row, d]
            added += 1
    return added


@njit(cache=True, nogil=True)
def _is(data, start, end, text):  # type: ignore[no-untyped-def]
    if end - start < text.size:
        return False
    for k in range(text.size):  # noqa: SIM110 (a generator is nothing for a kernel)
        if data[start + k] != text[k]:
            return False
    return True


@njit(cache=True, nogil=True)
def _word_rows(model, data, start, end, prefix, word, total):  # type: ignore[no-untyped-def]
    """Set ``total`` to the sum of the rows of a word; returns how many there are."""
    total[:] = 0
    id = _word_id(model, data, start, end)
    if id >= model.words or (id < 0 and _is(data, start, end, prefix)):
        return 0
    added = 0
    if id >= 0:
        for d in range(total.size):
            total[d] = model.rows[id, d]
        added = 1
    if model.maxn > 0:
        added += _add_ngrams(model, data, start, end, word, total)
    return added


@njit(cache=True, nogil=True, inline="always")
def _is_space(byte):  # type: ignore[no-untyped-def]
    return byte == 32 or (byte >= 9 and byte <= 13) or byte == 0


@njit(cache=True, nogil=True)
def _hidden(model, table, data, starts, ends, done, crowded, prefix, mark, hidden, counts):  # type: ignore[no-untyped-def]
    """Fill the mean vectors of texts from ``done`` on. Returns the first text not done: the table is full there.

    In the text ``crowded`` a full table is no reason to stop: it may hold more words than the table can.
    """
    dim = hidden.shape[1]
    total = np.empty(dim, np.float32)
    sums = np.empty(dim, np.float32)
    word = np.empty(256, np.uint8)
    packed = np.zeros(max(dim + 1, INLINE_NUMBERS + 1), np.int32)  # so many: the table keeps them in ``values``
    floats = packed[1:].view(np.float32)
    cached = model.maxn > 0
    text_at, slots, keys = address(data), address(table.slots), address(table.keys)
    mask = np.uint64(table.slots.shape[0] - 1)
    stored = table.values.view(np.float32)
    mark_id = _word_id(model, mark, 0, mark.size)
    for text in range(done, starts.size):
        for d in range(dim):
            sums[d] = 0
        count = 0
        at = starts[text]
        stop = ends[text]
        while at < stop:
            if _is_space(data[at]):
                at += 1
                continue
            end = at + 1
            while end < stop and not _is_space(data[end]):
                end += 1
            if end - at == mark.size and _is(data, at, end, mark):
                break
            if not cached:
                id = _word_id(model, data, at, end)
                if id >= 0 and id < model.words:
                    for d in range(dim):
                        sums[d] += model.rows[id, d]
                    count += 1
                at = end
                continue
            key = hash_at(text_at + at, end - at)
            slot = find_at(slots, mask, keys, text_at + at, end - at, key)
            if slot >= 0:
                offset = np.int64(table.slots[slot, VALUE])
                for d in range(dim):
                    sums[d] += stored[offset + 1 + d]
                count += table.values[offset]
            else:
                if end - at + 2 > word.size:
                    word = np.empty(2 * (end - at + 2), np.uint8)
                packed[0] = _word_rows(model, data, at, end, prefix, word, total)
                for d in range(dim):
                    floats[d] = total[d]
                    sums[d] += total[d]
                count += packed[0]
                if not insert(table, data, at, end, key, packed, packed.size) and text != crowded:
                    return text
            at = end
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


@njit(cache=True, nogil=True, inline="always")
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for d in range(a.size):
        total += a[d] * b[d]
    return total


@njit(cache=True, nogil=True)
def _log(x):  # type: ignore[no-untyped-def]
    """fastText's logarithm, which is finite at zero."""
    return np.float32(np.log(x + 1e-5))


@njit(cache=True, nogil=True)
def _best_leaf(output, left, right, hidden, counts, labels, scores):  # type: ignore[no-untyped-def]
    """The likeliest leaf of the Huffman tree for every hidden vector; its log probability."""
    leaves = output.shape[0]
    nodes = np.empty(4 * leaves, np.int64)
    values = np.empty(4 * leaves, np.float32)
    floor = _log(0.0)
    for text in range(hidden.shape[0]):
        labels[text] = -1
        if counts[text] == 0:
            continue
        best = np.float32(-np.inf)
        nodes[0] = 2 * leaves - 2
        values[0] = 0
        depth = 1
        while depth > 0:
            depth -= 1
            node, score = nodes[depth], values[depth]
            if score < floor or score < best:
                continue
            if node < leaves:
                best = score
                labels[text] = node
                continue
            f = np.float32(1.0 / (1.0 + np.exp(-_dot(hidden[text], output[node - leaves]))))
            nodes[depth] = right[node]
            values[depth] = score + _log(np.float64(f))
            nodes[depth + 1] = left[node]
            values[depth + 1] = score + _log(1.0 - np.float64(f))
            depth += 2
        scores[text] = np.exp(best)


@njit(cache=True, nogil=True)
def _table_sigmoid(x):  # type: ignore[no-untyped-def]
    """fastText's logistic function of flat outputs: a table of 512 steps between -8 and 8."""
    if x < -8:
        return np.float32(0)
    if x > 8:
        return np.float32(1)
    step = np.int64((x + np.float32(8)) * np.float32(512) / np.float32(8) / np.float32(2))
    return np.float32(1.0 / (1.0 + np.exp(-np.float32(step * 16.0 / 512.0 - 8.0))))


@njit(cache=True, nogil=True)
def _best_output(output, softmax, hidden, counts, labels, scores):  # type: ignore[no-untyped-def]
    """The best label of a flat output layer: softmax, or a logistic unit for every label."""
    values = np.empty(output.shape[0], np.float32)
    for text in range(hidden.shape[0]):
        labels[text] = -1
        if counts[text] == 0:
            continue
        for label in range(values.size):
            values[label] = _dot(hidden[text], output[label])
        if softmax:
            top = values.max()
            total = np.float32(0)
            for label in range(values.size):
                values[label] = np.exp(values[label] - top)
                total += values[label]
            for label in range(values.size):
                values[label] /= total
        else:
            for label in range(values.size):
                values[label] = _table_sigmoid(values[label])
        best = 0
        for label in range(values.size):
            if values[label] >= values[best]:  # of equals fastText names the last
                best = label
        labels[text] = best
        scores[text] = np.exp(_log(np.float64(values[best])))


def huffman(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Left and right children of fastText's tree over labels that are sorted by falling count."""
    leaves = counts.size
    weights = np.concatenate([counts, np.full(max(leaves - 1, 0), 10**15, np.int64)])
    children = np.full((2, weights.size), -1, np.int64)
    leaf, node = leaves - 1, leaves
    for parent in range(leaves, weights.size):
        for side in (0, 1):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children[side, parent] = leaf
                leaf -= 1
            else:
                children[side, parent] = node
                node += 1
        weights[parent] = weights[children[0, parent]] + weights[children[1, parent]]
    return children[0], children[1]


class FastTextModel:
    """A supervised fastText model of wordNgrams 1 with any loss. Not thread-safe: it owns a table of words."""

    def __init__(self, file: FastTextFile, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.file = file
        self.labels = tuple(label.removeprefix(LABEL_PREFIX.decode()) for label in file.labels)
        size = 16
        while size < 2 * file.offsets.size:
            size *= 2
        slots = np.full(size, -1, np.int32)
        _fill_slots(file.entries, file.offsets, slots)
        pruned = np.empty(0, np.int32) if file.pruned is None else file.pruned
        self._words = _Words(
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
        self.table = ChunkTable(max_bytes=cache_bytes, numbers=10)  # 17 for each of 0.6 words a slot
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
        sizes = np.array([len(text) for text in texts], np.int64)
        ends = np.cumsum(sizes)
        data = np.frombuffer(b"".join(texts) + bytes(8), np.uint8)
        starts = ends - sizes
        hidden = np.empty((len(texts), self.file.dim), np.float32)
        counts = np.zeros(len(texts), np.int64)
        prefix = np.frombuffer(LABEL_PREFIX, np.uint8)
        mark = np.frombuffer(b"</s>", np.uint8)
        done, crowded = 0, -1
        while True:
            table = self.table.arrays
            done = _hidden(self._words, table, data, starts, ends, done, crowded, prefix, mark, hidden, counts)
            if done == len(texts):
                break
            evictions = self.table.evictions
            self.table.make_room()
            if self.table.evictions > evictions:
                crowded = done
        labels = np.empty(len(texts), np.int64)
        scores = np.zeros(len(texts), np.float32)
        if self.file.loss == HIERARCHICAL:
            _best_leaf(self.file.output, self._left, self._right, hidden, counts, labels, scores)
        else:
            _best_output(self.file.output, self.file.loss == SOFTMAX, hidden, counts, labels, scores)
        return [
            Prediction(self.labels[label] if label >= 0 else None, score)
            for label, score in zip(labels.tolist(), scores.tolist(), strict=True)
        ]


@lru_cache(maxsize=4)
def _shared(path: str, _changed: int) -> FastTextModel:
    return FastTextModel.load(path)
