"""Small runs for the tests of the report: ledgers by hand, and every other part that a page shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import yaml

from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.pipeline.core.ledger import schema

SETTINGS: dict[str, Any] = {
    "inputs": ["*.wet.gz"],
    "languages": ["en"],
    "language_threshold": 0.5,
    "perplexity_models": {"en": "starter"},
    "perplexity_buckets": ["head", "middle", "all"],
    "reference_threshold": 0.1,
}
EVALUATIONS = {"eval_task": "string", "eval_item": "string", "eval_share": "float64", "eval_items": "int64"}
COLUMNS = {
    "commoncrawl": {"lines_duplicated": "int64", "lines_repeated": "int64", "removed_sample": "string"},
    "books": {"duplicate_of": "string", "overlap": "float64"},
    "github": {"license": "string", "code_language": "string", "alnum_share": "float64"},
    "wikipedia": {"templates_unknown_names": "string", "templates_lost_names": "string"},
}


def row(id: str, reason: str | None = None, step: str | None = None, **values: Any) -> dict[str, Any]:
    """A ledger row: kept, or rejected for a reason."""
    outcome = "kept" if reason is None else values.pop("outcome", "rejected")
    found = {"id": id, "outcome": outcome, "reason": reason, "step": step, "chars_in": 100, "lines_in": 10}
    found |= {"chars_out": 80 if reason is None else 0, "lines_out": 8 if reason is None else 0}
    return found | values


def write_ledger(
    run: Path,
    domain: str,
    files: Sequence[Sequence[Mapping[str, Any]]],
    extra: Mapping[str, str] | None = None,
    group: int = 65_536,
) -> None:
    """Ledger files of a domain; ``group``: rows of a row group."""
    columns = schema(COLUMNS.get(domain, {}) if extra is None else extra)
    for number, rows in enumerate(files):
        path = run / "ledger" / domain / f"{number:05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist([{"domain": domain, "source": "s", **each} for each in rows], schema=columns)
        pq.write_table(table, path, row_group_size=group)


def write_texts(run: Path, kind: str, domain: str, texts: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
    """Documents or rejected texts of a domain's first task: id, text, metadata."""
    with JsonlWriter(str(run / kind / domain / "00000.jsonl.zst")) as writer:
        for id, text, metadata in texts:
            writer.write({"id": id, "text": text, "metadata": dict(metadata)})


def write_recipe(run: Path, name: str = "small", **parts: Any) -> None:
    """recipe.yaml and its history."""
    run.mkdir(parents=True, exist_ok=True)
    data = {"name": name, "output": str(run), "domains": {"commoncrawl": SETTINGS}, **parts}
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    (run / "recipe.yaml").write_text(text)
    (run / "recipes").mkdir()
    (run / "recipes" / "0001-20260102T030405Z-run.yaml").write_text(text.replace("0.1", "0.2"))
    (run / "recipes" / "0002-20260102T040506Z-mix.yaml").write_text(text)


def write_rest(run: Path, domain: str, reference: float = 0.1) -> None:
    """What follows a domain's documents: its manifest, logs, tokens, tokenizer, mix, metrics."""
    settings = {**SETTINGS, "reference_threshold": reference}
    manifest.write(
        str(run / "documents" / domain),
        levels=2, what=f"documents/{domain}", files=[], totals={"records": 12},
        made_from={
            "settings": settings,
            "jobs": [[f"{domain}/documents", 2]],
            "before": {},
            "inputs": {"count": 1},
        },
        account={"records": 12, "bytes_out": 4321},
        inputs=[{"id": ["a.wet.gz", 9_000_000, 0, None]}], about={"finished": "2026-01-02T05:06:07+00:00", "tool": "t"},
    )  # fmt: skip
    logs = run / "logs" / domain / "documents"
    (logs / "completions").mkdir(parents=True)
    for task, seconds in enumerate((2.0, 4.0)):
        done = {"seconds": seconds, "cpu": seconds / 2}
        (logs / "completions" / f"{task:05d}").write_text(json.dumps(done))
    (logs / "stats").mkdir()
    names = ("check", "read_commoncrawl", "minimum_length", "line_dedup", "language", "perplexity")
    steps = [{"name": name} for name in (*names, "reference_classifier", "write")]
    for task in range(2):
        told = [
            {**step, "time_stats": {"total": number * (task + 1.0)} if number else 0}
            for number, step in enumerate(steps)
        ]
        (logs / "stats" / f"{task:05d}.json").write_text(json.dumps(told))
    shard = {"name": "00000.parquet", "rows": 3, "documents": 4, "tokens": 1537, "dropped_tokens": 12}
    tokens = run / "tokens" / domain
    (tokens / "documents").mkdir(parents=True)
    shards = [{**shard, "split": "train"}, {**shard, "split": "validation", "tokens": 513}]
    (tokens / "tokens.json").write_text(json.dumps({"format": 1, "shards": shards}))
    (run / "tokenizer").mkdir()
    (run / "tokenizer" / "card.json").write_text(json.dumps({"sha256": "ab" * 32, "settings": {"vocab_size": 8000}}))
    share = {"name": domain, "drawn": 6, "rows": 3, "epochs": 2.0}
    mix = {"rows": 6, "tokens": 3072, "seq_len": 512, "seed": 1, "fingerprint": "cd" * 32, "domains": [share]}
    (run / "mix").mkdir()
    (run / "mix" / "mix.json").write_text(json.dumps(mix))
    lines: list[dict[str, Any]] = [
        {"kind": "step", "step": n, "tokens": 4096 * (n + 1), "loss": 8 - n / 10, f"loss/{domain}": 8 - n / 10}
        for n in range(30)
    ]
    lines.insert(20, {"kind": "held_out", "step": 19, "tokens": 81_920, "loss": 6.25, f"loss/{domain}": 6.25})
    (run / "train").mkdir()
    (run / "train" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_evaluations(run: Path, hostile: str = "") -> list[dict[str, Any]]:
    """A source with evaluation texts in it: its ledger's rows, and the step's report."""
    bad = hostile.replace("\x00", "")
    rows = [row(f"arxiv/{n}{bad}") for n in range(3)]
    for n, share in enumerate((0.25, 1.0, 0.5, 0.5, 0.125, 0.75)):
        values = {"eval_task": f"quiz{bad}", "eval_item": f"{n}{bad}", "eval_share": share, "eval_items": 1}
        reason = "contaminated" if share >= 0.5 else None
        rows.append(row(f"arxiv/q{n}", reason, reason and "decontaminate", **values))
    rows.append(row("arxiv/o", "too_short", "length", eval_task="other", eval_item="7", eval_share=0.5, eval_items=2))
    write_ledger(run, "arxiv", [rows[:5], rows[5:]], EVALUATIONS)
    names = ("items", "not_tested", "found", "half", "whole", "documents")
    tasks = [("other", 4, 0, 1, 1, 0, 1), (f"quiz{bad}", 10, 2, 6, 4, 1, 6), ("unseen", 5, 5, 0, 0, 0, 0)]
    told = [{"task": task, **dict(zip(names, numbers, strict=True))} for task, *numbers in tasks]
    report = {"step": "decontaminate", "settings": {"action": "mask"}, "tasks": told}
    (run / "reports" / "arxiv").mkdir(parents=True)
    (run / "reports" / "arxiv" / "02-decontaminate.json").write_text(json.dumps(report))
    return rows


HOSTILE = (
    '<script>window.hacked = 1</script><img src=x onerror="window.hacked=2">"\'><b onclick=alert(1)>&amp;{{ 7*7 }}'
    "</pre></style></title>\x1b[31mred\x1b]0;title\x07\u202egnp.exe\u2066\x00\x9b2J"
)
SHOWN_HOSTILE = (
    '<script>window.hacked = 1</script><img src=x onerror="window.hacked=2">"\'><b onclick=alert(1)>&amp;{{ 7*7 }}'
    "</pre></style></title>redgnp.exe"
)


def write_whole(run: Path, reference: float = 0.1, hostile: str = "") -> list[dict[str, Any]]:
    """A run with every part that a page shows; the rows of its Common Crawl ledger. ``hostile`` is put everywhere."""
    bad = hostile.replace("\x00", "")
    rows = [row(f"commoncrawl/k{n}{bad}", lines_duplicated=3, lines_repeated=1, language="en") for n in range(4)]
    rows += [row(f"commoncrawl/s{n}", "too_short", "minimum_length") for n in range(5)]
    rows += [row("commoncrawl/x", bad or "own_reason", bad or "own_step", detail=bad or None)]
    rows += [row("commoncrawl/f", "damaged_record", "read_commoncrawl", outcome="failed", detail=f"broken {bad}")]
    for n, score in enumerate((0.02, 0.06, 0.2, 0.7)):
        reason = None if score >= reference else "not_like_references"
        scores = {"language": "en", "language_score": 0.9, "perplexity": 300.0 + n, "reference_score": score}
        rows.append(
            row(
                f"commoncrawl/r{n}", reason, reason and "reference_classifier", removed_sample=bad or "a line", **scores
            )
        )
    write_recipe(run, name=f"small {hostile}")
    write_ledger(run, "commoncrawl", [rows])
    pair = row(f"books/b{bad}", "duplicate_book", "overlap", duplicate_of=f"books/a{bad}", overlap=0.93)
    write_ledger(run, "books", [[row("books/a"), pair]])
    code = [row(f"github/{n}", license=f"mit{bad}", code_language=f"C{bad}", alnum_share=n / 9) for n in range(9)]
    write_ledger(run, "github", [code])
    write_evaluations(run, hostile)
    names = json.dumps({f"Infobox {bad}": 3})
    write_ledger(run, "wikipedia", [[row("wikipedia/1", language=f"en{bad}", templates_unknown_names=names)]])
    kept = [
        (each["id"], f"A text {n}. {hostile}", {"source": f"a.gz {hostile}"})
        for n, each in enumerate(rows)
        if not each["reason"]
    ]
    write_texts(run, "documents", "commoncrawl", kept)
    gone = [
        (each["id"], f"Rejected. {hostile}" * 20, {"reason": each["reason"], "language": hostile or "en"})
        for each in rows
        if each["reason"]
    ]
    write_texts(run, "rejected", "commoncrawl", gone)
    write_rest(run, "commoncrawl", reference)
    return rows
