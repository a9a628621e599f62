"""Two runs side by side: what a changed recipe did to documents, tokens and epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any, NamedTuple

import yaml

from llama_data.pipeline.report.collect import DomainReport, RunReport, collect, is_same_result
from llama_data.pipeline.report.domain import Cell
from llama_data.pipeline.report.join import ABSENT, KEPT, DomainDiff, Moved, Mover, compare_ledgers
from llama_data.pipeline.report.samples import Sample, read_texts
from llama_data.pipeline.report.steps import in_order

# What says where and how a run was made, and not what.
_PLACES = ("name", "output", "executor", "models_dir")


class StepPair(NamedTuple):
    """A step, and the records it left in each run (None: it took nothing away there, or is not in the run)."""

    title: str
    left_a: int
    left_b: int
    gone_a: int
    gone_b: int


@dataclass
class DomainPair:
    """A domain in both runs. ``diff``: None where a run has not this domain, or where both results are the same."""

    domain: str
    a: DomainReport | None
    b: DomainReport | None
    diff: DomainDiff | None
    same: bool
    steps: list[StepPair] = field(default_factory=list)
    texts: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)

    @property
    def unfinished(self) -> str:
        """The runs that have not finished it, in words; empty: both have."""
        return " and ".join(n for n, item in (("A", self.a), ("B", self.b)) if item is not None and not item.finished)

    def pair(self, outcome: str | None) -> tuple[Cell, Cell]:
        """The counts of both, of all records or those of an outcome."""
        cells = [item.ledger.total(outcome) if item is not None else Cell() for item in (self.a, self.b)]
        return cells[0], cells[1]


@dataclass
class Comparison:
    """Two runs. ``recipe``: what differs between their recipes, as a diff."""

    a: RunReport
    b: RunReport
    domains: list[DomainPair]
    recipe: list[str]

    def tokens(self) -> list[tuple[str, int | None, int | None]]:
        """Tokens of each domain in both runs; None: it is not tokenized there."""
        counts = [{row.domain: row.tokens for row in report.tokens} for report in (self.a, self.b)]
        return [(name, counts[0].get(name), counts[1].get(name)) for name in dict.fromkeys([*counts[0], *counts[1]])]

    def epochs(self) -> list[tuple[str, float | None, float | None]]:
        """Epochs of each domain in the first mix of both runs; None: the run has no such mix, or not this domain."""
        runs = (self.a, self.b)
        found = [{d.domain: d.epochs for mix in run.mixes[:1] for d in mix.domains} for run in runs]
        return [(name, found[0].get(name), found[1].get(name)) for name in dict.fromkeys([*found[0], *found[1]])]


def compare(run_a: str, run_b: str, *, texts: bool = True) -> Comparison:
    """Compare two runs; ``texts``: with samples. Raises InputError: one of them is no run's folder."""
    a, b = collect(run_a, texts=False), collect(run_b, texts=False)
    parts = [{item.name: item for item in report.domains} for report in (a, b)]
    names = dict.fromkeys([*parts[0], *parts[1]])
    domains = [_pair(run_a, run_b, name, parts[0].get(name), parts[1].get(name), texts) for name in names]
    return Comparison(a, b, domains, _recipes(a.recipe, b.recipe))


def _pair(
    run_a: str, run_b: str, domain: str, a: DomainReport | None, b: DomainReport | None, texts: bool
) -> DomainPair:
    same = is_same_result(run_a, run_b, f"documents/{domain}")
    diff = None if same or a is None or b is None else compare_ledgers(run_a, run_b, domain)
    found = DomainPair(domain, a, b, diff, same or (diff is not None and diff.is_same), _steps(a, b))
    if texts and diff is not None:
        for ends, drawn in diff.samples.items():
            found.texts[ends] = _texts(run_a, run_b, domain, ends, drawn.items)
    return found


def _texts(run_a: str, run_b: str, domain: str, ends: tuple[str, str], movers: list[Mover]) -> list[Sample]:
    """The texts of some documents from the run that keeps them, with the figures of both."""
    kept_in_b = ends[1] == KEPT
    run, other = (run_b, run_a) if kept_in_b else (run_a, run_b)
    wanted = {item.id: item.task_b if kept_in_b else item.task_a for item in movers}
    there = {item.id: item.task_a if kept_in_b else item.task_b for item in movers}
    found = read_texts(run, "documents", domain, wanted)
    if ABSENT not in ends:
        for id, sample in read_texts(other, "rejected", domain, there).items():
            if id in found:
                found[id] = found[id]._replace(figures={**sample.figures, **found[id].figures})
    return [found[item.id] for item in movers if item.id in found]


def _steps(a: DomainReport | None, b: DomainReport | None) -> list[StepPair]:
    rows = [{step.code: step for step in item.steps} if item is not None else {} for item in (a, b)]
    codes = [code for side in rows for code in side if code]
    order = in_order(dict.fromkeys(codes), _merged([code for code in side if code] for side in rows))
    pairs, left = [], [0, 0]
    for code in ("", *order):
        for side in (0, 1):
            left[side] = rows[side][code].left if code in rows[side] else left[side]
        title = next(side[code].title for side in rows if code in side) if any(code in side for side in rows) else ""
        gone = [side[code].gone if code in side else 0 for side in rows]
        if title:
            pairs.append(StepPair(title, left[0], left[1], gone[0], gone[1]))
    return pairs


def _merged(orders: Any) -> list[str]:
    """Steps of both in one order: those of the second that the first has not stand behind the one before them."""
    first, second = (list(order) for order in orders)
    for place, code in enumerate(second):
        if code not in first:
            before = [first.index(other) for other in second[:place] if other in first]
            first.insert(max(before) + 1 if before else 0, code)
    return first


def _recipes(a: str, b: str) -> list[str]:
    texts = []
    for text in (a, b):
        data = yaml.safe_load(text)
        known = {key: value for key, value in data.items() if key not in _PLACES} if isinstance(data, Mapping) else data
        texts.append(yaml.safe_dump(known, sort_keys=False, allow_unicode=True).splitlines())
    return list(unified_diff(texts[0], texts[1], n=3, lineterm=""))[2:]


def as_json(found: Comparison) -> dict[str, Any]:
    """The comparison for other programs."""
    return {
        "runs": [found.a.run, found.b.run],
        "recipe": found.recipe,
        "domains": {item.domain: _domain_json(item) for item in found.domains},
        "tokens": {name: [a, b] for name, a, b in found.tokens()},
        "epochs": {name: [a, b] for name, a, b in found.epochs()},
    }


def _domain_json(item: DomainPair) -> dict[str, Any]:
    all_a, all_b = item.pair(None)
    kept_a, kept_b = item.pair(KEPT)
    made: dict[str, Any] = {
        "same": item.same,
        "unfinished": item.unfinished,
        "records": [all_a.records, all_b.records],
        "kept": [kept_a.records, kept_b.records],
        "characters": [kept_a.chars_out, kept_b.chars_out],
        "steps": [{"step": step.title, "left": [step.left_a, step.left_b]} for step in item.steps],
    }
    if item.diff is not None:
        made["gained"] = {reason: _moved_json(moved, 2) for reason, moved in item.diff.gained()}
        made["lost"] = {reason: _moved_json(moved, 1) for reason, moved in item.diff.lost()}
        made["rewritten"] = item.diff.rewritten
        made["other_reason"] = [
            {"before": before, "after": after, "records": moved.records}
            for (before, after), moved in item.diff.shifted()
        ]
    return made


def _moved_json(moved: Moved, side: int) -> dict[str, int]:
    return {"records": moved.records, "characters": moved[side]}
