"""How a group ends, as the verbs see it: a stage that fails, one that is refused, one that somebody else is at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline import status
from llama_data.pipeline.commands.run import run_stages
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.recipe import Recipe, load_recipe

STEPS = Path(__file__).parent / "executors"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Two sources; a task of the first fails until there is the file ``gate``."""
    monkeypatch.syspath_prepend(str(STEPS))
    monkeypatch.setenv("PYTHONPATH", str(STEPS), prepend=":")
    monkeypatch.setenv("LLAMA_DATA_GATE", str(tmp_path / "gate"))
    for source, name in (("first", "1"), ("first", "3"), ("second", "0")):
        rows = [{"text": f"Record {row} of {source}. " * 20} for row in range(5)]
        path = tmp_path / "dumps" / source / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given: dict[str, Any] = {
        "input": str(tmp_path / "dumps"),
        "output": str(tmp_path / "run"),
        "executor.workers": 1,
        "domains": {},
        "sources": {
            "first": {"inputs": ["first/*.jsonl"], "max_task_bytes": 2500, "steps": ["faulty:Full"]},
            "second": {"inputs": ["second/*.jsonl"], "max_task_bytes": 4000},
        },
        "mix": {"weights": {"first": 0.5, "second": 0.5}},
    }
    (tmp_path / "base.yaml").write_text("name: tiny\n")
    return load_recipe(str(tmp_path / "base.yaml"), given)


def states(recipe: Recipe) -> dict[str, str]:
    return {group.group: group.state for group in status.status_of(recipe.path())}


def test_a_stage_that_fails_keeps_no_later_one_from_being_run(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="first/documents: 1 of 2 tasks failed") as caught:
        run_stages(recipe, ["first", "second"])
    assert "Input/output error" in str(caught.value)
    assert states(recipe) == {"first": "failed", "second": "complete"}
    assert manifest.find(recipe.path("documents", "first")) is None
    assert manifest.find(recipe.path("documents", "second")) is not None
    (tmp_path / "gate").touch()
    assert [found.domain for found in run_stages(recipe, ["first", "second"])] == ["first", "second"]
    assert states(recipe) == {"first": "complete", "second": "complete"}


def test_what_the_last_job_refuses_is_told_and_stands_in_status(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gate").touch()
    with (tmp_path / "dumps" / "first" / "3.jsonl").open("a") as stream:
        stream.write("not JSON\n" * 10)
    with pytest.raises(RunError, match="first: 10 of 20 records failed") as caught:
        run_stages(recipe, ["first", "second"])
    assert "tasks failed" not in str(caught.value)
    assert "second" in capsys.readouterr().out
    assert states(recipe) == {"first": "failed", "second": "complete"}
    shown = "\n".join(status.lines(status.status_of(recipe.path())))
    assert shown.count("10 of 20 records failed") == 1


def test_a_file_that_is_lost_before_the_end_is_no_verdict(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    with (tmp_path / "dumps" / "first" / "3.jsonl").open("a") as stream:
        stream.write("not JSON\n" * 10)
    with pytest.raises(RunError):
        run_stages(recipe, ["first"])
    lost = sorted((tmp_path / "run" / "documents" / "first").glob("*.zst"))[0]
    lost.unlink()
    mended = recipe.model_copy(update={"failure_limit": 0.9})
    with pytest.raises(
        RunError, match=rf"{lost}: missing; .*`llama-data run first --output {tmp_path}/run --overwrite`"
    ):
        run_stages(mended, ["first", "second"])
    assert manifest.find(recipe.path("documents", "second")) is not None
