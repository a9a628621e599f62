"""Reads fastText's model files (.bin and the quantised .ftz) into arrays."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.core.cache import map_file
from llama_data.pipeline.core.errors import InputError, ModelError

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

MAGIC = 793712314
HIERARCHICAL, NEGATIVE, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
_SUPERVISED = 3
_CENTROIDS = 256
# Bytes behind an entry's text: the end of the text, a count of eight bytes, a type.
_TAIL = 10
_WORD, _LABEL = 0, 1
# Beyond what anybody trains: fastText's own defaults are 2,000,000 and 6.
_MAX_BUCKETS = 100_000_000
_MAX_NGRAM = 64
# Of a pruned model, where nothing in the file is as large as what is held for a bucket.
_MAX_PRUNED = 25_000_000
# Numbers that one code stands for (fastText's default is 2): each byte of codes becomes so many floats.
_MAX_WIDTH = 16
# Counts of labels must stay below the weight that fastText's tree gives a node that is not made yet.
_MAX_COUNT = 10**15


class FastTextFile(NamedTuple):
    """A supervised model: its settings, dictionary (words, then labels) and matrices.

    ``entries`` are all dictionary strings end to end, ``offsets`` where each begins. ``pruned`` maps a bucket to its
    row after the words' (-1: removed); None when nothing was pruned. ``word_ngrams``: the longest run of words that has
    a row, in the same buckets as the n-grams of characters.
    """

    dim: int
    loss: int
    bucket: int
    minn: int
    maxn: int
    words: int
    labels: tuple[str, ...]
    counts: NDArray[np.int64]
    entries: Bytes
    offsets: NDArray[np.int64]
    pruned: NDArray[np.int32] | None
    rows: Floats
    output: Floats
    word_ngrams: int = 1


class _Cursor:
    def __init__(self, data: Bytes, path: str) -> None:
        self.data = data
        self.path = path
        self.at = 0

    def take(self, size: int) -> Bytes:
        if size < 0 or self.at + size > self.data.size:
            raise ModelError(f"{self.path}: the fastText model ends too early, at byte {self.data.size}; get it again")
        self.at += size
        return self.data[self.at - size : self.at]

    def check(self, sound: bool, found: str) -> None:
        """Refuse the file unless it is sound; ``found``: what it says of itself."""
        if not sound:
            raise ModelError(f"{self.path}: the fastText model is damaged: it has {found}; get it again")

    def numbers(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)).tobytes())

    def array(self, kind: str, count: int) -> NDArray[Any]:
        return self.take(np.dtype(kind).itemsize * count).view(kind)


@njit(cache=True, nogil=True)
def _entry_ends(data, at, count, ends):  # type: ignore[no-untyped-def]
    """Find the dictionary's entries: text, NUL, eight bytes of count, one of type. Returns where they end, or -1."""
    for n in range(count):
        while at < data.size and data[at] != 0:
            at += 1
        ends[n] = at
        at += _TAIL
        if at > data.size:
            return -1
    return at


@njit(cache=True, nogil=True)
def _gather(data, starts, ends, out):  # type: ignore[no-untyped-def]
    at = 0
    for n in range(starts.size):
        for k in range(starts[n], ends[n]):
            out[at] = data[k]
            at += 1


def read_model(path: str) -> FastTextFile:
    """Read a supervised fastText model, and check all that kernels take on trust: every index, size and offset.

    Raises:
        ModelError: not a fastText model, a damaged one, or one of a kind that we do not evaluate.
    """
    try:
        data = map_file(path)
    except (OSError, ValueError, InputError):
        raise ModelError(f"{path}: no fastText model here; expected a .bin or .ftz file") from None
    try:
        return _read(_Cursor(data, path))
    except MemoryError:
        raise ModelError(f"{path}: the fastText model is damaged: no memory holds what it says it has") from None


def _read(cursor: _Cursor) -> FastTextFile:
    path = cursor.path
    magic, version = cursor.numbers("ii")
    if magic != MAGIC or version not in (11, 12):
        raise ModelError(f"{path}: not a fastText model of version 11 or 12")
    dim, _, _, _, _, ngrams, loss, kind, bucket, minn, maxn, _, _ = cursor.numbers("12id")
    if kind != _SUPERVISED:
        raise ModelError(f"{path}: expected a supervised fastText model (one that predicts labels)")
    if version == 11:
        maxn = 0
    cursor.check(dim > 0, f"vectors of {dim} numbers")
    cursor.check(HIERARCHICAL <= loss <= ONE_VS_ALL, f"a loss of number {loss}")
    cursor.check(0 <= bucket <= _MAX_BUCKETS, f"{bucket} buckets")
    cursor.check(0 <= maxn <= _MAX_NGRAM and minn >= 0, f"n-grams of {minn} to {maxn} characters")
    cursor.check(ngrams <= _MAX_NGRAM, f"n-grams of {ngrams} words")
    hashes = maxn > 0 or ngrams > 1
    words, labels, counts, entries, offsets, pruned = _dictionary(cursor, bucket)
    rows, output = _matrices(cursor)
    if rows.shape[1] != dim or output.shape != (len(labels), dim):
        raise ModelError(f"{path}: matrices of {rows.shape} and {output.shape} do not fit {len(labels)} labels")
    buckets = 0 if not hashes else max(bucket, 1) if pruned is None else int(pruned.max(initial=-1)) + 1
    cursor.check(rows.shape[0] >= words + buckets, f"{rows.shape[0]} rows for {words} words and {buckets} buckets")
    cursor.check(not hashes or pruned is None or pruned.size > 0, "pruned n-grams without a bucket")
    if loss == HIERARCHICAL:
        sound = bool((counts >= 0).all()) and sum(counts.tolist()) < _MAX_COUNT
        cursor.check(sound, "counts of labels that are no counts")
    return FastTextFile(
        dim, loss, bucket, minn, maxn, words, labels, counts, entries, offsets, pruned, rows, output, ngrams
    )


def _dictionary(
    cursor: _Cursor, bucket: int
) -> tuple[int, tuple[str, ...], NDArray[np.int64], Bytes, NDArray[np.int64], NDArray[np.int32] | None]:
    size, words, labels, _, pruned_size = cursor.numbers("iiiqq")
    cursor.check(words >= 0 and labels > 0 and words + labels == size, f"{words} words and {labels} labels of {size}")
    cursor.check(size * _TAIL <= cursor.data.size - cursor.at, f"a dictionary of {size} entries")
    ends = np.empty(size, np.int64)
    start = cursor.at
    cursor.at = int(_entry_ends(cursor.data, start, size, ends))
    cursor.check(cursor.at >= 0, "a dictionary that goes on behind the end")
    types = cursor.data[ends + _TAIL - 1]
    cursor.check(bool((types[:words] == _WORD).all() and (types[words:] == _LABEL).all()), "words among the labels")
    starts = np.concatenate([[start], ends[:-1] + _TAIL])
    offsets = np.zeros(size + 1, np.int64)
    np.cumsum(ends - starts, out=offsets[1:])
    # Eight bytes more than the entries: kernels read a word at a time.
    entries = np.zeros(int(offsets[-1]) + 8, np.uint8)
    _gather(cursor.data, starts, ends, entries)
    of_labels = list(zip(starts[words:].tolist(), ends[words:].tolist(), strict=True))
    names = tuple(cursor.data[start:end].tobytes().decode("utf-8", "replace") for start, end in of_labels)
    counts = np.array([cursor.data[end + 1 : end + 9].copy().view("<i8")[0] for _, end in of_labels], np.int64)
    pruned = None
    if pruned_size >= 0:
        cursor.check(bucket <= _MAX_PRUNED, f"{bucket} buckets, of which {pruned_size} are left")
        pairs = cursor.array("<i4", 2 * pruned_size).reshape(-1, 2)
        inside = (pairs >= 0).all() and (pairs[:, 0] < bucket).all() and (pairs[:, 1] < pruned_size).all()
        cursor.check(bool(inside), "pruned n-grams out of range")
        pruned = np.full(bucket, -1, np.int32)
        pruned[pairs[:, 0]] = pairs[:, 1]
    return words, names, counts, entries, offsets, pruned


def _matrices(cursor: _Cursor) -> tuple[Floats, Floats]:
    (quantised,) = cursor.numbers("?")
    rows = _quantised(cursor) if quantised else _dense(cursor)
    (quantised_output,) = cursor.numbers("?")
    return rows, _quantised(cursor) if quantised and quantised_output else _dense(cursor)


def _dense(cursor: _Cursor) -> Floats:
    rows, columns = cursor.numbers("qq")
    cursor.check(rows >= 0 and 0 < columns <= cursor.data.size, f"a matrix of {rows} rows and {columns} columns")
    values = cursor.take(4 * rows * columns)
    # The floats stand at any byte offset; a view of them would be unaligned, which kernels do not take. What numpy
    # allocates lies in huge pages, which is worth a sixth of the time of a model with word n-grams.
    floats = np.empty((rows, columns), "<f4")
    floats.reshape(-1).view(np.uint8)[:] = values
    return floats


def _quantised(cursor: _Cursor) -> Floats:
    """A product-quantised matrix as floats: each row's codes name centroids, scaled by the row's norm."""
    (norms,) = cursor.numbers("?")
    rows, columns, size = cursor.numbers("qqi")
    cursor.check(rows > 0 and columns > 0 and size > 0 and size % rows == 0, f"{size} codes for {rows} rows")
    codes = cursor.take(size).reshape(rows, -1)
    values = _decode(cursor, codes, columns)
    if norms:
        norm_codes = cursor.take(rows).reshape(rows, 1)
        values = values * _decode(cursor, norm_codes, 1)
    return np.ascontiguousarray(values, np.float32)


def _decode(cursor: _Cursor, codes: Bytes, columns: int) -> Floats:
    dim, parts, width, _ = cursor.numbers("iiii")
    fitting = (
        dim == columns
        and parts == codes.shape[1]
        and 0 < width <= _MAX_WIDTH
        and (parts - 1) * width < dim <= parts * width
    )
    cursor.check(fitting, f"{parts} codes of {width} for {dim} numbers")
    centroids = np.frombuffer(cursor.take(4 * dim * _CENTROIDS).tobytes(), "<f4")
    values = np.empty((codes.shape[0], dim), np.float32)
    for part in range(parts):
        start = part * width
        end = min(start + width, dim)
        table = centroids[start * _CENTROIDS : end * _CENTROIDS].reshape(_CENTROIDS, end - start)
        values[:, start:end] = table[codes[:, part]]
    return values
