"""Jobs on datatrove's executor: same bytes for any number of workers, restart, and clear failures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline import execution, jobs, made_from
from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.errors import RequestError, RunError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.executors.tally import Limits, Tally
from llama_data.pipeline.groups import stage_group
from llama_data.pipeline.recipe import Recipe, load_recipe
from llama_data.pipeline.summary import problem, summarise

TEXT = "It was a quiet morning by the river, and the ferryman was already awake.\n" * 40


def quiet(line: str) -> None:
    pass


def books(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        body = "".join(
            f"Chapter {number}. Line {line} of a book about {number * 7919 + line}.\n" for line in range(300)
        )
        (folder / f"book{number}.txt").write_text(body)
    return folder


def recipe(source: Path, output: Path, workers: int = 1, **changes: Any) -> Recipe:
    overrides = {"domains": {"books": {}}, "input": str(source), "output": str(output), "executor.workers": workers}
    return load_recipe("llama", {**overrides, **changes})


def run(made: Recipe, **options: bool) -> None:
    from llama_data.pipeline.commands.run import run_stages

    run_stages(made, ["books"], **options)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for kind in ("documents", "ledger", "rejected") for p in (folder / kind).rglob("*") if p.is_file())
    found = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    # A manifest says when it was written, outside of what its own hash is over.
    manifests = {str(path.relative_to(folder)): path for path in files if path.name == "manifest.json"}
    return found | {name: json.loads(path.read_bytes())["sha256"] for name, path in manifests.items()}


def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path) -> None:
    source = books(tmp_path / "in", 5)
    run(recipe(source, tmp_path / "one", 1))
    run(recipe(source, tmp_path / "two", 2))
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert len(digests(tmp_path / "one")) >= 3


def test_completed_tasks_are_not_done_again(tmp_path: Path) -> None:
    source = books(tmp_path / "in", 3)
    run(recipe(source, tmp_path / "run"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "documents").rglob("*.zst")}
    run(recipe(source, tmp_path / "run"))
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "documents").rglob("*.zst")}


def test_other_inputs_in_the_same_folder_are_refused_until_overwrite(tmp_path: Path) -> None:
    source = books(tmp_path / "in", 3)
    made = recipe(source, tmp_path / "run")
    run(made)
    (source / "extra.txt").write_text(TEXT)
    with pytest.raises(RequestError, match="--overwrite"):
        run(made)
    run(made, overwrite=True)
    assert summarise(made.context("books"), "books").records == 4


@pytest.mark.parametrize("change", [{"documents_per_file": 2}, {"rejected_sample": 1.0}, {"seed": 2}])
def test_a_run_with_other_files_in_mind_is_another_run(tmp_path: Path, change: dict[str, Any]) -> None:
    source = books(tmp_path / "in", 3)
    run(recipe(source, tmp_path / "run"))
    before = digests(tmp_path / "run")
    with pytest.raises(RequestError, match="other inputs or settings"):
        run(recipe(source, tmp_path / "run", **change))
    assert digests(tmp_path / "run") == before


def test_files_that_the_run_did_not_make_are_never_removed_unasked(tmp_path: Path) -> None:
    source, output = books(tmp_path / "in", 1), tmp_path / "out"
    mine = output / "documents" / "books" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(RequestError, match="did not make"):
        run(recipe(source, output))
    assert mine.read_text() == "precious"
    run(recipe(source, output), overwrite=True)
    assert not mine.exists()


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_an_output_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    source = books(tmp_path / "in", 1)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RequestError, match="cannot be used as the run's folder"):
        run(recipe(source, tmp_path / name))
    assert (tmp_path / "file").read_text() == "mine"


def test_a_run_does_not_read_what_it_wrote(tmp_path: Path) -> None:
    source = books(tmp_path / "in", 1)
    mine = source / "run" / "documents" / "other"
    mine.mkdir(parents=True)
    (mine / "a.txt").write_text("text")
    with pytest.raises(RequestError, match="what the run has written"):
        jobs.stage_jobs(recipe(source, source / "run"), "books")
    run(recipe(source, tmp_path / "out"))


@pytest.mark.parametrize("url", ["nonsense://x", "s3nonsense://x/y"])
def test_an_address_of_an_unknown_kind_is_one_sentence(tmp_path: Path, url: str) -> None:
    source, output = books(tmp_path / "in", 1), tmp_path / "out"
    for wrong in ({"input": url}, {"output": url}):
        changes = {"domains": {"books": {}}, "input": str(source), "output": str(output), **wrong}
        with pytest.raises(RequestError, match="this kind of address cannot be opened"):
            run(load_recipe("llama", changes))


def test_a_stage_that_the_recipe_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"arxiv: the recipe 'llama' has no settings .* it has: books"):
        jobs.stage_jobs(recipe(tmp_path, tmp_path / "run"), "arxiv")


def test_missing_inputs_stop_the_run_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no such file or folder"):
        run(recipe(tmp_path / "absent", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_an_input_that_grew_under_its_name_is_another_input(tmp_path: Path) -> None:
    source = books(tmp_path / "in", 2)
    made = recipe(source, tmp_path / "run")
    run(made)
    run(made)
    with (source / "book1.txt").open("a") as stream:
        stream.write("One line more.\n")
    with pytest.raises(RequestError, match="made there from other inputs or settings"):
        run(made)
    run(made, overwrite=True)
    run(made)


SPLIT = Split(path="/in/a", name="a", size=10, start=2, end=7)


def fingerprint_of(*splits: Split, tasks: int = 2, name: str = "d/documents", settings: Any = 1) -> Any:
    jobs = [Job(name, [Numbers(splits=splits, domain="d")], tasks)]
    return made_from.describe(jobs, settings, inputs=splits).content


@pytest.mark.parametrize("change", [{"name": "b"}, {"size": 11}, {"start": 3}, {"end": 8}, {"end": None}])
def test_the_fingerprint_is_of_every_input(change: dict[str, Any]) -> None:
    first = fingerprint_of(SPLIT)
    assert fingerprint_of(SPLIT) == first
    assert fingerprint_of(replace(SPLIT, path="/elsewhere/a")) == first
    assert fingerprint_of(replace(SPLIT, **change)) != first
    assert fingerprint_of(SPLIT, replace(SPLIT, **change)) != first


@pytest.mark.parametrize("change", [{"tasks": 3}, {"name": "d/other"}, {"settings": {"a": 1}}, {"settings": 2}])
def test_the_fingerprint_is_of_the_jobs_and_their_settings(change: dict[str, Any]) -> None:
    assert fingerprint_of(SPLIT, **change) != fingerprint_of(SPLIT)


def test_the_fingerprint_is_of_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    first = fingerprint_of(SPLIT)
    monkeypatch.setattr(made_from, "VERSION", "another")
    assert fingerprint_of(SPLIT) != first


class Numbers(Reader):
    def read(self, split: Split) -> Iterator[Document]:
        yield from ()


class Forgetful:
    """An executor whose tasks end without an error, some of them without a completion."""

    def __init__(self, logs: str, done: int) -> None:
        self.logs, self.done = Path(logs), done

    def run(self, watch: Callable[[], None]) -> Tally:
        (self.logs / "completions").mkdir(parents=True)
        for rank in range(self.done):
            (self.logs / "completions" / f"{rank:05d}").touch()
        return Tally([], Limits())


@pytest.mark.parametrize("done", [0, 2, 3])
def test_a_job_is_complete_when_every_task_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int) -> None:
    made = recipe(tmp_path, tmp_path / "run")
    monkeypatch.setattr(execution, "_executor", lambda job, settings, logs: Forgetful(logs, done))
    some = [Job("books/first", [], 3), Job("books/second", [], done or 1)]
    if done == 3:
        assert [(item.job, item.tasks) for item in execution.execute(some, made, quiet)] == [
            ("books/first", 3),
            ("books/second", 3),
        ]
        return
    with pytest.raises(RunError, match=rf"books/first: {done} of 3 tasks are complete; .*the same command again"):
        execution.execute(some, made, quiet)
    assert not (tmp_path / "run" / "logs" / "books" / "second").exists()


class Broken:
    def __init__(self) -> None:
        self.name = "broken"

    def __call__(self, data: object, rank: int, world_size: int) -> None:
        raise ZeroDivisionError("a bug")


def test_a_bug_in_a_task_is_one_sentence_that_names_the_log(tmp_path: Path) -> None:
    made = recipe(tmp_path, tmp_path / "run")
    with pytest.raises(RunError, match=r"1 of 1 tasks failed:\n  task 0: ZeroDivisionError: a bug; its log is .*logs"):
        execution.execute([Job("books/broken", [Broken()], 1)], made, quiet)
    log = tmp_path / "run" / "logs" / "books" / "broken" / "logs" / "task_00000.log"
    assert "a bug" in log.read_text()


def test_an_empty_or_failing_domain_is_a_problem(tmp_path: Path) -> None:
    summary = summarise(RunContext(input="", output=str(tmp_path)), "books")
    assert "no document is left of 0 input records" in str(problem("books", [summary], 0.01))
    summary.outcomes.update({"kept": 98, "failed": 2})
    assert "2 of 100 records failed, more than the recipe's" in str(problem("books", [summary], 0.01))
    assert problem("books", [summary], 0.05) is None


@pytest.mark.parametrize(
    ("kept", "failed", "limit", "fine"),
    [
        (99, 1, 0.01, True),
        (98, 2, 0.01, False),
        (199, 2, 0.01, True),
        (197, 3, 0.01, False),
        (198, 3, 0.01, False),
        (10, 0, 0.0, True),
        (10, 1, 0.0, False),
        (1, 9, 1.0, True),
        (1, 1, 0.5, True),
        (1, 2, 0.5, False),
    ],
)
def test_as_many_records_may_fail_as_the_limit_says_and_not_one_more(
    tmp_path: Path, kept: int, failed: int, limit: float, fine: bool
) -> None:
    summary = summarise(RunContext(input="", output=str(tmp_path)), "books")
    summary.outcomes.update({"kept": kept, "failed": failed})
    assert (problem("books", [summary], limit) is None) is fine


def test_rejected_records_count_as_records_that_could_be_read(tmp_path: Path) -> None:
    summary = summarise(RunContext(input="", output=str(tmp_path)), "books")
    summary.outcomes.update({"kept": 1, "rejected": 98, "failed": 1})
    assert problem("books", [summary], 0.01) is None
    assert problem("books", [summary], 0.009) is not None


@pytest.mark.parametrize(("workers", "tasks", "started"), [(1, 3, 1), (3, 3, 3), (8, 3, 3)])
def test_there_are_no_more_workers_than_tasks(tmp_path: Path, workers: int, tasks: int, started: int) -> None:
    made = recipe(tmp_path, tmp_path / "run", workers)
    assert execution._executor(Job("books/some", [], tasks), made.executor, str(tmp_path / "logs")).workers == started


def test_an_output_in_an_object_store_makes_no_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = recipe(tmp_path, tmp_path).model_copy(update={"output": "memory://a-bucket/run"})
    group = stage_group(made, "books")
    for _ in range(2):
        assert [job.name for job in made_from.prepare(group, [], made, {"a": 1})] == ["books/finish"]
    with pytest.raises(RequestError, match=r"books was begun there from .* a 1 → 2; .*--overwrite"):
        made_from.prepare(group, [], made, {"a": 2})
    assert list(tmp_path.iterdir()) == []
