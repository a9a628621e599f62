"""Exact places of scores among those of a whole source, so that a cut keeps a share of it and not a guess.

Four jobs. Each reading task leaves its scores in groups that follow the score's order, and how much stands in each
group; one task sums these; each partition takes a range of groups that holds about as many documents as any other, and
sorts it: with what lies below the range, every document knows its place; one task says where the cut fell. Places
depend on the scores and on a hash of the record's id, never on tasks or partitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.exchange import HASH_GROUPS, Exchange, read_groups, write_groups
from llama_data.pipeline.core.files import atomic_write, join, read_bytes
from llama_data.pipeline.core.job import RunContext
from llama_data.stages.steps.reports import leave_report, report_notes

SCORED = np.dtype([("score", "<f4"), ("weight", "<u4"), ("tie", "<u8"), ("task", "<u4"), ("place", "<u4")])
PLACED = np.dtype([("place", "<u4"), ("score", "<f4"), ("below", "<u8"), ("kept", "u1")])
# Stored bytes of input for a byte of records: these are 24 bytes for a document of some kilobytes.
RATIO = 64
# The odds of a score with this much added to both sides lie in 34 powers of two, and each power in 64 groups.
_LEAST_ODDS = 2.0**-17
_SHIFT = np.uint64(46)


def score_groups(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """The group of each score between 0 and 1: a higher score is never in a lower group.

    Groups are as wide in the logarithm of the odds, so that scores crowded at 0 or 1 are told apart. Additions and
    divisions of floats keep the order, on every machine in the same way; logarithms need not.
    """
    wide = np.clip(scores.astype(np.float64), 0.0, 1.0)
    odds = (wide + _LEAST_ODDS) / (1.0 - wide + _LEAST_ODDS)
    least = np.float64(_LEAST_ODDS / (1.0 + _LEAST_ODDS)).view(np.uint64)
    return ((odds.view(np.uint64) - least) >> _SHIFT).astype(np.int64)


@dataclass(frozen=True)
class Pool:
    """The scores of one kind of a source: a folder, the reading tasks, the partitions that sort them."""

    work: str
    kind: str
    tasks: int
    parts: int

    @property
    def placed(self) -> Exchange:
        """What is told to the reading tasks."""
        return Exchange(self.work, f"{self.kind}-places", PLACED)

    def path(self, name: str) -> str:
        """A file of the pool."""
        return join(self.work, self.kind, name)

    def leave(self, task: int, scored: NDArray[np.void]) -> None:
        """Leave the scores of a reading task, and how much of them stands in each group."""
        groups = score_groups(scored["score"])
        write_groups(self.path(f"{task:05d}.bin"), groups, HASH_GROUPS, scored)
        mass = np.zeros(HASH_GROUPS, np.uint64)
        np.add.at(mass, groups, scored["weight"].astype(np.uint64))
        _write(self.path(f"{task:05d}.mass"), np.stack([np.bincount(groups, minlength=HASH_GROUPS), mass]))

    def left(self, task: int) -> NDArray[np.void]:
        """All scores that a reading task left, in the order of its documents."""
        found = read_groups(self.path(f"{task:05d}.bin"), SCORED, HASH_GROUPS, 0, HASH_GROUPS)
        return found[np.argsort(found["place"], kind="stable")]

    def masses(self, name: str) -> NDArray[np.uint64]:
        """Documents (row 0) and their weight (row 1) in each group: of a task, or ``totals``."""
        return np.frombuffer(read_bytes(self.path(name)), "<u8").reshape(2, HASH_GROUPS)

    def total(self) -> int:
        """The weight of all documents."""
        return int(self.masses("totals")[1].sum())


def _write(path: str, counts: NDArray[Any]) -> None:
    with atomic_write(path) as stream:
        stream.write(np.ascontiguousarray(counts, "<u8").tobytes())


class SumScores(Step):
    """One task: sums what the reading tasks have in each group."""

    name = "sum_scores"

    def __init__(self, *, pools: Sequence[Pool]) -> None:
        super().__init__()
        self.pools = tuple(pools)

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the sums. Yields nothing."""
        for pool in self.pools:
            total = np.zeros((2, HASH_GROUPS), np.uint64)
            for task in range(pool.tasks):
                total += pool.masses(f"{task:05d}.mass")
            _write(pool.path("totals"), total)
        yield from ()


def group_range(documents: NDArray[np.uint64], part: int, parts: int) -> tuple[int, int]:
    """First group and the one after the last of a partition, so that each has about as many documents."""
    ends = np.cumsum(documents)
    bounds = [int(np.searchsorted(ends, int(ends[-1]) * n // parts, side="right")) for n in (part, part + 1)]
    return 0 if part == 0 else bounds[0], len(documents) if part == parts - 1 else bounds[1]


def needed(total: int, share: Fraction) -> int:
    """The weight that makes up a share of the total, rounded up. A document stays when less than this lies above it."""
    return -(-total * share.numerator // share.denominator)


class RankScores(Step):
    """Sorts a partition of each pool and tells the reading tasks where their documents stand.

    ``share``: of the pool's weight is kept, from the best down; None: nothing is decided. ``buckets``: into how many
    parts of equal weight the pool is cut for the report.
    """

    name = "rank_scores"

    def __init__(self, *, pools: Sequence[Pool], share: Fraction | None, buckets: int | None) -> None:
        super().__init__()
        self.pools = tuple(pools)
        self.share = share
        self.buckets = buckets

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write places and what is to be said of the cut. Yields nothing."""
        parts = self.pools[0].parts
        pool, part = self.pools[rank // parts], rank % parts
        documents, mass = pool.masses("totals")
        total = int(mass.sum())
        first, last = group_range(documents, part, parts)
        pieces = [
            read_groups(pool.path(f"{task:05d}.bin"), SCORED, HASH_GROUPS, first, last) for task in range(pool.tasks)
        ]
        found = np.concatenate([np.empty(0, SCORED), *pieces])
        found = found[np.lexsort((found["place"], found["task"], found["tie"], found["score"]))]
        weights = found["weight"].astype(np.uint64)
        placed = np.empty(len(found), PLACED)
        placed["place"], placed["score"] = found["place"], found["score"]
        placed["below"] = mass[:first].sum(dtype=np.uint64) + np.cumsum(weights) - weights
        above = np.uint64(total) - placed["below"] - weights
        placed["kept"] = True if self.share is None else above < np.uint64(needed(total, self.share))
        pool.placed.give_back(part, found["task"], pool.tasks, placed)
        said = _told(placed, weights, bucket_of(placed["below"], total, self.buckets))
        with atomic_write(pool.path(f"{part:05d}.told")) as stream:
            stream.write(orjson.dumps(said))
        yield from ()


def bucket_of(below: NDArray[np.uint64], total: int, buckets: int | None) -> NDArray[np.int64]:
    """The bucket of each document, 0 the lowest: by how much of the total lies below it. One bucket where None."""
    # In Python's numbers where 64 bits might not hold the product.
    if total * (buckets or 1) >= 1 << 63:
        return np.array([place * (buckets or 1) // total for place in below.tolist()], np.int64)
    return (below * np.uint64(buckets or 1) // np.uint64(max(total, 1))).astype(np.int64)


def _amount(weights: NDArray[np.uint64], chosen: NDArray[np.bool_]) -> dict[str, int]:
    return {"documents": int(chosen.sum()), "weight": int(weights[chosen].sum(dtype=np.uint64))}


def _told(placed: NDArray[np.void], weights: NDArray[np.uint64], buckets: NDArray[np.int64]) -> dict[str, Any]:
    """What a partition says of itself: amounts, the lowest score that stays and what has the same, its buckets."""
    kept = placed["kept"].astype(bool)
    cut = placed["score"][kept][:1]
    tied = placed["score"] == cut if cut.size else np.zeros(len(placed), bool)
    rows = []
    for bucket in np.unique(buckets).tolist():
        inside = buckets == bucket
        rows.append({"bucket": bucket, "least": float(str(placed["score"][inside][0])), **_amount(weights, inside)})
    return {
        "kept": _amount(weights, kept),
        "rejected": _amount(weights, ~kept),
        "cut": float(str(cut[0])) if cut.size else None,
        "tied": {"kept": _amount(weights, tied & kept), "rejected": _amount(weights, tied & ~kept)},
        "buckets": rows,
    }


class FindCut(Step):
    """One task: says where the cut fell, for the rule and for the report."""

    name = "find_cut"

    def __init__(self, *, run: RunContext, domain: str, pool: Pool, about: dict[str, Any], report: str) -> None:
        super().__init__()
        self.context = run
        self.domain = domain
        self.pool = pool
        self.about = about
        self.report = report
        self.leaves = report_notes(report)

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the cut, and the report. Yields nothing."""
        told = [orjson.loads(read_bytes(self.pool.path(f"{part:05d}.told"))) for part in range(self.pool.parts)]
        found = {**self.about, **merged(told)}
        written = orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        with atomic_write(self.pool.path("cut.json")) as stream:
            stream.write(written)
        leave_report(self.context, self.domain, self.report, {"json": written})
        yield from ()


def merged(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the partitions have said, from the lowest scores up, as one."""
    kept, rejected = (_sum([part[name] for part in told]) for name in ("kept", "rejected"))
    # The first partition of which something stays holds the cut, and all documents with that very score.
    at = next((part for part in told if part["cut"] is not None), {"cut": None, "tied": None})
    buckets: dict[int, dict[str, Any]] = {}
    for row in (row for part in told for row in part["buckets"]):
        below = buckets.setdefault(row["bucket"], {**row, "documents": 0, "weight": 0})
        below |= _sum([below, row])
    return {
        "pool": _sum([kept, rejected]),
        "kept": kept,
        "rejected": rejected,
        "cut": at["cut"],
        "tied": at["tied"],
        "buckets": [row for _, row in sorted(buckets.items())],
    }


def _sum(amounts: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(each[name] for each in amounts) for name in ("documents", "weight")}
