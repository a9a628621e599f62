"""Near-duplicates at scale: sets with planted clusters go through the step's own jobs; recall, precision, time, bytes.

    python benchmarks/near_dup_scaling.py [--documents 2e7] [--tasks 40] [--parts 32] [--work FOLDER]

Of the documents 30 % stand in pairs of a known Jaccard similarity, 10 % in clusters of ten around a middle one, the
others are alone. Sets of 45 shingles are made directly: no text is read. A pair is found when it shares a band, which
the formula 1 - (1 - s ** rows) ** bands gives the probability of; it must go if and only if s reaches the threshold.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.exchange import read_groups
from llama_data.pipeline.core.files import atomic_write
from llama_data.pipeline.kernels.bands import _band, shares_a_band
from llama_data.pipeline.kernels.hashing import mix64
from llama_data.pipeline.kernels.minhash import _sign, permutation_constants
from llama_data.stages.steps.near.candidates import FindComponents, FindEdges
from llama_data.stages.steps.near.decide import DecideCandidates, GatherCandidates
from llama_data.stages.steps.near.files import DROPPED, SIGNED, Files, none_of, number_type
from llama_data.stages.steps.near.signers import PRESETS, Signer

SIZE = 45
SHARED = (30, 34, 37, 39, 40, 41, 42, 43, 44, 45)  # of the 45: what the two of a pair have in common
CLUSTER = 10
CLUSTER_SHARED = 43
PAGES = 3e9


def main() -> None:
    """Make the sets, run the jobs, count what was found; print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=float, default=2e7)
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--parts", type=int, default=32)
    parser.add_argument("--work", help="a folder with room for 1.2 kB a document; what is made there is removed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        print(json.dumps(measure(work, int(options.documents), options.tasks, options.parts), indent=1))


def measure(work: str, documents: int, tasks: int, parts: int) -> dict[str, Any]:
    """What came of it, with what it took; ``documents`` is rounded to whole clusters in every task."""
    preset = PRESETS["llama_data"]
    signer = Signer("llama_data", *preset[:3])
    seconds: dict[str, float] = {}
    # Task t has the documents t, t + tasks, t + 2 * tasks, ...: the members of a cluster stand in different tasks.
    each = documents // tasks // 20 * 20
    total = each * tasks
    _timed(seconds, "signatures", lambda: [_sign_task(work, task, tasks, each, signer) for task in range(tasks)])
    _steps(seconds, "edges", FindEdges(work=work, tasks=tasks, parts=parts), parts)
    _steps(seconds, "components", FindComponents(work=work, tasks=tasks, parts=parts), 1)
    _steps(seconds, "candidates", GatherCandidates(work=work), tasks)
    decide = DecideCandidates(
        work=work, tasks=tasks, parts=parts, signer=signer, measure="jaccard", threshold=preset.min_similarity
    )
    _steps(seconds, "decisions", decide, parts)
    files = {folder.name: _bytes(folder) for folder in Path(work).iterdir()}
    return {
        "documents": total,
        "tasks": tasks,
        "parts": parts,
        **_found(work, total, tasks, parts, signer, preset.min_similarity),
        "cpu_seconds": {name: round(value, 1) for name, value in seconds.items()},
        "microseconds_a_document": round(sum(seconds.values()) / total * 1e6, 2),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "gb_written": {name: round(value / 1e9, 3) for name, value in sorted(files.items())},
        "bytes_a_document": round(sum(files.values()) / total),
        "for_3_billion_pages": {
            "core_hours_without_reading": round(sum(seconds.values()) / total * PAGES / 3600),
            "tb_of_bands": round(files["bands"] / total * PAGES / 1e12, 2),
            "gb_in_the_task_of_components": round(4 * PAGES / 1e9, 1),
        },
    }


def _timed(seconds: dict[str, float], name: str, work: Callable[[], object]) -> None:
    start = time.process_time()
    work()
    seconds[name] = time.process_time() - start


def _steps(seconds: dict[str, float], name: str, step: Step, tasks: int) -> None:
    _timed(seconds, name, lambda: [list(step.run(None, task, tasks)) for task in range(tasks)])


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(os.path.getsize(entry) for entry in path.iterdir())


def _sign_task(work: str, task: int, tasks: int, each: int, signer: Signer) -> None:
    files = Files(work)
    numbers = np.arange(task, each * tasks, tasks, dtype=np.int64)
    bands = np.empty((each, signer.bands), np.uint64)
    constants = permutation_constants(signer.permutations, signer.seed)
    with atomic_write(files.sets(task)) as stream:
        for start in range(0, each, 1 << 16):
            some = numbers[start : start + (1 << 16)]
            sets = np.empty((len(some), SIZE), np.uint64)
            _make(some, *_cluster(some), sets, constants[0], constants[1], signer.rows, bands[start:])
            stream.write(sets.tobytes())
    rows = np.empty(each, SIGNED)
    rows["place"], rows["size"], rows["rank"] = np.arange(each), SIZE, numbers
    rows["high"], rows["low"] = 0, 0
    files.write_signed(task, rows, [str(number) for number in numbers.tolist()], bands)


def _cluster(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each document the first of its cluster, and how much of that one's set it has. Of twenty in a row six stand
    in pairs, ten or none in a cluster, the others alone."""
    block, place = numbers // 20, numbers % 20
    first, shared = numbers.copy(), np.full(len(numbers), SIZE)
    pair = (place < 6) & (place % 2 == 1)
    first[pair] -= 1
    shared[pair] = np.array(SHARED)[(block[pair] * 3 + place[pair] // 2) % len(SHARED)]
    member = (place >= CLUSTER) & (block % 5 == 0)
    first[member] = numbers[member] - place[member] + CLUSTER
    shared[member & (place > CLUSTER)] = CLUSTER_SHARED
    return first, shared


@njit(cache=True, nogil=True)
def _make(
    numbers: Any, first: Any, shared: Any, sets: Any, multipliers: Any, summands: Any, rows: int, bands: Any
) -> None:
    smallest = np.empty(len(multipliers), np.uint32)
    for i in range(len(numbers)):
        for j in range(SIZE):
            owner = first[i] if j < shared[i] else numbers[i]
            sets[i, j] = mix64(np.uint64(owner) * np.uint64(1 << 20) + np.uint64(j) + np.uint64(1))
        sets[i].sort()
        smallest[:] = np.uint32(0xFFFFFFFF)
        _sign(sets[i], multipliers, summands, smallest)
        _band(smallest, rows, np.uint64(0), bands[i])


def _found(work: str, total: int, tasks: int, parts: int, signer: Signer, threshold: float) -> dict[str, Any]:
    """Recall by similarity beside the formula, and what went wrongly."""
    files, kind = Files(work), number_type(total)
    component = np.empty(total, kind)
    gone = np.zeros(total, bool)
    wrong = 0
    numbers = np.arange(total)
    first, shared = _cluster(numbers)
    likeness = shared / (2 * SIZE - shared)
    for task in range(tasks):
        component[task::tasks] = read_groups(files.components(), kind, tasks, task, task + 1)
        rows = files.dropped.take_back(task, tasks, parts)
        assert rows.dtype == DROPPED
        documents = task + rows["place"].astype(np.int64) * tasks
        names = files.kept_ids.take_back(task, tasks, parts).tobytes()
        ends = np.cumsum(rows["id_bytes"], dtype=np.int64)
        keepers = [
            int(names[end - size : end]) for end, size in zip(ends.tolist(), rows["id_bytes"].tolist(), strict=True)
        ]
        gone[documents] = True
        wrong += int((first[documents] != first[keepers]).sum())
        direct = first[documents] == keepers
        wrong += int((np.abs(rows["similarity"] - likeness[documents])[direct] > 1e-12).sum())
    alone = (first == numbers) & (component == none_of(kind))
    others = (first != numbers) & (numbers % 20 < 6)
    pairs = {}
    for number in SHARED:
        some = np.flatnonzero(others & (shared == number))
        s = number / (2 * SIZE - number)
        found = (component[some] == component[first[some]]) & (component[some] != none_of(kind))
        pairs[f"{s:.3f}"] = {
            "pairs": len(some),
            "candidates": round(float(found.mean()), 5),
            "formula": round(shares_a_band(s, signer.bands, signer.rows), 5),
            "went": round(float(gone[some].mean()), 5),
        }
        wrong += int((gone[some] != (found & (s >= threshold))).sum())
    members = np.flatnonzero((first != numbers) & (numbers % 20 >= 6))
    return {
        "pairs_by_similarity": pairs,
        "clusters_of_ten": {"members": len(members), "went": round(float(gone[members].mean()), 5)},
        "candidate_share": round(float((component != none_of(kind)).mean()), 4),
        "went_though_not_planted": int((gone & (first == numbers)).sum()),
        "wrong_decisions": wrong,
        "alone": int(alone.sum()),
    }


if __name__ == "__main__":
    main()
