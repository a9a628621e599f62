"""The last job of a group on Slurm runs when all the others have ended, however they did: it says how."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from llama_data.pipeline.core.files import join
from llama_data.pipeline.executors.records import ENDED, Failure, now, ranks_in, read_failures, write_json
from llama_data.pipeline.executors.tally import Limits, failed_message
from llama_data.pipeline.record import note_failure

PATIENCE = 30.0  # seconds in which a shared file system shows what other nodes have written


def enough_failed(logs: str, limits: Limits) -> bool:
    """Whether more tasks of a job have failed than may: its elements know of each other by what they note."""
    if limits.failures is None or len(ranks_in(logs, "failures")) <= limits.failures:
        return False
    found = read_failures(logs).values()  # one that died is tried again at first
    return sum(one.kind != "death" or one.tries >= limits.deaths for one in found) > limits.failures


@dataclass(frozen=True)
class Last:
    """``run``: the run's folder. ``parts``: name, logs and tasks of the group's other jobs, in their order."""

    run: str
    group: str
    parts: Sequence[tuple[str, str, int]]
    limits: Limits

    def incomplete(self) -> str | None:
        """Which tasks of the first job that is not complete have failed, and how; None: all are complete."""
        deadline = time.monotonic() + PATIENCE
        for name, logs, tasks in self.parts:
            while len(done := ranks_in(logs, "completions")) < tasks:
                failed = read_failures(logs)
                missing = sorted(set(range(tasks)) - set(done))
                if enough_failed(logs, self.limits):  # others were not begun
                    return failed_message(name, tasks, len(done), failed, logs, stopped=True)
                if set(missing) <= set(failed) or time.monotonic() > deadline:
                    # What left no word was killed with its whole job: by the memory limit, or with its node.
                    silent = Failure("death", "it ended without a word: killed for its memory, or its node failed")
                    named = {rank: failed.get(rank, silent) for rank in missing}
                    return failed_message(name, tasks, len(done), named, logs, stopped=False)
                time.sleep(1.0)
        return None

    def note_end(self, wrong: str | None) -> None:
        """Note how the group has ended, for ``status`` and for the next try."""
        if wrong is not None:
            note_failure(self.run, self.group, wrong)
        says = f"{self.group}: complete" if wrong is None else wrong
        write_json(join(self.run, "logs", self.group, ENDED), {"ok": wrong is None, "says": says, "ended": now()})
