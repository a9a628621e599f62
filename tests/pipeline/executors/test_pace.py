"""What a job's line says of how long its tasks took."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest

from llama_data.pipeline.executors.records import Done
from llama_data.pipeline.executors.tally import STRAGGLER, pace
from llama_data.pipeline.executors.worker import Kit


def test_the_median_and_the_slowest_are_told_of_four_tasks() -> None:
    done = {rank: Done(1.0, 0.0) for rank in range(3)}
    assert pace(done) == ""
    assert pace({**done, 7: Done(STRAGGLER, 0.0)}) == "median 1.0 s, slowest 3.0 s"
    assert pace({**done, 7: Done(STRAGGLER + 0.1, 0.0)}) == "median 1.0 s, slowest 3.1 s, task 7"


@pytest.mark.parametrize("name", ["worker", "ray"])
def test_a_workers_first_task_is_not_slow_for_what_the_worker_loads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "ray":
        pytest.importorskip("ray")
    module: Any = importlib.import_module(f"llama_data.pipeline.executors.{name}")
    clock = [5.0]

    def passes(seconds: float) -> None:
        clock[0] += seconds

    def load(executor: bytes) -> Any:
        passes(60.0)
        return SimpleNamespace(_run_for_rank=lambda rank, local: passes(2.0))

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0], process_time=lambda: clock[0]))
    monkeypatch.setattr(module, "load", load)
    given = (Kit(None, None, None, None, b"", {}), 3) if name == "worker" else (b"", 3, {})
    done = module._attempt(*given).done
    assert (done.seconds, done.cpu) == (2.0, 62.0)
