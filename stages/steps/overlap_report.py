"""What documents have of evaluation items: shares for the rule, and the report of a whole source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from llama_data.stages.steps.overlap_index import Indexed, OverlapIndex

HALF = 0.5


@dataclass
class _Found:
    """What was found of an item: in how many documents, most of it in which, and all runs that any of them has."""

    documents: int = 0
    share: float = 0.0
    best: str = ""
    runs: set[int] = field(default_factory=set)


class Tally:
    """Shares of items by their runs that count; those of ``left_out``, which is sorted, do not."""

    def __init__(self, index: OverlapIndex, left_out: NDArray[np.int64]) -> None:
        self.index = index
        self.left_out = left_out
        # How many runs of an item count.
        self.runs = index.runs_that_count(left_out)
        self._found: dict[int, _Found] = {}
        self._documents: Counter[str] = Counter()

    def shares(self, runs: NDArray[np.int64], least: float | None = None) -> dict[int, float]:
        """For a document with these runs the share that it has of each item's, the highest first, then in the order of
        the items; only those of at least ``least``.
        """
        counts = Counter(item for run in self._counted(runs) for item in self.index.items_of(run).tolist())
        found = {item: count / int(self.runs[item]) for item, count in counts.items()}
        chosen = [(item, share) for item, share in found.items() if least is None or share >= least]
        return dict(sorted(chosen, key=lambda pair: (-pair[1], pair[0])))

    def _counted(self, runs: NDArray[np.int64]) -> list[int]:
        """The different runs that count."""
        found: list[int] = np.setdiff1d(runs, self.left_out).tolist()
        return found

    def add(self, document: str, runs: NDArray[np.int64]) -> None:
        """Take note of a document that has some runs."""
        shares = self.shares(runs)
        for item, share in shares.items():
            found = self._found.setdefault(item, _Found())
            found.documents += 1
            if share > found.share:
                found.share, found.best = share, document
        for run in self._counted(runs):
            for item in self.index.items_of(run).tolist():
                self._found[item].runs.add(run)
        self._documents.update({self.index.item(item).task for item in shares})

    def summary(self, about: dict[str, Any]) -> bytes:
        """The report by task, as JSON. ``whole``: items of which one document has all runs; ``half``: half of them."""
        tasks: dict[str, Counter[str]] = {}
        for number in range(len(self.index.items)):
            item, found = self.index.item(number), self._found.get(number)
            counts = tasks.setdefault(item.task, Counter())
            counts["items"] += 1
            counts["not_tested"] += not self.runs[number]
            counts["found"] += found is not None
            counts["half"] += found is not None and found.share >= HALF
            counts["whole"] += found is not None and found.share == 1.0
        names = ("items", "not_tested", "found", "half", "whole")
        rows = [
            {"task": task, **{name: counts[name] for name in names}, "documents": self._documents[task]}
            for task, counts in sorted(tasks.items())
        ]
        return orjson.dumps({**about, "tasks": rows}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def rows(self) -> bytes:
        """A line for every item that was found and every one that could not be tested, as JSON."""
        lines = []
        for number in np.union1d(np.flatnonzero(self.runs == 0), [*self._found]).astype(np.int64).tolist():
            item, found = self.index.item(number), self._found.get(number)
            base = {"task": item.task, "item": item.name, "runs": int(self.runs[number])}
            if not self.runs[number]:
                lines.append({**base, "not_tested": self._why_not(item)})
            elif found is not None:
                more = {
                    "share": found.share,
                    "document": found.best,
                    "documents": found.documents,
                    "share_of_all_documents": len(found.runs) / int(self.runs[number]),
                }
                lines.append({**base, **more})
        return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)

    def _why_not(self, item: Indexed) -> str:
        if item.runs:
            return "all of its runs are left out, as too many items or documents have them"
        return f"too short: its longest text has {item.words} words of {self.index.n}"
