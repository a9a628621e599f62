"""One domain's ledger, counted in one pass: what the report shows of it, in memory that does not grow with its rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from llama_data.pipeline.core.reasons import sentence_of
from llama_data.pipeline.ledger_reading import ledger_files, read_groups
from llama_data.pipeline.report import evaluations
from llama_data.pipeline.report.evaluations import TaskDocuments
from llama_data.pipeline.report.tally import Draw, Named, Scale, Tally
from llama_data.pipeline.report.thresholds import FIGURES, HERE, KEPT, LATER, OTHER, Choice, Figure

_LENGTHS = ("chars_in", "chars_out", "lines_in", "lines_out")
_DEDUP = ("lines_duplicated", "lines_repeated")
_NAMES = ("templates_unknown_names", "templates_lost_names")
_TALLIED = ("language", "license", "code_language", "site", "macro_problem")
_COLUMNS = (
    *("id", "outcome", "step", "reason", "detail", *_LENGTHS, *_TALLIED, *_NAMES, *_DEDUP, "removed_lines"),
    *("removed_sample", "duplicate_of", "overlap", *(figure.column for figure in FIGURES), *evaluations.COLUMNS),
)
EXAMPLES = 3  # records named for each reason
PAIRS = 40
REMOVED = 12


class Cell(NamedTuple):
    """Records of one outcome, step and reason, and the characters and lines they had and have."""

    records: int = 0
    chars_in: int = 0
    chars_out: int = 0
    lines_in: int = 0
    lines_out: int = 0

    def plus(self, other: Cell) -> Cell:
        """Both together."""
        return Cell(*(a + b for a, b in zip(self, other, strict=True)))


class Example(NamedTuple):
    """A record of the ledger, by its id; ``detail`` is what the ledger says besides."""

    id: str
    detail: str


class Pair(NamedTuple):
    """A document that repeats another, and which share of it does (None: all of it)."""

    id: str
    other: str
    overlap: float


class ReasonCount(NamedTuple):
    """A reason: its code, sentence, step and outcome, its records and their characters as read."""

    code: str
    sentence: str
    step: str
    outcome: str
    records: int
    chars: int


@dataclass
class Dedup:
    """What removing repeated lines took away. ``lines``: of the documents that got so far."""

    documents: int = 0
    lines: int = 0
    duplicated: int = 0
    repeated: int = 0
    emptied: int = 0
    samples: Draw[str] = field(default_factory=lambda: Draw(REMOVED, "removed lines"))


@dataclass
class DomainLedger:
    """The counts of one domain's ledger."""

    domain: str
    choice: Choice
    cells: dict[tuple[str, str, str], Cell] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in _TALLIED})
    scales: dict[tuple[str, str], Scale] = field(default_factory=dict)
    templates: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in _NAMES})
    dedup: Dedup = field(default_factory=Dedup)
    removed_lines: int = 0
    examples: dict[str, Draw[Example]] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    paired: int = 0
    evaluations: dict[str, TaskDocuments] = field(default_factory=dict)
    sampled: dict[str, tuple[str, int]] = field(default_factory=dict)

    def total(self, outcome: str | None = None) -> Cell:
        """All records, or those of an outcome."""
        found = Cell()
        for key, cell in self.cells.items():
            if outcome in (None, key[0]):
                found = found.plus(cell)
        return found

    @property
    def reasons(self) -> list[ReasonCount]:
        """Why records were not kept, the commonest reason first."""
        rows = [
            ReasonCount(reason, sentence_of(reason), step, outcome, cell.records, cell.chars_in)
            for (outcome, step, reason), cell in self.cells.items()
            if outcome != "kept"
        ]
        return sorted(rows, key=lambda row: (-row.records, row.code, row.step))

    def figures(self) -> list[tuple[Figure, str, Scale]]:
        """The figures that the ledger has, with their languages where thresholds go by these, the commonest first."""
        found = [
            (figure, language, scale)
            for figure in FIGURES
            for (column, language), scale in sorted(self.scales.items(), key=lambda item: -item[1].total)
            if column == figure.column and scale.total > 1
        ]
        return found


def count_domain(
    run: str, domain: str, choice: Choice, sampled: Collection[str] = (), group_by: str = "language"
) -> DomainLedger:
    """Count a domain's ledger.

    ``sampled``: ids of which the group and the length as written are wanted (their tokens are known); ``group_by``: the
    column of the group. Memory: a row group, and counters whose sizes are limited.
    """
    found = DomainLedger(domain, choice)
    wanted = pa.array(list(sampled), pa.string()) if sampled else None
    for path in ledger_files(run, domain):
        for table in read_groups(path, _COLUMNS):
            if table.num_rows:
                _count_cells(found, table)
                _count_names(found, table)
                _count_figures(found, table)
                _count_lines(found, table)
                _find_examples(found, table)
                _find_pairs(found, table)
                evaluations.count_evaluations(found.evaluations, table)
                if wanted is not None:
                    _find_sampled(found, table, wanted, group_by)
    return found


def _count_cells(found: DomainLedger, table: pa.Table) -> None:
    keys = ["outcome", "step", "reason"]
    grouped = table.group_by(keys, use_threads=False)
    for row in grouped.aggregate([([], "count_all"), *((name, "sum") for name in _LENGTHS)]).to_pylist():
        key = (str(row["outcome"]), row["step"] or "", row["reason"] or "")
        cell = Cell(row["count_all"], *(int(row[f"{name}_sum"] or 0) for name in _LENGTHS))
        found.cells[key] = found.cells.get(key, Cell()).plus(cell)


def _count_names(found: DomainLedger, table: pa.Table) -> None:
    present = set(table.column_names)
    for name in _TALLIED:
        if name in present and table.column(name).null_count < table.num_rows:
            for key, row in _grouped(table, [name]):
                if key[0] is not None:
                    found.tallies[name].add(str(key[0]), *row)
    for name in _NAMES:
        if name in present:
            rows = table.filter(pc.is_valid(table.column(name)))
            for language, text in zip(rows.column("language").to_pylist(), rows.column(name).to_pylist(), strict=True):
                for template, count in orjson.loads(text).items():
                    found.templates[name].add(f"{language or ''}\0{template}", int(count))


def _grouped(table: pa.Table, names: list[str]) -> list[tuple[tuple[Any, ...], tuple[int, int, int]]]:
    """By the values of some columns: records, kept ones, and the characters of these."""
    columns = {name: table.column(name) for name in names}
    kept = pc.cast(pc.equal(table.column("outcome"), "kept"), "int64")
    narrow = pa.table({**columns, "kept": kept, "chars_out": table.column("chars_out")})
    sums = narrow.group_by(names, use_threads=False).aggregate(
        [([], "count_all"), ("kept", "sum"), ("chars_out", "sum")]
    )
    return [
        (tuple(row[name] for name in names), (row["count_all"], row["kept_sum"], row["chars_out_sum"] or 0))
        for row in sums.to_pylist()
    ]


def _count_figures(found: DomainLedger, table: pa.Table) -> None:
    present = set(table.column_names)
    for figure in FIGURES:
        if figure.column not in present or table.column(figure.column).null_count == table.num_rows:
            continue
        rows = table.filter(pc.is_valid(table.column(figure.column)))
        values = rows.column(figure.column).cast("float64").to_numpy()
        classes = _classes(figure, rows, found.choice.languages)
        parts: Mapping[str, Any] = {"": slice(None)}
        if figure.column == "perplexity":
            languages = rows.column("language").to_numpy(zero_copy_only=False)
            parts = {str(name): languages == name for name in set(languages.tolist()) if name is not None}
        for language, part in parts.items():
            key = (figure.column, language)
            if key not in found.scales:
                found.scales[key] = found.choice.scale(figure, language)
            found.scales[key].add(values[part], classes[part])


def _classes(figure: Figure, rows: pa.Table, languages: tuple[str, ...] | None) -> np.ndarray[Any, np.dtype[np.int64]]:
    step = pc.fill_null(pc.equal(rows.column("step"), figure.step), False).to_numpy()
    reason = pc.fill_null(pc.equal(rows.column("reason"), figure.reason), False).to_numpy()
    kept = pc.equal(rows.column("outcome"), "kept").to_numpy()
    classes = np.full(rows.num_rows, LATER, np.int64)
    classes[step & reason] = HERE
    # The heuristics have one step for three figures: what another one stopped passes none of them for certain.
    classes[step & ~reason] = OTHER
    classes[kept] = KEPT
    if figure.column == "language_score" and languages is not None:
        chosen = pc.fill_null(pc.is_in(rows.column("language"), pa.array(languages, pa.string())), False).to_numpy()
        classes[~chosen & ~kept] = OTHER
    return classes


def _count_lines(found: DomainLedger, table: pa.Table) -> None:
    present = set(table.column_names)
    if "removed_lines" in present:
        kept = table.filter(pc.equal(table.column("outcome"), "kept"))
        found.removed_lines += pc.sum(kept.column("removed_lines")).as_py() or 0
    if not set(_DEDUP) <= present:
        return
    rows = table.filter(pc.is_valid(table.column("lines_duplicated")))
    sums = [pc.sum(rows.column(name)).as_py() or 0 for name in ("lines_in", *_DEDUP)]
    dedup = found.dedup
    dedup.documents += rows.num_rows
    dedup.lines, dedup.duplicated, dedup.repeated = (
        dedup.lines + sums[0],
        dedup.duplicated + sums[1],
        (dedup.repeated + sums[2]),
    )
    dedup.emptied += pc.sum(pc.equal(rows.column("reason"), "all_lines_duplicated")).as_py() or 0
    if "removed_sample" in present:
        texts = rows.column("removed_sample").drop_null()
        dedup.samples.offer(len(texts), lambda place: str(texts[place].as_py()))


def _find_examples(found: DomainLedger, table: pa.Table) -> None:
    """Some records of every reason."""
    for reason in pc.unique(table.column("reason")).drop_null().to_pylist():
        rows = table.filter(pc.equal(table.column("reason"), reason)).select(["id", "detail"])
        drawn = found.examples.setdefault(reason, Draw(EXAMPLES, f"{found.domain} {reason}"))
        drawn.offer(rows.num_rows, partial(_example, rows))


def _example(rows: pa.Table, place: int) -> Example:
    return Example(rows.column("id")[place].as_py(), rows.column("detail")[place].as_py() or "")


def _find_pairs(found: DomainLedger, table: pa.Table) -> None:
    """The pairs of documents that overlap, those nearest to the threshold first."""
    if not {"duplicate_of", "overlap"} <= set(table.column_names):
        return
    rows = table.filter(pc.and_(pc.is_valid(table.column("duplicate_of")), pc.is_valid(table.column("overlap"))))
    found.paired += rows.num_rows
    rows = rows.select(["id", "duplicate_of", "overlap"])
    nearest = rows.take(pc.select_k_unstable(rows, PAIRS, [("overlap", "ascending"), ("id", "ascending")]))
    pairs = [Pair(*row.values()) for row in nearest.to_pylist()]
    found.pairs = sorted([*found.pairs, *pairs], key=lambda pair: (pair.overlap, pair.id))[:PAIRS]


def _find_sampled(found: DomainLedger, table: pa.Table, wanted: pa.Array, group_by: str) -> None:
    rows = table.filter(pc.is_in(table.column("id"), wanted))
    groups = rows.column(group_by if group_by in rows.column_names else "language").to_pylist()
    for id, group, chars in zip(
        rows.column("id").to_pylist(), groups, rows.column("chars_out").to_pylist(), strict=True
    ):
        found.sampled[id] = (group or "", chars)


def templates_of(found: DomainLedger, count: int) -> list[tuple[str, str, int, int]]:
    """Language and name of the commonest unknown templates, how often they stood in lines, how often without text."""
    unknown, lost = (found.templates[name] for name in _NAMES)
    missing = {row.name: row.records for row in lost.top(2 * lost.limit)}
    rows: list[Named] = unknown.top(count)
    return [(*_split(row.name), row.records, missing.get(row.name, 0)) for row in rows]


def _split(name: str) -> tuple[str, str]:
    first, _, second = name.partition("\0")
    return first, second
