"""Which books repeat others: shingle sets on disk, candidates, an exact count, and who stays.

For containment a candidate pair is found when the smallest ``SKETCH`` hashes of the smaller book, a uniform sample of
its shingles, are looked up in the whole of the larger one: a share of the sample estimates the share of the book, so
books of any sizes are compared and an excerpt finds its omnibus. For Jaccard the candidates are those whose MinHash
signatures have a band in common (signatures.py). Either way what is suggested is then counted exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import sqrt
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from llama_data.pipeline.core.cache import map_file
from llama_data.pipeline.core.files import atomic_write, join, list_files, open_binary, read_bytes
from llama_data.pipeline.kernels.minhash import Hashes, bottom, common, count_hits
from llama_data.stages.books.signatures import belongs, find_alike

Measure = Literal["containment", "jaccard"]

SKETCH = 64
"""Hashes of a book that others are asked for: fewer let more pairs through to the exact count, more cost memory."""

_DEVIATIONS = 8  # a pair at the threshold is missed with a probability of about 1e-15
_ITEM = 8
_INDEX = ".index.json"
_SETS = ".shingles"
_SKETCHES = ".sketches"
_PAIRS = ".pairs.json"
_DROPPED = ".dropped.json"


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
    """The sketches of all books in one sorted table, asked which less preferred books a book may hold.

    ``owners`` has for every one of the ``hashes`` the number of its book; ``books`` is how many there are. In memory:
    12 bytes a hash (28 while it is sorted), 9 bytes a book.
    """

    def __init__(self, hashes: Hashes, owners: NDArray[np.int32], books: int, threshold: float) -> None:
        lengths = np.bincount(owners, minlength=books)
        needed = np.array([_needed(length, threshold) for length in range(SKETCH + 1)], np.uint8)
        self._needed = needed[lengths]
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._owners = hashes[order], owners[order]
        # counts of one question at a time: only what a question touched is looked at and set back to 0
        self._counts: NDArray[np.uint8] = np.zeros(books, np.uint8)
        self._touched: NDArray[np.int32] = np.empty(books, np.int32)

    def of(self, number: int, shingles: Hashes) -> list[int]:
        """Numbers of the books after ``number`` of which the set may hold more than the threshold's share, sorted."""
        found = count_hits(shingles, self._hashes, self._owners, number, self._counts, self._touched)
        owners = np.sort(self._touched[:found])
        counts = self._counts[owners]
        self._counts[owners] = 0
        enough: list[int] = owners[counts >= self._needed[owners]].tolist()
        return enough


def _needed(length: int, threshold: float) -> int:
    """How many hashes of a sketch must be found for the book to be compared."""
    slack = _DEVIATIONS * sqrt(threshold * (1 - threshold) / length) if length else 0.0
    return max(1, int(length * (threshold - slack)))


def read_sketches(books: Sequence[Book], numbers: Mapping[str, int]) -> tuple[Hashes, NDArray[np.int32]]:
    """The sketches of the books that have a number, and the number of each hash's book.

    ``books``: all, as ``read_index`` gives them.
    """
    hashes: list[Hashes] = [np.empty(0, np.uint64)]
    owners: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
    for task, group in groupby(books, key=lambda book: book.task):
        rows = [(numbers.get(book.id, -1), min(book.size, SKETCH)) for book in group]
        number, lengths = np.array(rows, np.int32).T
        owner = np.repeat(number, lengths)
        data = map_file(task + _SKETCHES).view("<u8").astype(np.uint64, copy=False)
        hashes.append(data[owner >= 0])
        owners.append(owner[owner >= 0])
    return np.concatenate(hashes), np.concatenate(owners)


def find_pairs(
    folder: str, rank: int, tasks: int, threshold: float, measure: Measure, signatures: str | None = None
) -> list[Pair]:
    """The pairs over the threshold whose preferred book stands in one of task ``rank``'s files, counted exactly.

    ``signatures``: their folder, which ``jaccard`` takes its candidates from.
    """
    books = read_index(folder)
    ranked = distinct(books)
    numbers = {book.id: number for number, book in enumerate(ranked)}
    mine = [(number, book) for number, book in enumerate(ranked) if belongs(book.task, rank, tasks)]
    pairs: list[Pair] = []
    if measure == "containment":
        candidates = Candidates(*read_sketches(books, numbers), len(ranked), threshold)
        for number, book in mine:
            shingles = read_set(book)
            pairs += _counted(book, shingles, candidates.of(number, shingles), ranked, threshold, measure)
        return pairs
    if signatures is None:
        raise ValueError("jaccard needs the folder of the signatures")
    alike = find_alike(signatures, rank, tasks, numbers, threshold)
    for number, book in mine:
        # the union is no smaller than the larger book, so the share is no more than the ratio of the sizes
        near = [other for other in alike.get(number, ()) if ranked[other].size / book.size > threshold]
        if near:
            pairs += _counted(book, read_set(book), near, ranked, threshold, measure)
    return pairs


def _counted(
    book: Book,
    shingles: Hashes,
    others: Iterable[int],
    ranked: Sequence[Book],
    threshold: float,
    measure: Measure,
) -> Iterator[Pair]:
    """Of the candidates of a book those that are over the threshold."""
    for other in others:
        smaller = ranked[other]
        overlap = _overlap(common(read_set(smaller), shingles), smaller.size, book.size, measure)
        if overlap > threshold:
            yield Pair(smaller.id, book.id, overlap)


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


def write_dropped(folder: str) -> int:
    """Decide over all books at once, and leave for each task's file what is dropped of it. Returns how many are."""
    books = read_index(folder)
    dropped = duplicates(books, read_pairs(folder))
    rows: dict[str, list[list[Any]]] = {path.removesuffix(_INDEX): [] for path in list_files(folder, _INDEX)}
    for book in books:
        if book.id in dropped:
            rows[book.task].append(list(dropped[book.id]))
    for task, found in rows.items():
        with atomic_write(task + _DROPPED) as stream:
            stream.write(orjson.dumps(found))
    return len(dropped)


def read_dropped(folder: str, rank: int) -> dict[str, Pair]:
    """The books of task ``rank``'s file that are dropped, each with the kept book it repeats."""
    return {row[0]: Pair(*row) for row in orjson.loads(read_bytes(join(folder, f"{rank:05d}{_DROPPED}")))}
