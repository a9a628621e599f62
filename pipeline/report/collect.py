"""What the report shows, gathered from a run's folder. Every part that is not there yet is simply left out."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from llama_data.pipeline.core.domains import DOMAINS
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import exists, join, list_files, read_bytes, read_jsonl
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.ledger import read_table
from llama_data.pipeline.core.reasons import sentence_of
from llama_data.pipeline.report.templates import UnknownTemplate, unknown_templates
from llama_data.pipeline.summary import DomainSummary, summarise
from llama_data.train_handoff.shards.file import Footer, read_footer

SCORES = ("language_score", "perplexity", "reference_score")
EXAMPLES = 3
EXAMPLE_CHARS = 700
UNKNOWN_TEMPLATES = 100


@dataclass
class Histogram:
    """Counts between edges of one score; a logarithmic axis when ``log``."""

    name: str
    counts: list[int]
    low: float
    high: float
    log: bool


@dataclass
class DomainReport:
    """One domain: its counts, its scores, and a few texts of each kind."""

    summary: DomainSummary
    histograms: list[Histogram] = field(default_factory=list)
    languages: list[tuple[str, int]] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)
    rejected: list[dict[str, str]] = field(default_factory=list)
    templates: list[UnknownTemplate] = field(default_factory=list)
    templates_in_all: int = 0

    @property
    def reasons(self) -> list[tuple[str, str, int]]:
        """Code, sentence and count of each reason, the commonest first."""
        return [(code, sentence_of(code), count) for code, count in self.summary.reasons.most_common()]


@dataclass
class RunReport:
    """The whole run."""

    run: str
    name: str
    domains: list[DomainReport]
    tokenizer: dict[str, Any] | None
    tokens: list[dict[str, Any]]
    mix: dict[str, Any] | None
    training: list[dict[str, Any]]


def collect(run: str) -> RunReport:
    """Gather a run. Raises InputError when the folder is not that of a run."""
    if not exists(join(run, "recipe.yaml")):
        raise InputError(f"{run}: no recipe.yaml there; expected the folder of a run")
    import yaml

    context = RunContext(input="", output=run)
    found = [path.rstrip("/").rpartition("/")[2] for path in list_files(join(run, "ledger"), "")]
    ordered = [*(name for name in DOMAINS if name in found), *(name for name in found if name not in DOMAINS)]
    present = [name for name in ordered if list_files(context.ledger(name), ".parquet")]
    return RunReport(
        run=run,
        name=str(yaml.safe_load(read_bytes(join(run, "recipe.yaml"))).get("name", run)),
        domains=[_domain(context, name) for name in present],
        tokenizer=_json(join(run, "tokenizer", "card.json")),
        tokens=_tokens(run),
        mix=_json(join(run, "mix", "mix.json")),
        training=_training(join(run, "train", "metrics.jsonl")),
    )


def _json(path: str) -> dict[str, Any] | None:
    if not exists(path):
        return None
    found: dict[str, Any] = json.loads(read_bytes(path))
    return found


def _domain(context: RunContext, domain: str) -> DomainReport:
    report = DomainReport(summarise(context, domain))
    columns: dict[str, list[Any]] = {name: [] for name in (*SCORES, "language")}
    for path in list_files(context.ledger(domain), ".parquet"):
        table = read_table(path, list(columns))
        for name in SCORES:
            columns[name].append(table.column(name).drop_null().to_numpy())
        columns["language"].append(table.column("language"))
    for name in SCORES:
        values = np.concatenate(columns[name])
        if len(values) > 1:
            report.histograms.append(histogram(name, values))
    languages: Counter[str] = Counter()
    for column in columns["language"]:
        counted = pa.chunked_array(column).drop_null().value_counts().to_pylist()
        languages.update({item["values"]: item["counts"] for item in counted})
    report.languages = languages.most_common(12)
    found = unknown_templates(list_files(context.ledger(domain), ".parquet"))
    report.templates, report.templates_in_all = found[:UNKNOWN_TEMPLATES], len(found)
    report.kept = _examples(context.documents(domain), EXAMPLES, None)
    report.rejected = _examples(context.rejected(domain), 12, "reason")
    return report


def histogram(name: str, values: np.ndarray[Any, np.dtype[Any]], bins: int = 40) -> Histogram:
    """Equal bins over the middle 99 % of the values; logarithmic for perplexity."""
    log = name == "perplexity"
    low, high = np.quantile(values, [0.0, 0.99])
    if log:
        low, high, values = np.log10(max(low, 1.0)), np.log10(max(high, 10.0)), np.log10(np.maximum(values, 1.0))
    counts, _ = np.histogram(np.clip(values, low, high), bins=bins, range=(low, max(high, low + 1e-9)))
    return Histogram(name, counts.tolist(), float(10**low if log else low), float(10**high if log else high), log)


def _examples(folder: str, count: int, distinct: str | None) -> list[dict[str, str]]:
    """The first texts of a folder, or the first of each value of the metadata key ``distinct``."""
    found: list[dict[str, str]] = []
    seen: set[str] = set()
    for path in list_files(folder, ".jsonl.zst"):
        for record in read_jsonl(path):
            label = str(record["metadata"].get(distinct, "")) if distinct else ""
            if (distinct and label in seen) or not record["text"].strip():
                continue
            seen.add(label)
            text = record["text"][:EXAMPLE_CHARS] + (" …" if len(record["text"]) > EXAMPLE_CHARS else "")
            found.append({"id": record["id"], "label": label, "text": text})
            if len(found) == count:
                return found
    return found


def _tokens(run: str) -> list[dict[str, Any]]:
    rows = []
    for folder in list_files(join(run, "tokens"), ""):
        footers: list[Footer] = [read_footer(path) for path in list_files(folder, ".parquet")]
        if footers:
            totals = {key: sum(getattr(footer, key) for footer in footers) for key in _TOTALS}
            rows.append({"domain": folder.rstrip("/").rsplit("/", 1)[-1], "shards": len(footers), **totals})
    return rows


_TOTALS = ("rows", "documents", "tokens", "dropped_tokens")


def _training(path: str) -> list[dict[str, Any]]:
    lines = read_bytes(path).splitlines() if exists(path) else []
    return [line for line in map(json.loads, lines) if line.get("kind", "step") == "step"]
