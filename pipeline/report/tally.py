"""Counters that stay small whatever they are given: names, figures on a scale, and samples."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Passes = Literal[">=", "<", "<="]


class Named(NamedTuple):
    """What was counted under a name: records, those of them that were kept, and the characters of these."""

    name: str
    records: int
    kept: int
    chars: int


class Tally:
    """Counts by name. Of more than twice ``limit`` names the rarest are put together, so memory is bounded.

    ``least``: a name that is missing, or was put together before, may have this many records more than are shown;
    0: all are exact.
    """

    def __init__(self, limit: int = 20_000) -> None:
        self.limit = limit
        self.least = 0
        self._counts: dict[str, list[int]] = {}
        self._rest = [0, 0, 0]

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, name: str, records: int, kept: int = 0, chars: int = 0) -> None:
        """Count records under a name."""
        found = self._counts.setdefault(name, [0, 0, 0])
        for index, number in enumerate((records, kept, chars)):
            found[index] += number
        if len(self._counts) > 2 * self.limit:
            self._put_together()

    def _put_together(self) -> None:
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1][0], item[0]))
        self.least += ranked[self.limit][1][0]
        for _, counts in ranked[self.limit :]:
            self._rest = [a + b for a, b in zip(self._rest, counts, strict=True)]
        self._counts = dict(ranked[: self.limit])

    def top(self, count: int) -> list[Named]:
        """The commonest names, by records and then by name."""
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1][0], item[0]))
        return [Named(name, *counts) for name, counts in ranked[:count]]

    def others(self, count: int) -> Named | None:
        """All names but the ``count`` commonest, together; None: there are no more."""
        shown = self.top(count)
        total = [self._rest[i] + sum(counts[i] for counts in self._counts.values()) for i in range(3)]
        left = [total[i] - sum((row.records, row.kept, row.chars)[i] for row in shown) for i in range(3)]
        return Named("", *left) if left[0] else None


class Scale:
    """Counts of figures between edges, by class: exact at every edge.

    A figure that equals an edge counts as the tests of a threshold have it: above the edge for ``>=`` and ``<``,
    below it for ``<=``.
    """

    def __init__(self, edges: NDArray[np.float64], classes: int, passes: Passes) -> None:
        self.edges = edges
        self.passes = passes
        self.counts = np.zeros((classes, len(edges) + 1), np.int64)

    def add(self, values: NDArray[np.float64], classes: NDArray[np.int64]) -> None:
        """Count figures; those that are no number are left out."""
        known = ~np.isnan(values)
        values, classes = values[known], classes[known]
        side: Any = "left" if self.passes == "<=" else "right"
        width = len(self.edges) + 1
        places = np.searchsorted(self.edges, values, side=side) + classes * width
        self.counts += np.bincount(places, minlength=self.counts.size).reshape(self.counts.shape)

    @property
    def total(self) -> int:
        """How many figures were counted."""
        return int(self.counts.sum())

    def passing(self, edge: float, kind: int) -> int:
        """How many figures of a class pass a threshold, which is one of the edges."""
        [place] = np.flatnonzero(self.edges == edge)
        part = self.counts[kind, place + 1 :] if self.passes == ">=" else self.counts[kind, : place + 1]
        return int(part.sum())

    def between(self, edges: NDArray[np.float64]) -> NDArray[np.int64]:
        """Counts by class between fewer edges, which are some of these; what is beyond them is in the outer ones."""
        places = np.searchsorted(self.edges, edges)
        sums = np.concatenate([np.zeros((len(self.counts), 1), np.int64), self.counts.cumsum(axis=1)], axis=1)
        inner = sums[:, places + 1]
        inner[:, 0], inner[:, -1] = 0, sums[:, -1]
        return np.asarray(np.diff(inner, axis=1))


class Draw(Generic[Item]):
    """A uniform sample of items that are met in batches; which ones follows from the seed and the batches alone."""

    def __init__(self, size: int, seed: str) -> None:
        self.size = size
        self._random = np.random.default_rng(crc32(seed.encode("utf-8", "replace")))
        self._chosen: list[tuple[float, Item]] = []

    def offer(self, count: int, make: Callable[[int], Item]) -> None:
        """Let each of the next ``count`` items have its chance; ``make`` is called for those that are chosen."""
        keys = self._random.random(count)
        places = np.argpartition(keys, self.size)[: self.size] if count > self.size else np.arange(count)
        for place in places:
            key = float(keys[place])
            if len(self._chosen) < self.size or key < self._chosen[-1][0]:
                self._chosen.append((key, make(int(place))))
                self._chosen.sort(key=itemgetter(0))
                del self._chosen[self.size :]

    @property
    def items(self) -> list[Item]:
        """What was chosen, in an order of chance."""
        return [item for _, item in self._chosen]
