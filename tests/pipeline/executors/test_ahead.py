"""What jobs of Slurm know of each other by files: failed tasks are counted, a verb that waited says how it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_data.pipeline.executors.ahead import main
from llama_data.pipeline.executors.last import enough_failed
from llama_data.pipeline.executors.records import Failure, read_json, write_failure, write_json
from llama_data.pipeline.executors.submitted import AHEAD
from llama_data.pipeline.executors.tally import Limits


def test_tasks_that_failed_are_counted_and_those_that_are_tried_again_are_not(tmp_path: Path) -> None:
    logs, limits = str(tmp_path), Limits(deaths=3, failures=1)
    write_failure(logs, 0, Failure("error", "x"))
    assert not enough_failed(logs, limits)
    assert enough_failed(logs, Limits(deaths=3, failures=0))
    write_failure(logs, 1, Failure("death", "x", tries=2))
    assert not enough_failed(logs, limits)
    write_failure(logs, 1, Failure("death", "x", tries=3))
    assert enough_failed(logs, limits)
    write_failure(logs, 1, Failure("time", "x"))
    assert enough_failed(logs, limits)
    assert not enough_failed(logs, Limits(deaths=3, failures=2))
    assert not enough_failed(logs, Limits(deaths=3, failures=None))


def test_a_verb_that_waited_notes_how_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    mine, others = tmp_path / "logs" / "mix" / AHEAD, tmp_path / "logs" / "tokenizer" / AHEAD
    write_json(str(mine), {"since": "now", "ids": [7]})
    write_json(str(others), {"since": "now", "ids": [8]})  # it waits once more
    assert main(str(tmp_path), ["mix", "tokenizer"], ["status", f"{tmp_path}/none"]) == 2
    noted = read_json(str(mine))
    assert noted is not None
    assert f"{tmp_path}/none: no run is there" in noted["says"]
    assert read_json(str(others)) == {"since": "now", "ids": [8]}
    assert main(str(tmp_path), ["mix", "tokenizer"], ["--version"]) == 0
    assert not mine.exists()
    assert others.exists()
