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
    """Shares of items by their runs that count; the others are left out of both sides."""

    def __init__(self, index: OverlapIndex, counted: NDArray[np.bool_]) -> None:
        self.index = index
        self.counted = counted
        # How many runs of an item count.
        owners = np.repeat(counted, np.diff(index.arrays["owned"]))
        self.runs = np.bincount(index.arrays["owners"][owners], minlength=len(index.items))
        self._found: dict[int, _Found] = {}
        self._documents: Counter[str] = Counter()

    def shares(self, runs: set[int], least: float | None = None) -> dict[int, float]:
        """For a document with these runs the share that it has of each item's, the highest first, then in the order of
        the items; only those of at least ``least``.
        """
        counts = Counter(item for run in runs if self.counted[run] for item in self.index.items_of(run))
        found = {item: count / int(self.runs[item]) for item, count in counts.items()}
        chosen = [(item, share) for item, share in found.items() if least is None or share >= least]
        return dict(sorted(chosen, key=lambda pair: (-pair[1], pair[0])))

    def add(self, document: str, runs: set[int]) -> None:
        """Take note of a document that has some runs."""
        shares = self.shares(runs)
        for item, share in shares.items():
            found = self._found.setdefault(item, _Found())
            found.documents += 1
            if share > found.share:
                found.share, found.best = share, document
        for run in runs:
            if self.counted[run]:
                for item in self.index.items_of(run):
                    self._found[item].runs.add(run)
        self._documents.update({self.index.items[item].task for item in shares})

    def summary(self, about: dict[str, Any]) -> bytes:
        """The report by task, as JSON. ``whole``: items of which one document has all runs; ``half``: half of them."""
        tasks: dict[str, Counter[str]] = {}
        for number, item in enumerate(self.index.items):
            found = self._found.get(number)
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
        for number, item in enumerate(self.index.items):
            found = self._found.get(number)
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
