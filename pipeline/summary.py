"""What the ledgers of a run say: records, outcomes and reasons for each domain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import pyarrow.compute as pc  # type: ignore[import-untyped]

from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.files import list_files
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.ledger import read_table
from llama_data.pipeline.core.sink import SUFFIX
from llama_data.pipeline.core.written import sizes_in


@dataclass
class DomainSummary:
    """Counts of one domain's ledger.

    ``example``: id, step and detail of the first record that failed. ``chars`` are characters of text; ``bytes_out`` is
    on disk, compressed.
    """

    domain: str
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    example: str | None = None
    chars_in: int = 0
    chars_out: int = 0
    bytes_out: int = 0

    @property
    def records(self) -> int:
        """Input records: the sum over all outcomes."""
        return sum(self.outcomes.values())

    def record(self) -> dict[str, Any]:
        """The counts as JSON, for the manifest."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """The counts that a manifest holds."""
        counters = {name: Counter(record[name]) for name in ("outcomes", "reasons")}
        return cls(**{**record, **counters})

    @property
    def kept(self) -> int:
        """Records that became documents."""
        return self.outcomes["kept"]


def summarise(context: RunContext, domain: str) -> DomainSummary:
    """Count a domain's ledger, reading only the columns it needs."""
    summary = DomainSummary(domain)
    for path in list_files(context.ledger(domain), ".parquet"):
        table = read_table(path, ["outcome", "reason", "chars_in", "chars_out"])
        for key, target in (("outcome", summary.outcomes), ("reason", summary.reasons)):
            for item in table.column(key).value_counts().to_pylist():
                if item["values"] is not None:
                    target[item["values"]] += item["counts"]
        if summary.outcomes["failed"] and summary.example is None:
            summary.example = _first_failed(path)
        summary.chars_in += sum(table.column("chars_in").to_pylist())
        summary.chars_out += sum(table.column("chars_out").to_pylist())
    sizes = sizes_in([context.documents(domain)])
    summary.bytes_out = sum(size for path, size in sizes.items() if path.endswith(SUFFIX))
    return summary


def counted(context: RunContext, domain: str) -> DomainSummary:
    """The counts of a domain: from its manifest where it is finished, else from its ledger."""
    found = manifest.find(context.documents(domain))
    account = found.content["account"] if found is not None else None
    return DomainSummary.of(account) if account else summarise(context, domain)


def _first_failed(path: str) -> str | None:
    """The first failed row of a ledger file, in words."""
    table = read_table(path, ["outcome", "id", "step", "reason", "detail"])
    rows = table.filter(pc.equal(table["outcome"], "failed")).slice(0, 1).to_pylist()
    return next((f"{row['id']}, {row['step']}: {row['detail'] or row['reason']}" for row in rows), None)


def problem(stage: str, domains: Sequence[DomainSummary], failure_limit: float | None) -> str | None:
    """What is wrong when a stage has no documents, or more failed records than the recipe allows; else None.

    ``domains``: the ledgers that the stage wrote.
    """
    records = sum(summary.records for summary in domains)
    failed = sum(summary.outcomes["failed"] for summary in domains)
    examples = [summary.example for summary in domains if summary.example is not None]
    example = f"; the first that failed is {examples[0]}" if examples else ""
    if not any(summary.kept for summary in domains):
        counts = sum((summary.reasons for summary in domains), Counter[str]())
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common(5))
        return (
            f"{stage}: no document is left of {records} input records ({reasons or 'no records'}){example}; "
            "see the ledger, then check the inputs and the thresholds"
        )
    # The quotient, for the product of two floats can be less than what is written: 0.29 * 100 < 29.
    if failure_limit is not None and failed / records > failure_limit:
        return (
            f"{stage}: {failed} of {records} records failed, more than the recipe's failure_limit of "
            f"{failure_limit:.2%}{example}; see the ledger rows with outcome `failed`"
        )
    return None


def row(context: RunContext, item: DomainSummary) -> dict[str, str | int | float]:
    """The counts of a domain for the table at the end of a run, with the commonest reason."""
    reason, count = item.reasons.most_common(1)[0] if item.reasons else ("", 0)
    return {
        "stage": item.domain,
        "records": item.records,
        "kept": item.kept,
        "rejected": item.outcomes["rejected"],
        "failed": item.outcomes["failed"],
        "Mchars in": item.chars_in / 1e6,
        "Mchars out": item.chars_out / 1e6,
        "files": len(list_files(context.documents(item.domain), SUFFIX)),
        "MB": item.bytes_out / 1e6,
        "commonest reason": f"{reason} ({count:,})" if reason else "",
    }


def format_table(rows: list[tuple[str, ...]]) -> str:
    """Align rows in columns: the first and the last to the left, the others to the right."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    last = len(widths) - 1
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if index in (0, last) else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
