"""Jobs onto datatrove's executors."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from loguru import logger

from llama_data.pipeline.core.errors import RunError, StoppedError
from llama_data.pipeline.core.extras import require
from llama_data.pipeline.core.files import join, remove_file
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.stopping import Stopped
from llama_data.pipeline.executors.crew import foresee
from llama_data.pipeline.executors.holding import check_hold
from llama_data.pipeline.executors.local import LocalExecutor
from llama_data.pipeline.executors.records import ENDED, JOBS, ranks_in, write_jobs
from llama_data.pipeline.executors.submitted import AHEAD, OWN
from llama_data.pipeline.executors.tally import Tally, failed_message, limits_of, pace
from llama_data.pipeline.executors.worker import Nowhere
from llama_data.pipeline.finish import FINISH
from llama_data.pipeline.recipe import ExecutorSettings, Recipe

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Launched:
    """What became of a job: ``seconds`` is None when it was only submitted (Slurm).

    ``cpu``: seconds of the tasks that were done. ``pace``: their median and the slowest, in words.
    """

    job: str
    tasks: int
    seconds: float | None
    cpu: float = 0.0
    pace: str = ""

    def line(self) -> str:
        """The job on one line."""
        tasks = f"{self.tasks:>5} task{'s' if self.tasks > 1 else ' '}"
        took = "submitted" if self.seconds is None else f"{self.seconds:8.1f} s"
        return f"  {self.job:<34} {tasks} {took}{f'  ({self.pace})' if self.pace else ''}"


def execute(jobs: Sequence[Job], recipe: Recipe, progress: Progress, again: str = "") -> list[Launched]:
    """Run the jobs of a group one after the other; completed tasks of an earlier run are skipped.

    On Slurm they are only submitted; the group's last job runs however the others have ended, and says how.
    ``again``: the command that goes on after a stop.

    Raises:
        RunError: tasks failed; what is complete stays and is not done again by the next run.
        StoppedError: a signal asked the command to end; no process of it is left.
    """
    settings = recipe.executor
    if not jobs:
        return []
    group = recipe.path("logs", jobs[0].name.rpartition("/")[0])
    remove_file(join(group, ENDED))
    if OWN not in os.environ:
        remove_file(join(group, AHEAD))  # of a try before: what it said has been mended
    write_jobs(join(group, JOBS), [(job.name, job.tasks) for job in jobs], settings.kind, settings.workers)
    if settings.kind == "slurm":
        from llama_data.pipeline.executors.slurm import submit

        return [Launched(job, tasks, None) for job, tasks in submit(jobs, recipe, progress)]
    launched = []
    foresee(module for job in jobs for module in job.modules())
    for job in jobs:
        try:
            launched.append(_run(job, recipe))
        except Stopped as stop:
            done, logs = len(ranks_in(recipe.path("logs", job.name), "completions")), recipe.path("logs")
            go_on = f"to go on: {again}" if again else "the same command goes on from there"
            raise StoppedError(
                f"{job.name}: stopped by {stop.name}: {done} of {job.tasks} tasks are complete and stay; no process is "
                f"left; {go_on} (the logs are in {logs})",
                stop.number,
            ) from None
        progress(launched[-1].line())
    return launched


def _run(job: Job, recipe: Recipe) -> Launched:
    """Run a job to its end. Raises RunError: tasks failed."""
    started, logs = time.monotonic(), recipe.path("logs", job.name)
    with silence():
        executor = _executor(job, recipe.executor, logs)
        tally: Tally = executor.run(check_hold)
    if tally.ends_all is not None:
        raise tally.ends_all
    done = len(ranks_in(logs, "completions"))
    if tally.failed and job.name.rpartition("/")[2] == FINISH:
        raise RunError(tally.failed[0].what)
    if tally.failed:
        raise RunError(failed_message(job.name, job.tasks, done, tally.failed, logs, tally.stops))
    if done < job.tasks:
        raise RunError(
            f"{job.name}: {done} of {job.tasks} tasks are complete; see {join(logs, 'logs')}, "
            "then give the same command again"
        )
    return Launched(
        job.name, job.tasks, time.monotonic() - started, sum(item.cpu for item in tally.done.values()), pace(tally.done)
    )


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep datatrove's log lines off the console, which is ours; they are in the run's log files."""
    with contextlib.redirect_stderr(Nowhere()):
        logger.remove()
        yield


def _executor(job: Job, settings: ExecutorSettings, logs: str) -> Any:
    limits = limits_of(settings)
    arguments: dict[str, Any] = {
        "pipeline": list(job.steps),
        "tasks": job.tasks,
        "workers": min(settings.workers, job.tasks),
        "logging_dir": logs,
        "limits": limits,
    }
    if settings.kind == "ray":
        require("ray", "executor.kind ray")
        from llama_data.pipeline.executors.ray import RayExecutor

        return RayExecutor(
            **arguments, cpus_per_task=settings.ray.cpus_per_task, mem_per_cpu_gb=settings.ray.mem_per_cpu_gb
        )
    return LocalExecutor(**arguments)


def is_complete(job: Job, recipe: Recipe) -> bool:
    """True when every task of the job is complete."""
    return len(ranks_in(recipe.path("logs", job.name), "completions")) >= job.tasks
