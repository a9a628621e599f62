"""datatrove's local executor over a crew of processes that may die."""

from __future__ import annotations

from collections.abc import Callable

from datatrove.executor import LocalPipelineExecutor  # type: ignore[import-untyped]

from llama_data.pipeline.executors.crew import Crew
from llama_data.pipeline.executors.tallied import Tallied
from llama_data.pipeline.executors.tally import Tally


class LocalExecutor(Tallied, LocalPipelineExecutor):  # type: ignore[misc]
    """datatrove's local executor: its tasks, logs, completions and statistics, in processes whose deaths are noticed.

    Every task is done in a process of its own kind, also when there is one worker: a crash never takes the command
    down.
    """

    def attempt(self, tally: Tally, watch: Callable[[], None]) -> None:
        """Do the tasks of the tally."""
        Crew(self, tally, min(self.workers, len(tally.pending)), watch).run()
