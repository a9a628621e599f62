"""Rows of a run's ledger: one by its id, all that hold a word, a page of those that a filter takes, a seeded sample.

No index is built. A row group (65,536 rows) is the most that is held, and its statistics say whether it has to be read
at all. An id holds the place of its record, and tasks take the input in the order of names: so the file with an id is
found by bisection, from the footers of a few files.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import join
from llama_data.pipeline.ledger_reading import LedgerFile, ledger_domains, ledger_files

NAMES = ("id", "source", "url")
SAMPLED_GROUPS = 16
"""A sample is drawn from the rows of at least so many row groups, or from all where there are fewer."""

MOST_SAMPLED = 512
"""After so many row groups a search for rows to sample ends, whatever it has."""


class Place(NamedTuple):
    """Where a row stands: row ``row`` (from 0) of the ledger file of a task."""

    domain: str
    task: str
    row: int


class Found(NamedTuple):
    """A row of the ledger, its columns by name, and where it stands."""

    place: Place
    row: dict[str, Any]


@dataclass(frozen=True)
class Filter:
    """Which rows are wanted; None: any. ``column`` is a figure that must be ``least`` to ``most``, both included.

    ``holds``: what the id, the source or the address must hold, as it is written.
    """

    domain: str | None = None
    outcome: str | None = None
    reason: str | None = None
    language: str | None = None
    column: str | None = None
    least: float | None = None
    most: float | None = None
    holds: str | None = None

    def equal(self) -> dict[str, str]:
        """Columns and the values that they must have."""
        wanted = {"outcome": self.outcome, "reason": self.reason, "language": self.language}
        return {name: value for name, value in wanted.items() if value is not None}

    @property
    def _figure(self) -> str | None:
        return None if self.least is None and self.most is None else self.column

    def may_hold(self, file: LedgerFile, group: int) -> bool:
        """False when the statistics of a row group say that it has no such row."""
        for name, value in self.equal().items():
            bounds = file.bounds(group, name)
            if bounds is not None and not (bounds.least is not None and bounds.least <= value <= bounds.most):
                return False
        if self._figure is None:
            return True
        if self._figure in file.names and self._figure not in file.figures():
            raise RequestError(f"{self._figure}: no figure of the ledger; only numbers have a range")
        bounds = file.bounds(group, self._figure)
        if bounds is None:
            return self._figure in file.names
        if bounds.least is None:
            return False
        return not (
            (self.least is not None and bounds.most < self.least)
            or (self.most is not None and bounds.least > self.most)
        )

    def rows(self, file: LedgerFile, group: int) -> list[int]:
        """The numbers, in a row group, of the rows that are wanted. Only the columns that are asked for are read."""
        equal, figure = self.equal(), self._figure
        wanted = [*equal, *([figure] if figure is not None else [])]
        if not wanted and self.holds is None:
            return list(range(file.group_rows(group)))
        table = file.read(group, [*wanted, *(NAMES if self.holds is not None else ())])
        if any(name not in table.column_names for name in wanted):
            return []
        mask = pa.chunked_array([pa.repeat(True, table.num_rows)])
        for name, value in equal.items():
            mask = pc.and_(mask, pc.fill_null(pc.equal(table[name], value), False))
        if figure is not None:
            for bound, compare in ((self.least, pc.greater_equal), (self.most, pc.less_equal)):
                if bound is not None:
                    mask = pc.and_(mask, pc.fill_null(compare(table[figure], bound), False))
        if self.holds is not None:
            mask = pc.and_(mask, _holding(table, self.holds))
        found: list[int] = pc.indices_nonzero(mask.combine_chunks()).to_pylist()
        return found


class _Pool(NamedTuple):
    """The rows of a row group that may be drawn; ``first`` of its file, ``before``: so many are in the pools before."""

    domain: str
    path: str
    group: int
    first: int
    before: int
    rows: NDArray[np.int32]


def _holding(table: pa.Table, text: str) -> pa.ChunkedArray:
    """Which rows have a text in one of their names."""
    found = [pc.fill_null(pc.match_substring(table[name], text), False) for name in NAMES]
    return pc.or_(pc.or_(found[0], found[1]), found[2])


class Ledgers:
    """The ledgers of a run. Raises RequestError: there is none."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.domains = ledger_domains(run)
        if not self.domains:
            raise RequestError(f"{run}: no ledger there; expected the folder of a run")
        self._files: dict[str, list[str]] = {}

    def files(self, domain: str | None) -> list[tuple[str, str]]:
        """Domain and path of the ledger files of a domain, or of all, in order. Raises RequestError: no such domain."""
        if domain is not None and domain not in self.domains:
            raise RequestError(
                f"{domain}: no ledger of this domain in {self.run}; there are: {', '.join(self.domains)}"
            )
        for name in self.domains if domain is None else [domain]:
            if name not in self._files:
                self._files[name] = ledger_files(self.run, name)
        return [(name, path) for name in (self.domains if domain is None else [domain]) for path in self._files[name]]

    def reasons(self, domain: str | None) -> list[str]:
        """Reasons for which records of finished domains were rejected or failed, the commonest first."""
        counts: Counter[str] = Counter()
        for name in self.domains if domain is None else [domain]:
            made = manifest.find(join(self.run, "documents", name))
            counts.update(made.content["account"]["reasons"] if made is not None else {})
        return [reason for reason, _ in counts.most_common()]

    def at(self, place: Place) -> Found:
        """The row at a place. Raises RequestError: there is none."""
        # Among the files that are there: a place may come from a request.
        paths = [path for _, path in self.files(place.domain)]
        for path in (path for path in paths if path.endswith(f"/{place.task}.parquet")):
            with LedgerFile(path) as file:
                first = 0
                for group in range(file.groups):
                    if first <= place.row < first + file.group_rows(group):
                        return next(self.take(place.domain, file, group, [place.row - first], first))
                    first += file.group_rows(group)
        raise RequestError(f"{place.domain}/{place.task}: no row {place.row} in the ledger of {self.run}")

    def find(self, name: str, value: str, domain: str | None = None) -> Found | None:
        """The first row with this id or source: by bisection, and where that does not lead to it, by all footers."""
        for one in self.domains if domain is None else [domain]:
            paths = [path for _, path in self.files(one)]
            near = _bisect(paths, name, value)
            # The file that the order of names leads to comes first; the rest only when it is not there.
            for path in [*([paths[near]] if near is not None else []), *(p for n, p in enumerate(paths) if n != near)]:
                with LedgerFile(path) as file:
                    first = 0
                    for group in range(file.groups):
                        bounds = file.bounds(group, name)
                        if bounds is None or (bounds.least is not None and bounds.least <= value <= bounds.most):
                            column = file.read(group, [name])[name]
                            at = pc.index(column, pa.scalar(value, column.type)).as_py()
                            if at >= 0:
                                return next(self.take(one, file, group, [at], first))
                        first += file.group_rows(group)
        return None

    def holding(self, text: str, domain: str | None = None) -> Iterator[tuple[bool, Found]]:
        """All rows whose id, source or address holds a text; True with those that are equal to it. Reads everything."""
        for one, path in self.files(domain):
            with LedgerFile(path) as file:
                first = 0
                for group in range(file.groups):
                    table = file.read(group, NAMES)
                    rows = pc.indices_nonzero(_holding(table, text).combine_chunks())
                    for hit in self.take(one, file, group, rows.to_pylist(), first):
                        yield any(hit.row[name] == text for name in NAMES), hit
                    first += file.group_rows(group)

    def take(self, domain: str, file: LedgerFile, group: int, rows: Sequence[int], first: int) -> Iterator[Found]:
        """The rows of these numbers of a group, whose first row is number ``first`` of its file."""
        if not rows:
            return
        table = file.read(group, None).take(pa.array(rows, pa.int64()))
        for number, row in zip(rows, table.to_pylist(), strict=True):
            yield Found(Place(domain, file.task, first + number), row)

    def sample(self, wanted: Filter, count: int, seed: int, groups: int | None = None) -> list[Found]:
        """Rows drawn by the seed, the same for the same ledger on any machine.

        Files are drawn first, and of each all row groups; of the rows that are wanted there ``count`` are drawn when
        ``SAMPLED_GROUPS`` groups were looked at and there are enough of them. With fewer groups than that every row
        is as likely as any other; with more, rows of one file come together more often. ``groups``: at most so many.
        """
        dice = random.Random(f"llama-data sample {seed}")
        files = self.files(wanted.domain)
        dice.shuffle(files)
        pools: list[_Pool] = []
        looked = total = 0
        for domain, path in files:
            with LedgerFile(path) as file:
                first = 0
                for group in range(file.groups):
                    looked += 1
                    if wanted.may_hold(file, group):
                        rows = np.array(wanted.rows(file, group), np.int32)
                        pools.append(_Pool(domain, path, group, first, total, rows))
                        total += len(rows)
                    first += file.group_rows(group)
            enough = looked >= SAMPLED_GROUPS and total >= count
            if enough or looked >= min(MOST_SAMPLED, groups or MOST_SAMPLED):
                break
        chosen = dice.sample(range(total), min(count, total))
        of_pool: dict[int, list[int]] = {}
        for number in chosen:
            of_pool.setdefault(bisect_right(pools, number, key=lambda one: one.before) - 1, []).append(number)
        drawn: dict[int, Found] = {}
        for index, numbers in of_pool.items():
            pool = pools[index]
            places = [int(pool.rows[number - pool.before]) for number in numbers]
            with LedgerFile(pool.path) as file:
                drawn.update(zip(numbers, self.take(pool.domain, file, pool.group, places, pool.first), strict=True))
        return [drawn[number] for number in chosen]


def _bisect(paths: Sequence[str], name: str, value: str) -> int | None:
    """The last file whose smallest value is not above this one, if files are in the order of their values."""
    low, high = 0, len(paths)
    while low < high:
        middle = (low + high) // 2
        with LedgerFile(paths[middle]) as file:
            least = [bounds.least for bounds in (file.bounds(g, name) for g in range(file.groups)) if bounds]
        smallest = min((one for one in least if one is not None), default=None)
        if smallest is not None and smallest <= value:
            low = middle + 1
        else:
            high = middle
    return low - 1 if low else None
