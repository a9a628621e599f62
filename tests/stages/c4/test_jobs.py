"""C4 from files to documents: the released form, and the rebuild with its two corpus-wide steps."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.core.files import list_files
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.stages.c4.jobs import Settings, jobs

RunJobs = Callable[[Sequence[Job]], None]


def write_rows(path: Path, rows: Sequence[dict[str, Any] | bytes]) -> None:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))


def documents(run: RunContext) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for path in list_files(run.documents("c4"), ".zst") for row in read_jsonl(path)}


def ledger(run: RunContext) -> dict[str, dict[str, Any]]:
    rows = pq.read_table(run.ledger("c4")).to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"].rpartition("/")[2]: row for row in rows}


@pytest.fixture
def run(tmp_path: Path) -> RunContext:
    return RunContext(input=str(tmp_path / "in"), output=str(tmp_path / "out"))


def test_released_files_pass_as_they_are(tmp_path: Path, run: RunContext, run_jobs: RunJobs) -> None:
    text = "  Kept { verbatim,\r\n lorem ipsum\u2028javascript  "
    rows: list[dict[str, Any] | bytes] = [
        {"text": text, "timestamp": "2019-04-25T12:57:54Z", "url": "http://a.org/"},
        b'{"text": "broken',
        {"text": "No address."},
        b"[1]",
        b"",
        {"url": "http://a.org/b"},
        {"text": " "},
    ]
    write_rows(tmp_path / "in" / "c4-train.00000.json.gz", rows)
    run_jobs(jobs(Settings(), run))
    kept = documents(run)
    assert list(kept) == ["c4/c4-train.00000.json.gz#1", "c4/c4-train.00000.json.gz#3"]
    first = kept["c4/c4-train.00000.json.gz#1"]
    assert first["text"] == text
    assert first["metadata"]["url"] == "http://a.org/"
    assert first["metadata"]["timestamp"] == "2019-04-25T12:57:54Z"
    assert first["metadata"]["language"] == "en"
    found = {row["source"].partition("#")[2]: (row["outcome"], row["reason"]) for row in ledger(run).values()}
    assert found == {
        "1": ("kept", None),
        "2": ("failed", "invalid_json"),
        "3": ("kept", None),
        "4": ("failed", "invalid_json"),
        "6": ("failed", "missing_field"),
        "7": ("rejected", "empty_text"),
    }
    assert "line 2" in ledger(run)["c4-train.00000.json.gz#2"]["detail"]


def test_a_file_cut_short_keeps_what_stands_before(tmp_path: Path, run: RunContext, run_jobs: RunJobs) -> None:
    path = tmp_path / "in" / "a.json.gz"
    write_rows(path, [{"text": f"{n} " + str(hash(str(n)))} for n in range(2000)])
    path.write_bytes(path.read_bytes()[:-20])
    run_jobs(jobs(Settings(), run))
    outcomes = Counter((row["outcome"], row["reason"]) for row in ledger(run).values())
    assert outcomes[("failed", "truncated_file")] == 1
    assert outcomes[("kept", None)] > 1500


A, B, C = "This line stands on two pages.", "Here is a line of its own.", "Yet another line of its own."
D, E, F = "The fourth line is here now.", "The fifth line is here now.", "The sixth line is here now."


def rebuild(tmp_path: Path, run: RunContext, run_jobs: RunJobs, files: list[list[dict[str, Any]]], **more: Any) -> None:
    for number, rows in enumerate(files):
        write_rows(tmp_path / "in" / f"{number}.json.gz", list(rows))
    run_jobs(jobs(Settings(rebuild=True, language=None, **more), run))


def texts(run: RunContext) -> dict[str, str]:
    return {id.removeprefix("c4/"): row["text"] for id, row in documents(run).items()}


def test_a_line_stays_on_the_page_whose_address_has_the_highest_md5(
    tmp_path: Path, run: RunContext, run_jobs: RunJobs
) -> None:
    high, low = sorted(("a.org/0", "a.org/1"), key=lambda key: hashlib.md5(key.encode()).hexdigest(), reverse=True)
    pages = [
        [{"url": "http://" + low, "text": "\n".join([A, B, C, D, B])}],
        [{"url": "https://www." + high + "/", "text": "\n".join([E, A.upper(), F, E])}],
    ]
    rebuild(tmp_path, run, run_jobs, pages)
    assert texts(run) == {"0.json.gz#1": "\n".join([B, C, D]), "1.json.gz#1": "\n".join([E, A.upper(), F])}
    assert ledger(run)["0.json.gz#1"]["removed_lines"] == 2


def test_too_few_sentences_after_line_dedup_reject_the_page(tmp_path: Path, run: RunContext, run_jobs: RunJobs) -> None:
    pages = [[{"url": f"http://a.org/{n}", "text": "\n".join([A, B, C] if n else [A, B, C, D])} for n in range(2)]]
    rebuild(tmp_path, run, run_jobs, pages)
    outcomes = sorted((row["outcome"], row["reason"], row["step"]) for row in ledger(run).values() if row["reason"])
    assert outcomes == [("rejected", "too_few_sentences", "line_dedup")]


def test_the_newest_page_of_an_address_stays_and_the_older_keep_no_line(
    tmp_path: Path, run: RunContext, run_jobs: RunJobs
) -> None:
    text = "\n".join([A, B, C])
    pages = [
        [{"url": "http://a.org/x?utm_source=y", "timestamp": "2019-01-01T00:00:00Z", "text": text}],
        [{"url": "https://a.org/x/", "timestamp": "2019-02-01T00:00:00Z", "text": text}],
        [{"url": "http://a.org/x", "timestamp": "2019-02-01T00:00:00Z", "text": text}],
        [{"text": "\n".join([D, E, F])}, {"text": "\n".join([D[:-1], E, F])}],
    ]
    rebuild(tmp_path, run, run_jobs, pages)
    found = {name: (row["outcome"], row["reason"]) for name, row in ledger(run).items()}
    assert found["0.json.gz#1"] == found["2.json.gz#1"] == ("rejected", "older_copy")
    assert texts(run)["1.json.gz#1"] == text
    assert found["3.json.gz#1"] == ("kept", None)
    assert found["3.json.gz#2"][1] == "too_few_sentences"


def test_steps_can_be_switched_off(tmp_path: Path, run: RunContext, run_jobs: RunJobs) -> None:
    text = "\n".join([A, B, C])
    pages = [[{"url": "http://a.org/x", "text": text}, {"url": "http://a.org/x", "text": text}]]
    rebuild(tmp_path, run, run_jobs, pages, newest_page=False, line_dedup=False, max_characters=None)
    assert list(texts(run).values()) == [text, text]


def test_the_number_of_partitions_changes_nothing(tmp_path: Path, run_jobs: RunJobs) -> None:
    lines = [f"Line number {n % 57} of all these lines." for n in range(200)]
    pages = [
        [{"url": f"http://a.org/{f}/{n % 9}", "text": "\n".join(lines[n : n + 7])} for n in range(20)] for f in range(3)
    ]
    found = []
    for max_task_bytes in (1, 1 << 30):
        run = RunContext(input=str(tmp_path / "in"), output=str(tmp_path / str(max_task_bytes)))
        rebuild(tmp_path, run, run_jobs, pages, max_task_bytes=max_task_bytes)
        assert len(ledger(run)) == 60
        found.append(texts(run))
    assert found[0] == found[1]
    every = [line for text in found[0].values() for line in text.split("\n")]
    assert len(set(every)) == len(every) > 10


def test_the_language_is_found_and_chosen(
    oracle_models: Path, tmp_path: Path, run: RunContext, run_jobs: RunJobs
) -> None:
    german = "Das ist die erste Zeile hier.\nDas ist die zweite Zeile hier.\nUnd das ist die dritte Zeile hier."
    write_rows(tmp_path / "in" / "0.json.gz", [{"text": "\n".join([A, B, C])}, {"text": german}])
    run_jobs(jobs(Settings(rebuild=True, language_model=str(oracle_models / "lid.176.ftz")), run))
    found = ledger(run)
    assert (found["0.json.gz#1"]["outcome"], found["0.json.gz#1"]["language"]) == ("kept", "en")
    assert (found["0.json.gz#2"]["reason"], found["0.json.gz#2"]["language"]) == ("language_not_chosen", "de")
    assert found["0.json.gz#1"]["language_score"] > 0.5


@pytest.mark.parametrize("setting", ["language", "language_model"])
def test_no_language_or_no_model_is_no_step(tmp_path: Path, run: RunContext, run_jobs: RunJobs, setting: str) -> None:
    write_rows(tmp_path / "in" / "0.json.gz", [{"text": "\n".join([A, B, C])}])
    run_jobs(jobs(Settings.model_validate({"rebuild": True, setting: None}), run))
    found = ledger(run)["0.json.gz#1"]
    assert (found["outcome"], found.get("language")) == ("kept", None)


def test_a_missing_language_model_is_said_before_anything_runs(tmp_path: Path, run: RunContext) -> None:
    write_rows(tmp_path / "in" / "0.json.gz", [{"text": A}])
    with pytest.raises(ModelError, match=r"none\.bin"):
        jobs(Settings(rebuild=True, language_model=str(tmp_path / "none.bin")), run)


def test_the_corpus_demo_passes_as_it_is(corpus: Path, tmp_path: Path, run_jobs: RunJobs) -> None:
    run = RunContext(input=str(corpus / "c4"), output=str(tmp_path))
    run_jobs(jobs(Settings(), run))
    with gzip.open(corpus / "c4" / "c4-demo-dev.json.gz") as stream:
        wanted = [json.loads(line)["text"] for line in stream]
    assert [row["text"] for row in documents(run).values()] == wanted


def test_the_released_corpus_loses_hardly_a_line_to_the_rules(corpus: Path, tmp_path: Path, run_jobs: RunJobs) -> None:
    run = RunContext(input=str(corpus / "c4"), output=str(tmp_path))
    run_jobs(jobs(Settings(rebuild=True, language=None), run))
    rows = list(ledger(run).values())
    lost = [row for row in rows if row["outcome"] != "kept"]
    assert len(lost) <= 2, [(row["source"], row["reason"]) for row in lost]
    assert sum(row["removed_lines"] or 0 for row in rows) <= 5


def test_the_corpus_wet_files_are_rebuilt(corpus: Path, tmp_path: Path, run_jobs: RunJobs) -> None:
    run = RunContext(input=str(corpus / "cc"), output=str(tmp_path))
    run_jobs(jobs(Settings(rebuild=True, language=None, inputs=("CC-MINI-DEV-0000[45].warc.wet.gz",)), run))
    rows = ledger(run)
    assert len(rows) == 1492 + 590
    kept = texts(run)
    every = [line.strip().lower() for text in kept.values() for line in text.split("\n")]
    assert len(set(every)) == len(every)
    assert all(line.rstrip().endswith((".", "?", "!", '"')) for line in every)
