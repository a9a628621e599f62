"""What executors have in common that do a job's tasks while the command waits."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from datatrove.utils.stats import PipelineStats  # type: ignore[import-untyped]

from llama_data.pipeline.core.failures import naming
from llama_data.pipeline.core.files import join, list_files, read_bytes, remove_tree
from llama_data.pipeline.executors.records import TaskRecords
from llama_data.pipeline.executors.tally import Limits, Tally


class Tallied(TaskRecords):
    """For an executor of datatrove: does what is not complete, tells what became of it, and adds up the statistics."""

    def __init__(self, *, limits: Limits, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.limits = limits

    def run(self, watch: Callable[[], None] = lambda: None) -> Tally:
        """Do the tasks that are not complete; what became of them. ``watch`` is called all the time and may raise."""
        # Nobody is at work here, as the lock says: a note of one is of a process that was killed.
        remove_tree(join(self.logs(), "running"))
        tally = Tally(self.get_incomplete_ranks(), self.limits)
        if tally.pending:
            with naming(join(self.logs(), "executor.json")):
                self.save_executor_as_json()  # type: ignore[attr-defined]
            try:
                self.attempt(tally, watch)
            finally:
                remove_tree(join(self.logs(), "running"))
        if not tally.failed and tally.ends_all is None:
            _merge_stats(self)
        return tally

    @abstractmethod
    def attempt(self, tally: Tally, watch: Callable[[], None]) -> None:
        """Do the tasks of the tally."""


def _merge_stats(executor: Any) -> None:
    """Add up the statistics of all tasks, as datatrove does, from what each has left."""
    total = PipelineStats()
    for path in list_files(join(executor.logs(), "stats"), ".json"):
        total += PipelineStats.from_json(json.loads(read_bytes(path)))
    with naming(join(executor.logs(), "stats.json")), executor.logging_dir.open("stats.json", "wt") as stream:
        total.save_to_disk(stream)
