"""datatrove's local executor over a crew of processes that may die."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from datatrove.executor import LocalPipelineExecutor  # type: ignore[import-untyped]
from datatrove.utils.stats import PipelineStats  # type: ignore[import-untyped]

from llama_data.pipeline.executors.crew import Crew
from llama_data.pipeline.executors.records import TaskRecords
from llama_data.pipeline.executors.tally import Limits, Tally


class LocalExecutor(TaskRecords, LocalPipelineExecutor):  # type: ignore[misc]
    """datatrove's local executor: its tasks, logs, completions and statistics, in processes whose deaths are noticed.

    Every task is done in a process of its own kind, also when there is one worker: a crash never takes the command
    down.
    """

    def __init__(self, *, limits: Limits, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.limits = limits

    def run(self, watch: Callable[[], None] = lambda: None) -> Tally:
        """Do the tasks that are not complete; what became of them. ``watch`` is called all the time and may raise."""
        tally = Tally(self.get_incomplete_ranks(), self.limits)
        if tally.pending:
            self.save_executor_as_json()
            Crew(self, tally, min(self.workers, len(tally.pending)), watch).run()
        if not tally.failed and tally.wrong_request is None:
            merge_stats(self)
        return tally


def merge_stats(executor: Any) -> None:
    """Add up the statistics of all tasks, as datatrove does, from what each has left."""
    total = PipelineStats()
    for rank in range(executor.world_size):
        if executor.logging_dir.isfile(f"stats/{rank:05d}.json"):
            with executor.logging_dir.open(f"stats/{rank:05d}.json", "rt") as stream:
                total += PipelineStats.from_json(json.load(stream))
    with executor.logging_dir.open("stats.json", "wt") as stream:
        total.save_to_disk(stream)
