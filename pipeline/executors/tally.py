"""What becomes of the tasks of a job: which are tried again, which are set aside, and when the job stops."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median

from llama_data.pipeline.core.errors import LlamaDataError
from llama_data.pipeline.executors.records import Done, Failure
from llama_data.pipeline.recipe import ExecutorSettings

SHOWN = 20  # failed tasks that a message names
STRAGGLER = 3.0  # times the median


@dataclass(frozen=True)
class Limits:
    """How much may go wrong.

    ``deaths``: deaths of its process after which a task is set aside. ``failures``: tasks that may fail before no
    further one is begun (None: any number). ``seconds``: time after which a task is ended (None: no limit).
    """

    deaths: int = 3
    failures: int | None = 100
    seconds: float | None = None


def limits_of(settings: ExecutorSettings) -> Limits:
    """How much may go wrong, as the recipe says."""
    return Limits(settings.max_task_deaths, settings.max_task_failures, settings.max_task_seconds)


class Tally:
    """The tasks of a job that are to be done, and what became of them."""

    def __init__(self, ranks: Iterable[int], limits: Limits) -> None:
        self.pending = deque(ranks)
        self.limits = limits
        self.failed: dict[int, Failure] = {}
        self.done: dict[int, Done] = {}
        self.ends_all: LlamaDataError | None = None
        self._deaths: Counter[int] = Counter()

    def take(self) -> int | None:
        """The next task to begin; None: there is none, or enough has failed."""
        return None if self.stops or not self.pending else self.pending.popleft()

    @property
    def stops(self) -> bool:
        """Whether no further task is begun."""
        most = self.limits.failures
        return self.ends_all is not None or (most is not None and len(self.failed) > most)

    def completed(self, rank: int, done: Done) -> None:
        """A task is complete."""
        self.done[rank] = done

    def set_aside(self, rank: int, failure: Failure) -> None:
        """A task has failed and is not tried again in this run."""
        self.failed[rank] = failure

    def died(self, rank: int, failure: Failure) -> Failure:
        """The process of a task has died: it goes to the end of the line, or aside. What is to be noted of it."""
        self._deaths[rank] += 1
        failure = replace(failure, tries=self._deaths[rank])
        if self._deaths[rank] < self.limits.deaths:
            self.pending.append(rank)
        else:
            self.set_aside(rank, failure)
        return failure


def pace(done: dict[int, Done]) -> str:
    """The median of the tasks' seconds, and the slowest task where it took much longer; empty for few tasks."""
    if len(done) < 4:
        return ""
    middle = median(item.seconds for item in done.values())
    slowest = max(done, key=lambda rank: done[rank].seconds)
    seconds = done[slowest].seconds
    told = f", task {slowest}" if seconds > STRAGGLER * middle and seconds > 1.0 else ""
    return f"median {middle:.1f} s, slowest {seconds:.1f} s{told}"


def failed_message(job: str, tasks: int, complete: int, failed: dict[int, Failure], logs: str, stopped: bool) -> str:
    """The failed tasks of a job, each with its error and its log, and what to do."""
    lines = [f"{job}: {len(failed)} of {tasks} tasks failed:"]
    for rank in sorted(failed)[:SHOWN]:
        lines.append(f"  task {rank}: {failed[rank].sentence()}; its log is {logs}/logs/task_{rank:05d}.log")
    if len(failed) > SHOWN:
        lines.append(f"  and {len(failed) - SHOWN} more, in {logs}/failures")
    if stopped:
        lines.append("  no further task was begun, for more failed than executor.max_task_failures allows")
    lines.append(
        f"{complete} tasks are complete and stay; mend the cause, then give the same command again: "
        "it does only the tasks that are not complete"
    )
    return "\n".join(lines)
