"""Many small files share a task: the same documents in the same order, in as many files as their bytes make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llama_data.pipeline import jobs
from llama_data.pipeline.core import files
from llama_data.pipeline.core.files import Split, list_files, share_tasks, task_size
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.recipe import Recipe, load_recipe
from llama_data.pipeline.samples import build_samples

DOMAINS = ("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")


def splits(*sizes: int) -> list[Split]:
    return [Split(path="", name=str(number), size=size) for number, size in enumerate(sizes)]


def shared(*sizes: int, most: int) -> list[list[int]]:
    return [[split.size for split in task] for task in share_tasks(splits(*sizes), most)]


def test_neighbours_share_a_task_up_to_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LEAST_TASK", 10)
    assert shared(4, 5, 1, 1, most=100) == [[4, 5, 1], [1]]
    assert shared(11, 4, 5, most=100) == [[11], [4, 5]]
    assert shared(4, 5, 1, 1, most=9) == [[4, 5], [1, 1]]
    assert shared(0, 0, 0, most=100) == [[0, 0, 0]]
    assert shared(most=100) == []


def test_a_task_has_a_share_of_all_bytes_between_two_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LEAST_TASK", 10)
    sizes = {total: task_size(splits(total), 100) for total in (0, 10 * 64, 11 * 64 - 1, 11 * 64, 99 * 64, 101 * 64)}
    assert list(sizes.values()) == [10, 10, 10, 11, 99, 100]
    assert task_size(splits(50), 5) == 5


def test_the_number_of_tasks_follows_from_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LEAST_TASK", 4 << 20)
    assert len(share_tasks(splits(*[10_000] * 5000), 256 << 20)) == 12
    assert len(share_tasks(splits(*[100] * 500_000), 256 << 20)) == 12
    assert len(share_tasks(splits(*[100 << 20] * 8), 256 << 20)) == 8


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    build_samples(folder)
    return folder


@pytest.fixture(scope="module")
def runs(
    samples: Path, tmp_path_factory: pytest.TempPathFactory, run_jobs: Callable[..., None]
) -> dict[int, tuple[Recipe, dict[str, int]]]:
    """The sample dumps with small tasks and with shared ones: the recipe, and the tasks that write documents."""
    made = {}
    for least in (1, 4 << 20):
        overrides: dict[str, Any] = {"input": str(samples), "output": str(tmp_path_factory.mktemp(f"out-{least}"))}
        recipe = load_recipe("quickstart", overrides)
        tasks = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "LEAST_TASK", least)
            for domain in DOMAINS:
                stage = jobs.stage_jobs(recipe, domain)
                run_jobs(stage)
                tasks[domain] = next(job.tasks for job in stage if job.name.endswith("/documents"))
        made[least] = recipe, tasks
    return made


def documents(recipe: Recipe, domain: str) -> list[dict[str, Any]]:
    folder = recipe.context(domain).documents(domain)
    return [doc for path in list_files(folder, ".zst") for doc in read_jsonl(path)]


@pytest.mark.parametrize("domain", DOMAINS)
def test_documents_and_ledger_are_the_same_in_fewer_files(
    runs: dict[int, tuple[Recipe, dict[str, int]]], domain: str
) -> None:
    (alone, many), (together, few) = runs.values()
    assert documents(alone, domain) == documents(together, domain) != []
    rows = [pq.read_table(recipe.context(domain).ledger(domain)).to_pylist() for recipe in (alone, together)]
    assert rows[0] == rows[1]
    assert few[domain] == 1
    for kind in ("documents", "ledger", "rejected"):
        found = [getattr(recipe.context(domain), kind)(domain) for recipe in (alone, together)]
        assert [len(list_files(folder, "")) for folder in found] == [many[domain], few[domain]]


def test_the_sample_dumps_have_several_tasks_to_compare_with(
    runs: dict[int, tuple[Recipe, dict[str, int]]],
) -> None:
    [(_, many), _] = runs.values()
    assert {domain for domain, tasks in many.items() if tasks > 1} >= {"commoncrawl", "wikipedia"}


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_piece_of_a_task_knows_when_its_file_was_changed(samples: Path, tmp_path: Path, domain: str) -> None:
    recipe = load_recipe("quickstart", {"input": str(samples), "output": str(tmp_path)})
    settings = recipe.settings(domain)
    assert settings is not None
    small = settings.model_copy(update={"max_task_bytes": 2000})  # so that files are cut where they can be
    found = jobs.input_splits(jobs.stage_jobs(recipe.with_settings(domain, small), domain))
    assert found
    assert [split.name for split in found if split.stamp == ""] == []
