"""Jobs onto datatrove's executors."""

from __future__ import annotations

import contextlib
import io
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from datatrove.executor import LocalPipelineExecutor  # type: ignore[import-untyped]
from loguru import logger

from llama_data.pipeline.core.errors import LlamaDataError, RequestError, RunError
from llama_data.pipeline.core.files import list_files
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.recipe import ExecutorSettings, Recipe

Progress = Callable[[str], None]


class _Nowhere(io.TextIOBase):
    """A stream that forgets what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


_NOWHERE = _Nowhere()


class LocalExecutor(LocalPipelineExecutor):  # type: ignore[misc]
    """datatrove's local executor, with the console left to us: its log lines go to the run's log files only."""

    def _launch_run_for_rank(self, *args: Any, **kwargs: Any) -> Any:
        with contextlib.redirect_stderr(_NOWHERE):
            logger.remove()
            return super()._launch_run_for_rank(*args, **kwargs)


@dataclass(frozen=True)
class Launched:
    """What became of a job: ``seconds`` is None when it was only submitted (Slurm)."""

    job: str
    tasks: int
    seconds: float | None


def execute(jobs: Sequence[Job], recipe: Recipe, progress: Progress) -> list[Launched]:
    """Run the jobs one after the other; completed tasks of an earlier run are skipped.

    Raises:
        RunError: a task failed; what is complete stays and is not done again by the next run.
    """
    if recipe.executor.kind == "slurm":
        return _submit_slurm(jobs, recipe, progress)
    launched = []
    for job in jobs:
        started = time.monotonic()
        executor = _executor(job, recipe.executor, recipe.path("logs", job.name))
        try:
            with contextlib.redirect_stderr(_NOWHERE):
                logger.remove()
                executor.run()
        except LlamaDataError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}".split("\n", 1)[0]
            raise RunError(
                f"{job.name}: a task failed: {what}; its log is in {recipe.path('logs', job.name, 'logs')}; "
                "the same command goes on from the tasks that are complete"
            ) from error
        _check_complete(job, recipe)
        launched.append(Launched(job.name, job.tasks, time.monotonic() - started))
        progress(f"  {job.name:<34} {job.tasks:>5} task{'s' if job.tasks > 1 else ' '} {launched[-1].seconds:8.1f} s")
    return launched


def _executor(job: Job, settings: ExecutorSettings, logs: str) -> Any:
    if settings.kind == "ray":
        try:
            from datatrove.executor import RayPipelineExecutor
        except ImportError:
            raise RequestError("executor ray: ray is not installed; install llama-data with the extra `ray`") from None
        return RayPipelineExecutor(
            pipeline=list(job.steps),
            tasks=job.tasks,
            workers=min(settings.workers, job.tasks),
            logging_dir=logs,
            cpus_per_task=settings.ray.cpus_per_task,
            mem_per_cpu_gb=settings.ray.mem_per_cpu_gb,
        )
    workers = min(settings.workers, job.tasks)
    return LocalExecutor(pipeline=list(job.steps), tasks=job.tasks, workers=workers, logging_dir=logs)


def is_complete(job: Job, recipe: Recipe) -> bool:
    """True when every task of the job is complete."""
    return len(list_files(recipe.path("logs", job.name, "completions"), "")) >= job.tasks


def _check_complete(job: Job, recipe: Recipe) -> None:
    done = len(list_files(recipe.path("logs", job.name, "completions"), ""))
    if done < job.tasks:
        raise RunError(
            f"{job.name}: {done} of {job.tasks} tasks are complete; see {recipe.path('logs', job.name, 'logs')}, "
            "then give the same command again"
        )


def _submit_slurm(jobs: Sequence[Job], recipe: Recipe, progress: Progress) -> list[Launched]:
    """Submit the jobs as arrays, each depending on the one before; returns without waiting for them."""
    from datatrove.executor import SlurmPipelineExecutor

    slurm = recipe.executor.slurm
    assert slurm is not None  # the recipe's validator demands it
    previous, launched = None, []
    for job in jobs:
        previous = SlurmPipelineExecutor(
            pipeline=list(job.steps),
            tasks=job.tasks,
            workers=recipe.executor.workers,
            job_name=job.name.replace("/", "-"),
            logging_dir=recipe.path("logs", job.name),
            depends=previous,
            time=slurm.time,
            partition=slurm.partition,
            cpus_per_task=slurm.cpus_per_task,
            mem_per_cpu_gb=slurm.mem_per_cpu_gb,
            qos=slurm.qos,
            venv_path=slurm.venv_path,
            env_command=slurm.env_command,
            max_array_size=slurm.max_array_size,
            sbatch_args=dict(slurm.sbatch_args),
        )
        launched.append(Launched(job.name, job.tasks, None))
    if previous is not None:
        try:
            with contextlib.redirect_stderr(_NOWHERE):
                logger.remove()
                previous.run()
        except FileNotFoundError:
            raise RequestError("executor slurm: there is no `sbatch` here; submit from a node of the cluster") from None
        except subprocess.CalledProcessError as error:
            raise RunError(f"executor slurm: `sbatch` refused a job with exit code {error.returncode}") from error
    for item in launched:
        progress(f"  {item.job:<34} {item.tasks:>5} tasks submitted")
    return launched
