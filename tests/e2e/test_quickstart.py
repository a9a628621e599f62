"""The whole way, as a person walks it: quickstart, and a killed run that another number of workers goes on with."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from typer.testing import CliRunner

from llama_data.train_handoff.trainer.cli import app as llama_train

DOMAINS = ("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")
NAMES = ("Common Crawl", "C4", "GitHub", "Wikipedia", "Books", "arXiv", "Stack Exchange")
PROGRAM = (sys.executable, "-m", "llama_data.pipeline.cli")
Command = Callable[..., int]


def digests(run: Path, *kinds: str) -> dict[str, str]:
    files = sorted(path for kind in kinds for path in (run / kind).rglob("*") if path.is_file())
    files = [path for path in files if path.name != "manifest.json"]  # it says when it was written
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished quickstart, of one worker: of two, both would compile what neither has yet."""
    folder = tmp_path_factory.mktemp("quickstart") / "here"
    given = ["quickstart", str(folder), "--workers", "1"]
    done = subprocess.run([*PROGRAM, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "loss fell from" in done.stdout
    assert "Traceback" not in done.stderr
    return folder


def test_a_step_leads_to_its_documents_and_a_document_to_its_rows(
    quickstart: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["rows", str(quickstart / "run" / "train"), "--step", "2", "--json", "--text"]
    done = CliRunner().invoke(llama_train, given, catch_exceptions=False)
    assert done.exit_code == 0
    parts = [json.loads(line) for line in done.stdout.splitlines()]
    assert {part["step"] for part in parts} == {2}
    for part in (parts[0], parts[-1]):
        assert command("why", quickstart / "run", part["id"], "--full") == 0
        told = capsys.readouterr().out
        assert part["source"] in told
        assert f"tokens in tokens/{part['origin_shard']}" in told
        rows = f"{part['row']:,} (row {part['origin_row']:,}, epoch {part['epoch']})"
        assert rows in told
        longest = max(part["text"].splitlines(), key=len).strip()
        assert longest in told


def ledger(run: Path, domain: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(run / "ledger" / domain).to_pylist()
    return rows


def test_every_domain_has_documents_and_a_row_for_every_record(quickstart: Path) -> None:
    for domain in DOMAINS:
        outcomes = Counter(row["outcome"] for row in ledger(quickstart / "run", domain))
        assert outcomes["kept"] > 0, domain
    assert len(ledger(quickstart / "run", "commoncrawl")) == 66
    assert len(ledger(quickstart / "run", "c4")) == 16
    assert len(ledger(quickstart / "run", "github")) == 40
    assert len(ledger(quickstart / "run", "wikipedia")) == 15
    assert len(ledger(quickstart / "run", "books")) == 5
    assert len(ledger(quickstart / "run", "arxiv")) == 4


def test_the_planted_defects_are_found(quickstart: Path) -> None:
    expected = {
        "commoncrawl": {"too_short", "all_lines_duplicated", "language_not_chosen", "not_like_references"},
        "c4": {"invalid_json"},
        "github": {"licence_not_chosen", "duplicate_file", "no_content", "long_line", "generated_file"},
        "wikipedia": {"redirect", "other_namespace"},
        "books": {"duplicate_book"},
        "arxiv": {"no_tex"},
        "stackexchange": {"not_a_question", "orphan_answer"},
    }
    for domain, reasons in expected.items():
        found = {str(row["reason"]) for row in ledger(quickstart / "run", domain)}
        assert reasons <= found, f"{domain}: {reasons - found} not found among {found}"


def test_the_loss_has_visibly_fallen(quickstart: Path) -> None:
    lines = [json.loads(line) for line in (quickstart / "run" / "train" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"] - 1.5


def test_the_report_is_one_page_without_outside_resources(quickstart: Path) -> None:
    page = (quickstart / "run" / "report.html").read_text()
    for number, name in enumerate(NAMES, 1):
        assert f'<h2 id="domain-{number}">{name}</h2>' in page
    assert "src=" not in page
    assert "<link" not in page
    assert "<script" not in page


def test_everything_verifies(quickstart: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = command("verify", quickstart / "run", "--full"), capsys.readouterr().out
    assert code == 0, told
    # Of each domain the chain and the content of documents and of tokens, of the mix both, of the tokenizer its chain.
    assert told.count("ok ") == 4 * len(DOMAINS) + 3


def test_killed_and_gone_on_with_by_two_workers_it_ends_with_the_same_bytes(quickstart: Path, tmp_path: Path) -> None:
    recipe, run = quickstart / "run" / "recipe.yaml", tmp_path / "run"
    given = ["run", "all", "-c", str(recipe), "--output", str(run)]
    for completed in (1, 8):
        process = subprocess.Popen(
            [*PROGRAM, *given], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while process.poll() is None and len(list((run / "logs").rglob("completions/*"))) < completed:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    for verb in (["run", "all"], ["train-tokenizer"], ["tokenize"], ["mix"]):
        given = [*verb, "-c", str(recipe), "--output", str(run), "--workers", "2"]
        done = subprocess.run([*PROGRAM, *given], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    kinds = ("documents", "ledger", "rejected", "tokenizer", "tokens", "mix")
    assert digests(run, *kinds) == digests(quickstart / "run", *kinds)


def test_a_folder_with_something_in_it_is_left_alone(
    quickstart: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("quickstart", quickstart) == 2
    assert "there is something already" in capsys.readouterr().err
