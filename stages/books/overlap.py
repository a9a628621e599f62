"""Which books repeat others: shingle sets on disk, candidates from sketches, an exact count, and who stays.

A candidate pair is found when the smallest ``SKETCH`` hashes of the smaller book, a uniform sample of its shingles,
are looked up in the whole of the larger one: a share of the sample estimates the share of the book, so books of any
sizes are compared and an excerpt finds its omnibus. What the sample suggests is then counted exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import sqrt
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from llama_data.pipeline.core.files import atomic_write, join, list_files, open_binary, read_bytes
from llama_data.pipeline.kernels.minhash import Hashes, bottom, common

Measure = Literal["containment", "jaccard"]

SKETCH = 64
_DEVIATIONS = 8  # a pair at the threshold is missed with a probability of about 1e-15
_ITEM = 8
_INDEX = ".index.json"
_SETS = ".shingles"
_SKETCHES = ".sketches"
_PAIRS = ".pairs.json"


class Book(NamedTuple):
    """A book's place in the files of the first job, and what decides which of two is kept."""

    id: str
    size: int  # distinct shingles
    chars: int
    gutenberg: bool
    digest: str
    task: str  # path of the task's files, without suffix
    offset: int  # first shingle in the task's file

    def preference(self) -> tuple[int, int, bool, str]:
        """Books sort by this, the one to keep first: more shingles, more characters, Gutenberg's, the lower id."""
        return (-self.size, -self.chars, not self.gutenberg, self.id)


class Pair(NamedTuple):
    """A book that repeats a preferred one by more than the threshold."""

    book: str
    other: str
    overlap: float


class SetWriter:
    """Writes the shingle sets, sketches and index of one task. A context manager."""

    def __init__(self, folder: str, rank: int) -> None:
        self._base = join(folder, f"{rank:05d}")
        self._rows: list[list[Any]] = []
        self._sketches: list[Hashes] = []
        self._written = 0

    def __enter__(self) -> Self:
        self._file = atomic_write(self._base + _SETS)
        self._stream = self._file.__enter__()
        return self

    def add(self, id: str, shingles: Hashes, *, chars: int, gutenberg: bool) -> None:
        """Add a book; ``shingles`` is its sorted set."""
        data = np.ascontiguousarray(shingles, dtype="<u8").tobytes()
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        self._rows.append([id, len(shingles), chars, gutenberg, digest, self._written])
        self._sketches.append(bottom(shingles, SKETCH))
        self._stream.write(data)
        self._written += len(shingles)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, trace)
        if error is None:
            with atomic_write(self._base + _SKETCHES) as stream:
                for sketch in self._sketches:
                    stream.write(sketch.astype("<u8").tobytes())
            with atomic_write(self._base + _INDEX) as stream:
                stream.write(orjson.dumps(self._rows))


def read_index(folder: str) -> list[Book]:
    """Every book of all tasks, in the order of tasks and inputs."""
    books = []
    for path in list_files(folder, _INDEX):
        task = path.removesuffix(_INDEX)
        for id, size, chars, gutenberg, digest, offset in orjson.loads(read_bytes(path)):
            books.append(Book(id, size, chars, gutenberg, digest, task, offset))
    return books


def distinct(books: Iterable[Book]) -> list[Book]:
    """Of the books with the same shingles the preferred one, sorted by preference."""
    best: dict[tuple[int, str], Book] = {}
    for book in sorted(books, key=Book.preference):
        best.setdefault((book.size, book.digest), book)
    return list(best.values())


def read_set(book: Book) -> Hashes:
    """A book's sorted set of shingles."""
    with open_binary(book.task + _SETS) as stream:
        stream.seek(book.offset * _ITEM)
        return np.frombuffer(stream.read(book.size * _ITEM), "<u8").astype(np.uint64, copy=False)


class Candidates:
    """The sketches of all books in one table, asked which smaller books a book may hold."""

    def __init__(self, books: Sequence[Book], threshold: float, sketches: Mapping[str, Hashes]) -> None:
        self.books = books
        self._rank = np.arange(len(books))
        lengths = np.array([len(sketches[book.id]) for book in books], np.int64)
        self._needed = np.array([_needed(int(length), threshold) for length in lengths], np.int64)
        hashes = np.concatenate([sketches[book.id] for book in books]) if books else np.empty(0, np.uint64)
        owners = np.repeat(np.arange(len(books), dtype=np.int32), lengths)
        order = np.argsort(hashes, kind="stable")
        self._owners = owners[order]
        self._hashes, starts = np.unique(hashes[order], return_index=True)
        self._starts: NDArray[np.int64] = np.append(starts, len(hashes)).astype(np.int64)

    def of(self, number: int, shingles: Hashes) -> Iterator[int]:
        """Numbers of the books after ``number`` of which the set may hold more than the threshold's share."""
        places = np.searchsorted(self._hashes, shingles)
        places[places == len(self._hashes)] = 0
        hits = places[self._hashes[places] == shingles] if len(self._hashes) else places[:0]
        if len(hits) == 0:
            return
        starts, lengths = self._starts[hits], self._starts[hits + 1] - self._starts[hits]
        before = np.cumsum(lengths) - lengths
        entries = np.repeat(starts - before, lengths) + np.arange(lengths.sum())
        counts = np.bincount(self._owners[entries], minlength=len(self.books))
        enough = (counts >= self._needed) & (self._rank > number)
        yield from np.flatnonzero(enough).tolist()


def _needed(length: int, threshold: float) -> int:
    """How many hashes of a sketch must be found for the book to be compared."""
    slack = _DEVIATIONS * sqrt(threshold * (1 - threshold) / length) if length else 0.0
    return max(1, int(length * (threshold - slack)))


def read_sketches(folder: str) -> dict[str, Hashes]:
    """The sketch of every book by its id."""
    found: dict[str, Hashes] = {}
    for path in list_files(folder, _INDEX):
        data = np.frombuffer(read_bytes(path.removesuffix(_INDEX) + _SKETCHES), "<u8").astype(np.uint64, copy=False)
        position = 0
        for id, size, *_ in orjson.loads(read_bytes(path)):
            length = min(size, SKETCH)
            found[id] = data[position : position + length]
            position += length
    return found


def find_pairs(folder: str, rank: int, threshold: float, measure: Measure) -> list[Pair]:
    """The pairs over the threshold whose preferred book stands in task ``rank``'s file, counted exactly."""
    books = distinct(read_index(folder))
    candidates = Candidates(books, threshold, read_sketches(folder))
    mine = join(folder, f"{rank:05d}").rsplit("/", 1)[-1]
    pairs = []
    for number, book in enumerate(books):
        if book.task.rsplit("/", 1)[-1] != mine:
            continue
        shingles = read_set(book)
        for other in candidates.of(number, shingles):
            smaller = books[other]
            overlap = _overlap(common(read_set(smaller), shingles), smaller.size, book.size, measure)
            if overlap > threshold:
                pairs.append(Pair(smaller.id, book.id, overlap))
    return pairs


def _overlap(shared: int, smaller: int, larger: int, measure: Measure) -> float:
    whole = smaller if measure == "containment" else smaller + larger - shared
    return shared / whole if whole else 0.0


def write_pairs(folder: str, rank: int, pairs: Sequence[Pair]) -> None:
    """Leave a task's pairs for the last job."""
    with atomic_write(join(folder, f"{rank:05d}{_PAIRS}")) as stream:
        stream.write(orjson.dumps([list(pair) for pair in pairs]))


def read_pairs(folder: str) -> list[Pair]:
    """The pairs of all tasks."""
    return [Pair(*row) for path in list_files(folder, _PAIRS) for row in orjson.loads(read_bytes(path))]


def duplicates(books: Sequence[Book], pairs: Iterable[Pair]) -> dict[str, Pair]:
    """For every book that is to be dropped, the kept book it repeats.

    In the order of preference a book is kept unless a book that is already kept holds more than the threshold of
    it. So each dropped book is represented by a kept one, and no two kept books overlap by more.
    """
    partners: dict[str, list[Pair]] = {}
    for pair in pairs:
        partners.setdefault(pair.book, []).append(pair)
    ranked = distinct(books)
    place = {book.id: number for number, book in enumerate(ranked)}
    dropped: dict[str, Pair] = {}
    for book in ranked:
        kept = [pair for pair in partners.get(book.id, ()) if pair.other not in dropped]
        if kept:
            dropped[book.id] = min(kept, key=lambda pair: (-pair.overlap, place[pair.other]))
    first = {(book.size, book.digest): book.id for book in ranked}
    for book in books:
        same = first[book.size, book.digest]
        if same != book.id:
            dropped[book.id] = dropped[same]._replace(book=book.id) if same in dropped else Pair(book.id, same, 1.0)
    return dropped
