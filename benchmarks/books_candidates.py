"""Finding the pairs of books of which one holds more than 90 % of the other: our look-up, and datasketch's indexes.

    python benchmarks/books_candidates.py [--pairs 100] [--shingles 2000] [--corpus DIR]

Built pairs have a known share of the smaller book in the larger one, just over the threshold (90 to 95 %) or just under
it (88 to 90 %), and a known ratio of sizes. With --corpus the books of a folder follow, all pairs of them counted.
Every finder gets all books at once and names candidates; recall and precision are those of the candidates, before any
is counted. Seconds are CPU time for building the index and asking it for every book, memory is what that allocates.
Strangers are pairs of the folder's books that are not over the threshold: the share that would be counted in vain.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from llama_data.pipeline.core.document import is_open
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.kernels.minhash import (
    PERMUTATIONS,
    Hashes,
    bottom,
    containment,
    jaccard,
    shingle_hashes,
    signature,
)
from llama_data.stages.books import jobs
from llama_data.stages.books.overlap import SKETCH, Candidates
from llama_data.stages.books.rules import StripGutenberg
from llama_data.stages.books.signatures import bands
from llama_data.stages.steps.signature_files import Made, to_minhash

THRESHOLD = 0.9
RATIOS = (1.0, 1.7, 5.0, 20.0)
SHARES = {"over": (0.90, 0.95), "under": (0.88, 0.90)}
MADE = Made(PERMUTATIONS, 5)

Sets = Mapping[str, Hashes]
Pairs = set[tuple[str, str]]  # the smaller book and the larger one
Finder = Callable[[Sets, Mapping[str, Any]], Pairs]


class Built(NamedTuple):
    """Sets of hashes, and of each built pair which ratio it has and on which side of the threshold it is."""

    sets: dict[str, Hashes]
    pairs: dict[tuple[str, str], tuple[float, str]]


def build(pairs: int, shingles: int, seed: int = 1) -> Built:
    """``pairs`` pairs for every ratio and side; the smaller set of each has ``shingles`` hashes."""
    chance = np.random.default_rng(seed)
    built = Built({}, {})
    for ratio in RATIOS:
        for side, (low, high) in SHARES.items():
            for number in range(pairs):
                # above `low`, and no more than `high`: exactly 90 % is not over the threshold
                shared = int(chance.integers(int(low * shingles) + 1, int(high * shingles) + 1))
                larger = int(ratio * shingles)
                members = chance.integers(0, 1 << 64, size=larger + shingles - shared, dtype=np.uint64)
                # the larger book first: of equally large ones the lower name is preferred
                names = (f"{ratio}-{side}-{number}-small", f"{ratio}-{side}-{number}-large")
                built.sets[names[1]] = np.sort(members[:larger])
                built.sets[names[0]] = np.sort(members[larger - shared :])
                built.pairs[names] = (ratio, side)
    return built


def by_look_up(sets: Sets, _: Mapping[str, Any]) -> Pairs:
    """Ours: the smallest hashes of every book are looked up in the whole of every larger one."""
    names = sorted(sets, key=lambda name: (-len(sets[name]), name))
    sketches = [bottom(sets[name], SKETCH) for name in names]
    owners = np.repeat(np.arange(len(names), dtype=np.int32), [len(sketch) for sketch in sketches])
    candidates = Candidates(np.concatenate(sketches), owners, len(names), THRESHOLD)
    return {(names[other], name) for n, name in enumerate(names) for other in candidates.of(n, sets[name])}


def by_lsh(sets: Sets, signatures: Mapping[str, Any]) -> Pairs:
    """MinHashLSH with our bands: what ``measure: jaccard`` asks."""
    from datasketch import MinHashLSH

    index = MinHashLSH(num_perm=PERMUTATIONS, params=bands(THRESHOLD, PERMUTATIONS))
    return _asked(sets, index, signatures, lambda name: index.query(signatures[name]))


def by_lsh_as_it_comes(sets: Sets, signatures: Mapping[str, Any]) -> Pairs:
    """MinHashLSH with the bands that datasketch chooses for the threshold."""
    from datasketch import MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    return _asked(sets, index, signatures, lambda name: index.query(signatures[name]))


def by_ensemble(weights: tuple[float, float], threshold: float = THRESHOLD) -> Finder:
    """MinHashLSHEnsemble with all of datasketch's defaults but the weights of its two errors."""

    def find(sets: Sets, signatures: Mapping[str, Any]) -> Pairs:
        from datasketch import MinHashLSHEnsemble

        index = MinHashLSHEnsemble(threshold=threshold, num_perm=PERMUTATIONS, weights=weights)
        index.index([(name, signatures[name], len(sets[name])) for name in sets])
        return _asked(sets, None, signatures, lambda name: index.query(signatures[name], len(sets[name])))

    return find


FINDERS: dict[str, Finder] = {
    "look-up of 64 hashes (ours)": by_look_up,
    "MinHashLSH, our bands": by_lsh,
    "MinHashLSH, its own bands": by_lsh_as_it_comes,
    "LSH Ensemble": by_ensemble((0.5, 0.5)),
    "LSH Ensemble, recall weighs 9:1": by_ensemble((0.1, 0.9)),
    "LSH Ensemble, threshold 0.5, 9:1": by_ensemble((0.1, 0.9), 0.5),
}


def _asked(sets: Sets, index: Any, signatures: Mapping[str, Any], ask: Callable[[str], Any]) -> Pairs:
    """Every book asks; what it finds counts when that is the larger one."""
    for name in sets if index is not None else ():
        index.insert(name, signatures[name], check_duplication=False)
    return {
        (name, other)
        for name in sets
        for other in ask(name)
        if other != name and (len(sets[name]), other) <= (len(sets[other]), name)
    }


class Measured(NamedTuple):
    """What a finder found, in CPU seconds and bytes."""

    found: Pairs
    seconds: float
    memory: int


def measure(find: Finder, sets: Sets, signatures: Mapping[str, Any]) -> Measured:
    """Run three times: to load what is compiled, for the time, and for the memory, which is slow to count."""
    find(dict(list(sets.items())[:2]), signatures)
    start = time.process_time()
    found = find(sets, signatures)
    seconds = time.process_time() - start
    tracemalloc.start()
    find(sets, signatures)
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Measured(found, seconds, memory)


def signed(sets: Sets) -> dict[str, Any]:
    """datasketch's objects for all sets."""
    return {name: to_minhash(signature(hashes), MADE) for name, hashes in sets.items()}


def books(folder: Path) -> dict[str, Hashes]:
    """The shingle sets of the books in a folder, Gutenberg's own text removed."""
    reader = jobs.jobs(jobs.Settings(), RunContext(input=str(folder), output="unused"))[0].steps[0]
    read = (doc for split in reader.splits for doc in reader.read(split) if is_open(doc))
    return {doc.id: shingle_hashes(doc.text) for doc in StripGutenberg().run(read) if is_open(doc)}


def true_pairs(sets: Sets, alike: Callable[[Hashes, Hashes], float]) -> Pairs:
    """All pairs over the threshold, every one counted; the books of a pair in any order."""
    return {pair for pair in combinations(sets, 2) if alike(sets[pair[0]], sets[pair[1]]) > THRESHOLD}


def _unordered(pairs: Pairs) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in pairs}


def books_candidates(corpus: Path) -> dict[str, Any]:
    """Recall of candidates over the built pairs just over the threshold: our look-up, and LSH Ensemble."""
    built = build(25, 2000)
    signatures = signed(built.sets)
    wanted = _unordered({pair for pair, (_, side) in built.pairs.items() if side == "over"})
    ours, peer = (
        len(wanted & _unordered(find(built.sets, signatures))) / len(wanted)
        for find in (by_look_up, FINDERS["LSH Ensemble"])
    )
    return {
        "name": "books_candidates",
        "unit": "recall",
        "ours": ours,
        "peer": peer,
        "peer_name": "datasketch MinHashLSHEnsemble at 0.9",
        "ratio": ours / max(peer, 1e-9),
        "identical": None,  # a recall, of two that are meant to differ
        "compared": {"pairs": len(wanted)},
    }


def main() -> None:
    """Print a table over built pairs, and one over a folder of books."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100, help="for every ratio and side of the threshold")
    parser.add_argument("--shingles", type=int, default=2000, help="of the smaller book of a pair")
    parser.add_argument("--corpus", type=Path, help="folder of raw dumps; its books/ are compared too")
    options = parser.parse_args()
    built = build(options.pairs, options.shingles)
    signatures = signed(built.sets)
    print(f"{len(built.sets)} built books; recall over / share taken under the threshold, by ratio of sizes")
    print(f"{'':<34}" + "".join(f"{f'1:{ratio:g}':>13}" for ratio in RATIOS) + f"{'precision':>11}{'s':>8}{'MB':>7}")
    for name, find in FINDERS.items():
        done = measure(find, built.sets, signatures)
        found = _unordered(done.found)
        cells = ""
        for ratio in RATIOS:
            shares = []
            for side in SHARES:
                wanted = _unordered({pair for pair, kind in built.pairs.items() if kind == (ratio, side)})
                shares.append(f"{len(wanted & found) / len(wanted):.2f}")
            cells += f"{' / '.join(shares):>13}"
        over = _unordered({pair for pair, (_, side) in built.pairs.items() if side == "over"})
        precision = f"{len(over & found) / len(found):.2f}" if found else "-"
        print(f"{name:<34}{cells}{precision:>11}{done.seconds:>8.2f}{done.memory / 1e6:>7.1f}", flush=True)
    if options.corpus is not None:
        _print_corpus(books(options.corpus / "books"))


def _print_corpus(sets: Sets) -> None:
    signatures, possible = signed(sets), len(sets) * (len(sets) - 1) // 2
    truths = {alike.__name__: _unordered(true_pairs(sets, alike)) for alike in (containment, jaccard)}
    print(f"\n{len(sets)} books of the folder; " + ", ".join(f"{len(t)} pairs by {name}" for name, t in truths.items()))
    heads = "".join(f"{f'recall {name}':>19}" for name in truths)
    print(f"{'':<34}{'candidates':>11}{heads}{'strangers':>11}{'s':>8}{'MB':>7}")
    for name, find in FINDERS.items():
        done = measure(find, sets, signatures)
        found = _unordered(done.found)
        recalls = "".join(f"{len(found & truth) / len(truth):>19.2f}" for truth in truths.values())
        strangers = len(found - truths["containment"]) / (possible - len(truths["containment"]))
        print(
            f"{name:<34}{len(found):>11}{recalls}{strangers:>11.4f}{done.seconds:>8.2f}{done.memory / 1e6:>7.1f}",
            flush=True,
        )


NAMES: dict[str, Callable[[Path], dict[str, Any]]] = {"books_candidates": books_candidates}


if __name__ == "__main__":
    main()
