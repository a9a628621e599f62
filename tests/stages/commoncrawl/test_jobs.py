"""The stage, whole: what it decides about small WET files and about a corpus, and what it writes."""

from __future__ import annotations

import gzip
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from llama_data.pipeline.core.errors import InputError, ModelError, RunError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import RunContext
from llama_data.stages.commoncrawl.jobs import Settings, dedup_tasks, jobs
from llama_data.stages.commoncrawl.thresholds import Thresholds, decide

LINE = "A line of text that stands on several pages of the same site and says nothing at all to anyone."


def wet(path: Path, bodies: list[str]) -> None:
    """Write a WET file, one gzip member a record."""
    members = []
    for number, body in enumerate(bodies):
        data = body.encode()
        head = (
            f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://example.org/{path.name}/{number}\r\n"
            f"WARC-Date: 2019-07-01T00:00:00Z\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        members.append(gzip.compress(head.encode() + data + b"\r\n\r\n", mtime=0))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(members))


def unique(seed: int, lines: int = 6) -> str:
    """Lines that occur nowhere else."""
    rng = random.Random(seed)
    return "\n".join(f"Line {rng.random()} {rng.random()} " + chr(97 + rng.randrange(26)) * 60 for _ in range(lines))


def without_models(**changes: Any) -> Settings:
    return Settings(language_model=None, perplexity_models=None, reference_model=None, **changes)


def lettered(text: str) -> str:
    """Digits are all the same to the line dedup; letters are not."""
    return text.translate(str.maketrans("0123456789", "abcdefghij"))


@pytest.fixture
def run(tmp_path: Path) -> RunContext:
    return RunContext(input=str(tmp_path / "in"), output=str(tmp_path / "out"))


def test_two_documents_that_share_a_line_both_lose_it_and_inner_repeats_keep_the_first(
    run: RunContext, run_jobs: Any, results: Any
) -> None:
    own, other = lettered(unique(1)), lettered(unique(2))
    repeated = own.split("\n")[0]
    wet(Path(run.input) / "a.wet.gz", [f"Title\n{own}\n{LINE}\n{repeated}"])
    wet(Path(run.input) / "b.wet.gz", [f"Title\n{LINE}\n{other}"])
    run_jobs(jobs(without_models(), run))
    rows, texts = results(run)
    assert texts == {"a.wet.gz#0": own, "b.wet.gz#0": other}
    assert (rows["a.wet.gz#0"]["lines_duplicated"], rows["a.wet.gz#0"]["lines_repeated"]) == (1, 1)
    assert rows["a.wet.gz#0"]["removed_lines"] == 2
    assert rows["b.wet.gz#0"]["lines_duplicated"] == 1


def test_copies_first_keeps_the_line_in_the_first_document_only(run: RunContext, run_jobs: Any, results: Any) -> None:
    own = [lettered(unique(seed)) for seed in range(4)]
    wet(Path(run.input) / "a.wet.gz", [f"T\n{own[0]}", f"T\n{own[1]}\n{LINE}\n{LINE}", f"T\n{LINE}\n{own[2]}"])
    wet(Path(run.input) / "b.wet.gz", [f"T\n{LINE}\n{own[3]}"])
    run_jobs(jobs(without_models(copies="first"), run))
    _, texts = results(run)
    assert sorted(texts.values()) == sorted([own[0], f"{own[1]}\n{LINE}", own[2], own[3]])


@pytest.mark.parametrize(
    ("body", "counted"),
    [
        ("x" * 299 + "\n", 299),
        ("x" * 300 + "\n", 300),
        ("x" * 301 + "\n", 301),
        ("x" * 298, 299),
        ("x" * 299, 300),
        ("x" * 300, 301),
        ("x" * 298 + "\r\n", 298),
        ("é" * 149 + "\n" + "é" * 150 + "\n", 300),
        ("é" * 149 + "\n" + "é" * 149, 300),
        ("é" * 149 + "\n" + "é" * 148, 299),
        # A blank line in the middle counts; one at the end that has no newline of its own is not seen.
        ("x" * 149 + "\n\n" + "x" * 149 + "\n", 300),
        ("x" * 299 + "\n\n", 300),
        ("x" * 298 + "\n\n", 299),
        ("x" * 300 + "\n ", 300),
        ("x" * 299 + "\n ", 299),
        ("x" * 298 + "\n\n \t", 299),
        ("x" * 299 + "\r", 299),
        # Bytes that are not UTF-8 count a character each.
        ("x" * 298 + "\udcff", 300),
        ("x" * 297 + "\udcff", 299),
        ("x" * 298 + "\udcff\n", 299),
    ],
)
def test_a_page_has_300_characters_as_ccnet_counts_them(
    run: RunContext, run_jobs: Any, results: Any, plain: Any, body: str, counted: int
) -> None:
    data = ("t" * 50 + "\n" + body).encode("utf-8", "surrogateescape")
    assert plain.counted(data.decode("utf-8", "replace")) == counted
    head = f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    Path(run.input).mkdir()
    (Path(run.input) / "a.wet.gz").write_bytes(gzip.compress(head + data + b"\r\n\r\n"))
    (Path(run.input) / "b.wet").write_bytes(head + data + b"\r\n\r\n")
    run_jobs(jobs(without_models(copies="first"), run))
    rows, _ = results(run)
    wanted = "too_short" if counted < 300 else None
    assert rows["a.wet.gz#0"]["reason"] == wanted
    # The lines of a page are hashed when it is long enough: then the second has none of its own.
    assert rows["b.wet#0"]["reason"] == (wanted or "all_lines_duplicated")


def test_300_characters_stay_however_little_is_left(run: RunContext, run_jobs: Any, results: Any) -> None:
    shared = "\n".join(lettered(unique(seed, 1)) for seed in range(10, 12))
    short = "ü" * (299 - len(shared) - 1)
    wet(Path(run.input) / "a.wet.gz", [f"title\n{shared}\n{short}"])
    wet(Path(run.input) / "b.wet.gz", [f"title\n{shared}\n{lettered(unique(13))}"])
    run_jobs(jobs(without_models(), run))
    rows, texts = results(run)
    assert rows["a.wet.gz#0"]["outcome"] == "kept"
    assert texts["a.wet.gz#0"] == short


def test_the_title_is_kept_when_it_is_asked_for(run: RunContext, run_jobs: Any, results: Any) -> None:
    wet(Path(run.input) / "a.wet.gz", [f"The title\n{lettered(unique(3))}"])
    run_jobs(jobs(without_models(title="keep"), run))
    assert next(iter(results(run)[1].values())).startswith("The title\n")


def test_a_page_of_shared_lines_only_is_rejected_and_damage_is_a_row(
    run: RunContext, run_jobs: Any, results: Any
) -> None:
    body = "T\n" + "\n".join([LINE, LINE + "x", LINE + "y", LINE + "z"])
    wet(Path(run.input) / "a.wet.gz", [body, body])
    (Path(run.input) / "b.wet.gz").write_bytes(b"\x1f\x8b\x08\x00 not gzip at all")
    run_jobs(jobs(without_models(), run))
    outcomes = sorted((row["outcome"], row["reason"]) for row in results(run)[0].values())
    assert outcomes == [
        ("failed", "damaged_archive"),
        ("rejected", "all_lines_duplicated"),
        ("rejected", "all_lines_duplicated"),
    ]


def test_input_that_changes_between_the_jobs_is_refused(run: RunContext, run_jobs: Any) -> None:
    path = Path(run.input) / "a.wet.gz"
    wet(path, [f"T\n{lettered(unique(5))}", f"T\n{lettered(unique(6))}"])
    first, second, third = jobs(without_models(), run)
    run_jobs([first, second])
    for changed in ([f"T\n{lettered(unique(7))}"] * 2, [f"T\n{lettered(unique(5))}"]):
        wet(path, changed)
        with pytest.raises(RunError, match="changed"):
            run_jobs([third])


def test_groups_are_shards_of_a_dump_and_never_cross_dumps() -> None:
    splits = [Split(path="", name=f"CC-MAIN-2018-51/{n:05d}.wet.gz", size=100) for n in range(6400)]
    splits += [Split(path="", name=f"CC-MAIN-2019-30/{n:05d}.wet.gz", size=100) for n in range(60)]
    tasks, groups = dedup_tasks(splits, "50/1600", 100)
    assert tasks == [[split] for split in splits]
    assert [group.last - group.first for group in groups] == [200] * 32 + [50, 10]
    assert groups[-1].last == len(splits)
    assert [(g.first, g.last) for g in dedup_tasks(splits, "all", 100)[1]] == [(0, 6400), (6400, 6460)]
    assert len(dedup_tasks(splits[:10], 3, 100)[1]) == 4
    assert dedup_tasks(splits, "all", 1000)[1][0].parts == 1 + 640_000 // 4000


def test_tasks_of_small_files_stay_inside_their_group() -> None:
    splits = [Split(path="", name=f"CC-MAIN-2018-51/{n:05d}.wet.gz", size=100) for n in range(6400)]
    splits += [Split(path="", name=f"CC-MAIN-2019-30/{n:05d}.wet.gz", size=100) for n in range(60)]
    tasks, groups = dedup_tasks(splits, "50/1600", 10_099)
    assert [split for task in tasks for split in task] == splits
    assert [[len(task) for task in tasks[group.first : group.last]] for group in groups] == [
        *[[100, 100]] * 32,
        [50],
        [10],
    ]


def test_more_partitions_decide_the_same(run: RunContext, run_jobs: Any, results: Any, tmp_path: Path) -> None:
    lines = [lettered(unique(seed, 1)) for seed in range(60)]
    rng = random.Random(5)
    pages = ["T\n" + "\n".join(rng.sample(lines, 8)) + f"\n{lettered(unique(100 + n))}" for n in range(12)]
    for number in range(3):
        wet(Path(run.input) / f"{number}.wet.gz", pages[number::3])
    found = []
    for size in (1 << 30, 40):
        made = jobs(without_models(max_task_bytes=size), run)
        shutil.rmtree(run.output, ignore_errors=True)
        run_jobs(made)
        found.append((made[1].tasks, results(run)))
    assert found[0][0] == 1
    assert found[1][0] > 3
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("group", ["51/50", "0/3", "half", 0, "1600"])
def test_a_group_that_cannot_be_read_is_refused(group: int | str) -> None:
    with pytest.raises(ValidationError, match="expected a number of files"):
        Settings(dedup_group=group)


def test_a_missing_model_says_what_to_do(run: RunContext, tmp_path: Path) -> None:
    wet(Path(run.input) / "a.wet.gz", ["x"])
    context = RunContext(input=run.input, output=run.output, models_dir=str(tmp_path))
    with pytest.raises(ModelError, match=r"models pull lid\.176\.bin"):
        jobs(Settings(), context)


def with_models(folder: Path, oracle: Path, **changes: Any) -> Settings:
    return Settings(
        inputs=("*.wet.gz",),
        language_model=str(oracle / "lid.176.ftz"),
        perplexity_models={"en": str(folder)},
        reference_model=str(folder / "references.bin"),
        dedup_group="all",
        **changes,
    )


def test_the_stage_decides_as_the_plain_transcription_on_every_page(
    corpus: Path,
    oracle_models: Path,
    model_folder: Path,
    plain: ModuleType,
    plain_models: Any,
    tmp_path: Path,
    run_jobs: Any,
    results: Callable[[RunContext], tuple[dict[str, Any], dict[str, str]]],
) -> None:
    path = sorted((corpus / "cc").glob("*.wet.gz"))[-1]
    (tmp_path / "in").mkdir()
    shutil.copy(path, tmp_path / "in")
    run = RunContext(input=str(tmp_path / "in"), output=str(tmp_path / "out"))
    run_jobs(jobs(with_models(model_folder, oracle_models), run))
    rows, texts = results(run)
    expected: list[tuple[str, dict[str, Any]]] = []
    plain.whole_stage([path], plain_models, lambda p, g, d: expected.append((f"{p.name}#{g.offset}", d)))
    assert len(expected) == len(rows)
    for source, decided in expected:
        row = rows[source]
        assert texts[source] == decided.pop("text", texts[source])
        assert row.pop("reference_score") == pytest.approx(decided.pop("reference_score", None), abs=1e-4)
        assert {name: row[name] for name in decided} == decided, source
    assert len({row["reason"] for row in rows.values()}) >= 5


def test_thresholds_applied_to_an_annotated_run_decide_as_a_run_with_them(
    corpus: Path, oracle_models: Path, model_folder: Path, tmp_path: Path, run_jobs: Any, results: Any, finish_run: Any
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(sorted((corpus / "cc").glob("*.wet.gz"))[-1], tmp_path / "in")
    runs = [RunContext(input=str(tmp_path / "in"), output=str(tmp_path / name)) for name in ("plain", "notes", "again")]
    strict = {"language_threshold": 0.8, "reference_threshold": 0.3, "perplexity_buckets": ("head", "middle", "tail")}
    run_jobs(jobs(with_models(model_folder, oracle_models, **strict), runs[0]))
    run_jobs(jobs(with_models(model_folder, oracle_models, annotate_only=True), runs[1]))
    finish_run(runs[1].output, "commoncrawl")
    assert not {row["step"] for row in results(runs[1])[0].values()} & {"language", "perplexity"}
    again = with_models(model_folder, oracle_models, from_ledger=runs[1].output, **strict)
    run_jobs(jobs(again, runs[2]))
    first, second = results(runs[0])[0], results(runs[2])[0]
    assert first.keys() == second.keys()
    for source, row in first.items():
        for name in ("outcome", "reason", "step", "chars_in", "chars_out", "lines_in", "lines_out", "removed_lines"):
            assert row[name] == second[source][name], (source, name)
    kept = {source for source, row in first.items() if row["outcome"] == "kept"}
    texts = [results(run)[1] for run in (runs[0], runs[2])]
    assert all(texts[0][source] == texts[1][source] for source in kept)
    assert 0 < len(kept) < len(first)


def test_from_ledger_without_an_annotated_run_is_refused(run: RunContext, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="annotate-only"):
        jobs(without_models(from_ledger=str(tmp_path)), run)


def test_a_score_that_was_not_computed_decides_nothing() -> None:
    assert decide({"language_score": None, "perplexity_bucket": None}, Thresholds()) is None
    assert decide({"language": "de", "language_score": 0.9}, Thresholds()) == ("language_not_chosen", "language")
    row = {"language": "en", "language_score": 0.9, "perplexity_bucket": "tail"}
    assert decide(row, Thresholds()) == ("high_perplexity", "perplexity")
    assert decide(row, Thresholds(perplexity_buckets=None)) is None
    assert decide({"reference_score": 0.3}, Thresholds()) == ("not_like_references", "reference_classifier")
    assert decide({"reference_score": 0.3}, Thresholds(reference_threshold=0.25)) is None
