"""Time and peak memory of comparing books, on synthetic sketches and signatures; sets are only made for a few books.

    python benchmarks/books_scaling.py [--books 200000] [--asked 50] [--shingles 100000] [--no-jaccard]

Some of every book's shingles are common phrases, drawn from a pool by Zipf's law, so that two books share 0.2 % (two
novels share 0.14 %). Prints one JSON object: seconds are CPU time, memory is the peak of the process so far. A task of
the second job needs `load_index`, `order` and `table` once, and `ask` for each of its books (or `alike_of_a_task`
instead of the last two); the third job needs `load_index` and `decide`.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from llama_data.pipeline.kernels.minhash import PERMUTATIONS, Hashes
from llama_data.stages.books.jobs import COMPARE_TASKS
from llama_data.stages.books.overlap import (
    SKETCH,
    Candidates,
    Pair,
    distinct,
    duplicates,
    read_index,
    read_sketches,
)
from llama_data.stages.books.signatures import find_alike
from llama_data.stages.steps.signature_files import Made, SignatureWriter

PER_TASK = 1000
COMMON = 0.02
POOL = 1_000_000


class Text:
    """Makes sketches and sets of books with the same common phrases."""

    def __init__(self, shingles: int) -> None:
        self._chance = np.random.default_rng(1)
        self._shingles = shingles
        pool = self._chance.integers(0, 1 << 64, POOL, dtype=np.uint64)
        self._pool = pool[self._zipf(POOL * 2)]  # as often as they are used
        low = np.uint64((1 << 64) // shingles * SKETCH)
        self._low = self._pool[self._pool < low]

    def _zipf(self, size: int) -> Any:
        return (POOL ** self._chance.random(size)).astype(np.int64)

    def sketches(self, books: int) -> Hashes:
        """The smallest hashes of that many books, a row each."""
        gaps = self._chance.exponential(1 / self._shingles, (books, SKETCH))
        made = (np.cumsum(gaps, axis=1) * 2.0**63).astype(np.uint64) << np.uint64(1)
        common = self._chance.random(made.shape) < COMMON
        made[common] = self._chance.choice(self._low, int(common.sum()))
        return np.sort(made, axis=1)

    def book(self) -> Hashes:
        """The set of one book."""
        common = int(self._shingles * COMMON)
        own = self._chance.integers(0, 1 << 64, self._shingles - common, dtype=np.uint64)
        return np.unique(np.concatenate([own, self._chance.choice(self._pool, common)]))


def write(folder: Path, books: int, shingles: int, signed: bool) -> None:
    """What the first job leaves, without the sets."""
    text, chance = Text(shingles), np.random.default_rng(2)
    for rank, first in enumerate(range(0, books, PER_TASK)):
        count = min(PER_TASK, books - first)
        sizes = chance.integers(shingles // 2, 2 * shingles, count).tolist()
        digests = [chance.bytes(16).hex() for _ in range(count)]
        rows = [
            [f"books/shelf/{first + n:08d}.txt", size, 6 * size, False, digest, 0]
            for n, (size, digest) in enumerate(zip(sizes, digests, strict=True))
        ]
        (folder / f"{rank:05d}.index.json").write_bytes(orjson.dumps(rows))
        (folder / f"{rank:05d}.sketches").write_bytes(text.sketches(count).tobytes())
        if signed:
            with SignatureWriter(str(folder / "signatures"), rank, Made(PERMUTATIONS, 5)) as writer:
                for row in rows:
                    writer.add(row[0], chance.integers(0, 1 << 64, 8, dtype=np.uint64))


class Clock:
    """CPU seconds between calls, and the peak of memory at each."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self.restart()

    def restart(self) -> None:
        """Start counting now."""
        self._start = time.process_time()

    def stop(self, name: str, times: int = 1) -> None:
        """Note what went by, divided by how often it was done."""
        self.seen[f"{name}_s"] = round((time.process_time() - self._start) / times, 5)
        self.seen[f"{name}_peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
        self.restart()


def main() -> None:
    """Write the files of the first job, and do the work of one task of the second and of the third."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", type=float, default=200_000)
    parser.add_argument("--asked", type=int, default=50)
    parser.add_argument("--shingles", type=int, default=100_000)
    parser.add_argument("--jaccard", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    count = int(options.books)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), count, options.shingles, options.jaccard)
        text = Text(options.shingles)
        sets = [text.book() for _ in range(options.asked)]
        clock = Clock()
        clock.stop("start")
        books = read_index(name)
        clock.stop("load_index")
        ranked = distinct(books)
        numbers = {book.id: number for number, book in enumerate(ranked)}
        clock.stop("order")
        candidates = Candidates(*read_sketches(books, numbers), len(ranked), 0.9)
        clock.stop("table")
        candidates.of(0, sets[0][:100])
        clock.restart()
        for hashes in sets:
            candidates.of(0, hashes)
        clock.stop("ask", len(sets))
        del candidates
        pairs = [Pair(one.id, other.id, 0.95) for one, other in zip(ranked[1::4], ranked[::4], strict=False)]
        clock.restart()
        duplicates(books, pairs)
        clock.stop("decide")
        if options.jaccard:
            clock.restart()
            tasks = min(COMPARE_TASKS, -(-count // PER_TASK))
            find_alike(str(Path(name) / "signatures"), 0, tasks, numbers, 0.9)
            clock.stop("alike_of_a_task")
    print(json.dumps({"books": count, "shingles": options.shingles, **clock.seen}, indent=1))


if __name__ == "__main__":
    main()
