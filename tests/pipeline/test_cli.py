"""The commands as a person types them: exit codes, one clear sentence, no traceback."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

ROOT = Path(__file__).resolve().parents[2]
VERBS = (
    "quickstart", "plan", "run", "status", "logs",
    "models", "train-tokenizer", "tokenize", "mix", "report", "diff", "why", "inspect", "verify",
    "export",
)  # fmt: skip


PROGRAM = (sys.executable, "-m", "llama_data.pipeline.cli")
Told = Callable[..., subprocess.CompletedProcess[str]]


def book(number: int) -> str:
    return "".join(f"Line {line} of the book number {number}, and {line * number} more.\n" for line in range(200))


def test_every_verb_is_listed_has_help_and_stands_in_the_readme(told: Told) -> None:
    listed = told("--help").stdout
    readme = (ROOT / "README.md").read_text()
    for verb in VERBS:
        assert re.search(rf"^  {verb} ", listed, re.MULTILINE), f"{verb} is not in --help"
        assert verb in readme
        assert told(verb, "--help").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "nosuch"], "nosuch: no such stage; expected one or more of: commoncrawl"),
        (
            ["run", "books", "--input", "absent-folder", "--output", "out"],
            "absent-folder: no such file or folder; exp",
        ),
        (["run", "all"], "run all needs a recipe"),
        (["run", "books", "-c", "absent.yaml"], "absent.yaml: no such file"),
        (["plan", "nosuch"], "nosuch: no such recipe; expected a path to a .yaml file or one of: corpus"),
        (["tokenize"], "no recipe: give -c RECIPE"),
        (["why", "absent-run", "id"], "absent-run: no ledger there"),
        (["verify", "absent-run"], "absent-run: no ledger, tokens or mix there"),
        (["report", "absent-run"], "absent-run: no recipe.yaml there"),
        (["inspect", "absent-file"], "absent-file: no such file"),
        (["export", "absent-run", "--to", "csv"], "--to csv: expected one of: megatron, bin, hf"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_exit_code_2(told: Told, arguments: list[str], sentence: str) -> None:
    done = told(*arguments)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_key_is_named_with_its_line(told: Told, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("extends: llama\nname: mine\nmix:\n  weigths: {}\n")
    done = told("plan", file)
    assert done.returncode == 2
    assert "mine.yaml:4: mix.weigths: unknown key; did you mean 'weights'?" in done.stderr


def test_debug_shows_the_traceback(told: Told) -> None:
    assert "Traceback" in told("--debug", "plan", "nosuch").stderr


def test_a_process_ends_as_its_command_does() -> None:
    done = subprocess.run([*PROGRAM, "plan", "nosuch"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"llama-data: nosuch: no such recipe; .*\n", done.stderr)


def test_a_damaged_file_costs_its_record_and_is_counted(told: Told, tmp_path: Path) -> None:
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    (dumps / "good.txt").write_text(book(1))
    packed = gzip.compress(book(2).encode())
    (dumps / "truncated.txt.gz").write_bytes(packed[: len(packed) // 2])
    (dumps / "wrong.zip").write_bytes(b"this is not a zip archive")
    done = told("run", "books", "--input", dumps, "--output", tmp_path / "run")
    assert done.returncode == 1
    assert (
        "2 of 3 records failed, more than the recipe's failure_limit of 1.00%; the first that failed is " in done.stderr
    )
    assert "Traceback" not in done.stderr
    rows = pq.read_table(tmp_path / "run" / "ledger" / "books").to_pylist()
    assert sorted((row["outcome"], row["source"].split("#")[0]) for row in rows) == [
        ("failed", "truncated.txt.gz"),
        ("failed", "wrong.zip"),
        ("kept", "good.txt"),
    ]


def test_one_file_needs_no_recipe_and_why_explains_it(told: Told, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(book(3))
    run = tmp_path / "run"
    done = told("run", "books", "--input", tmp_path / "book.txt", "--output", run)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^books +1 +1 +0 +0", done.stdout, re.MULTILINE)
    why = told("why", run, "book.txt").stdout
    assert "kept: " in why
    assert "Line 0 of the book number 3" in why
    checked = told("verify", run, "--full")
    assert checked.returncode == 0, checked.stdout
    assert "ok  books: 1 records in the ledger, 1 kept and found as documents" in checked.stdout
    document = run / "documents" / "books" / "00000.jsonl.zst"
    document.write_bytes(document.read_bytes()[:-20])
    spoilt = told("verify", run)
    assert spoilt.returncode == 1
    assert re.search(r"^BAD .*/00000\.jsonl\.zst: [\d,]+ bytes, expected ", spoilt.stdout, re.MULTILINE)


def test_verbs_after_run_say_which_documents_are_missing(told: Told, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(book(3))
    run, recipe = tmp_path / "run", tmp_path / "one.yaml"
    assert told("run", "books", "--input", tmp_path / "book.txt", "--output", run).returncode == 0
    done = told("train-tokenizer", "--output", run)
    assert done.returncode == 2
    assert "no documents of commoncrawl, c4," in done.stderr
    text = "extends: llama\nmix: {weights: {books: 1.0}}\ntokenizer: {vocab_size: 300}\ntokens: {seq_len: 64}\n"
    recipe.write_text(text)
    assert told("train-tokenizer", "-c", recipe, "--output", run).returncode == 0
    done = told("tokenize", "-c", recipe, "--output", run)
    assert done.returncode == 0, done.stderr
    assert "left out: commoncrawl, c4," in done.stderr


def test_plan_writes_nothing(told: Told, tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "a.txt").write_text(book(4))
    recipe = tmp_path / "mine.yaml"
    domains = "{commoncrawl: null, c4: null, github: null, wikipedia: null, arxiv: null, stackexchange: null}"
    recipe.write_text(f"extends: llama\nname: mine\ndomains: {domains}\n")
    before = sorted(tmp_path.rglob("*"))
    done = told("plan", recipe, "--input", tmp_path, "--output", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "books" in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_who_reads_no_further_ends_it_as_the_shell_does(tmp_path: Path) -> None:
    (tmp_path / "many.jsonl").write_text('{"id": "x", "text": "a line", "metadata": {}}\n' * 100_000)
    command = [*PROGRAM, "inspect", str(tmp_path / "many.jsonl")]
    with subprocess.Popen([*command, "--limit", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141
