"""Steps that decide over a whole source, as a run of the command does them: the same files for any workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_data.pipeline.commands.run import run_stages
from llama_data.pipeline.core import manifest
from llama_data.pipeline.jobs import stage_jobs
from llama_data.pipeline.recipe import Recipe, load_recipe
from llama_data.pipeline.verify import verify_run

QUESTION = "Which of the two ferries left the quiet harbour first on the morning of the storm?"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of texts, a few of which quote a question; a question, and one that is too short."""
    folder = tmp_path_factory.mktemp("over-all")
    (folder / "in").mkdir()
    for file in range(3):
        rows = [{"text": f"Note {file * 40 + row}: the lists of ferry {row * 7 % 24}. " * 8} for row in range(40)]
        rows[5]["text"] += QUESTION.upper()
        (folder / "in" / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    quiz = [{"id": "storm", "q": QUESTION}, {"id": "short", "q": "Which one?"}]
    (folder / "quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in quiz))
    (folder / "base.yaml").write_text("name: tiny\n")
    return folder


def recipe(place: Path, name: str, workers: int) -> Recipe:
    classifier = {"model": "starter/references", "label": "wiki", "preparation": "lines"}
    steps = [
        {"decontaminate": {"evaluations": [{"path": str(place / "quiz.jsonl"), "fields": ["q"]}]}},
        {"quality": {"models": [classifier], "keep": "50%", "unit": "characters", "buckets": 4}},
    ]
    given = {
        "input": str(place / "in"),
        "output": str(place / name),
        "executor.workers": workers,
        "domains": {},
        "sources": {"web": {"inputs": ["*.jsonl"], "steps": steps, "max_task_bytes": 2000}},
    }
    return load_recipe(str(place / "base.yaml"), given)


def files_of(run: Path) -> dict[str, bytes]:
    folders = ("documents", "ledger", "rejected", "reports")
    found = [path for folder in folders for path in (run / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(run)): path.read_bytes() for path in found if not path.name.startswith("manifest.")}


@pytest.mark.timeout(1800)
def test_files_are_the_same_for_three_workers_and_one_task_after_the_other(
    place: Path, run_jobs: Callable[..., None]
) -> None:
    run_stages(recipe(place, "three", 3), ["web"])
    run_jobs(stage_jobs(recipe(place, "one", 1), "web"))
    one, three = files_of(place / "one"), files_of(place / "three")
    assert one == three
    assert {name for name in one if name.startswith("reports/")} == {
        "reports/web/02-quality.json", "reports/web/01-decontaminate.json", "reports/web/01-decontaminate.items.jsonl",
    }  # fmt: skip
    rows = [json.loads(line) for line in one["reports/web/01-decontaminate.items.jsonl"].splitlines()]
    assert [(row["item"], row.get("share"), row.get("not_tested")) for row in rows] == [
        ("storm", 1.0, None), ("short", None, "too short: its longest text has 2 words of 13"),
    ]  # fmt: skip
    # Reports are among the files of the documents' manifest, and rows of nothing.
    found = manifest.find(str(place / "three" / "documents" / "web"))
    assert found is not None
    assert set(found.content["totals"]) == {"files", "bytes", "documents", "records", "rejected", "signatures"}
    assert all(finding.ok for finding in verify_run(str(place / "three")))
    (place / "three" / "reports" / "web" / "02-quality.json").write_bytes(b"{}")
    [wrong] = [finding.what for finding in verify_run(str(place / "three")) if not finding.ok]
    assert "02-quality.json: 2 bytes, expected" in wrong
