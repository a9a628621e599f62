"""What a domain's documents have of evaluation texts: from the ledger, and from what the step has left beside it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from llama_data.pipeline.core.files import join, list_files
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.executors.records import read_json

COLUMNS = ("eval_task", "eval_item", "eval_share")
EXAMPLES = 5  # documents named for each task
SHOWN = 200  # tasks
_STEP = "decontaminate"


class Contaminated(NamedTuple):
    """A document, and the item of which it has the greatest share."""

    share: float
    id: str
    item: str


@dataclass
class TaskDocuments:
    """The ledger's documents that have most of a task: those that were rejected for it, and those that were not."""

    rejected: int = 0
    others: int = 0
    examples: list[Contaminated] = field(default_factory=list)

    def add(self, rejected: int, others: int, examples: Iterable[Contaminated]) -> None:
        """Count documents; of all examples those with the greatest shares stay."""
        self.rejected += rejected
        self.others += others
        best = heapq.nsmallest(EXAMPLES, [*self.examples, *examples], key=lambda each: (-each.share, each.id))
        self.examples = best


class EvaluationTask(NamedTuple):
    """A task of a domain's report.

    ``items``, of which ``found`` in some document, ``whole`` in one, ``not_tested`` in none, being too short;
    ``documents`` have some of them. None: no report of the step says so, there is the ledger alone. ``action``: what
    became of documents that were not rejected: "masked", "marked", or "" where all were.
    """

    task: str
    items: int | None
    found: int | None
    whole: int | None
    not_tested: int | None
    documents: int
    rejected: int
    others: int
    action: str
    examples: list[Contaminated]


def count_evaluations(found: dict[str, TaskDocuments], table: pa.Table) -> None:
    """Count a row group of the ledger."""
    if not set(COLUMNS) <= set(table.column_names):
        return
    rows = table.filter(pc.is_valid(table.column("eval_task")))
    gone = pc.fill_null(pc.equal(rows.column("reason"), str(Reason.contaminated)), False)
    for task in pc.unique(rows.column("eval_task")).to_pylist():
        own = pc.equal(rows.column("eval_task"), task)
        rejected = pc.sum(pc.and_(own, gone)).as_py()
        some = rows.filter(own).select(["eval_share", "id", "eval_item"])
        best = some.take(pc.select_k_unstable(some, EXAMPLES, [("eval_share", "descending"), ("id", "ascending")]))
        examples = [Contaminated(*row.values()) for row in best.to_pylist()]
        found.setdefault(task, TaskDocuments()).add(rejected, some.num_rows - rejected, examples)


def evaluation_tasks(run: str, domain: str, found: dict[str, TaskDocuments]) -> list[EvaluationTask]:
    """The tasks of a domain, those of which most items were found first."""
    reports = [read_json(path) for path in list_files(join(run, "reports", domain), f"-{_STEP}.json")]
    told: dict[str, dict[str, Any]] = {}
    action = "masked or marked" if any(each.others for each in found.values()) else ""
    for report in reports:
        if report is not None and report.get("step") == _STEP:
            told |= {row["task"]: row for row in report["tasks"]}
            action = {"mask": "masked", "mark": "marked"}.get(report["settings"]["action"], action)
    rows = []
    for task in {**told, **found}:
        row, counted = told.get(task, {}), found.get(task, TaskDocuments())
        rows.append(
            EvaluationTask(
                task=task,
                items=row.get("items"),
                found=row.get("found"),
                whole=row.get("whole"),
                not_tested=row.get("not_tested"),
                documents=row.get("documents", counted.rejected + counted.others),
                rejected=counted.rejected,
                others=counted.others,
                action=action,
                examples=counted.examples,
            )
        )
    return sorted(rows, key=lambda row: (-(row.found or 0), -row.documents, row.task))
