"""From a recipe to jobs, and jobs onto datatrove's executors. Nothing in a stage knows which executor runs it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from datatrove.executor import LocalPipelineExecutor  # type: ignore[import-untyped]
from loguru import logger

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.errors import LlamaDataError, RequestError, RunError
from llama_data.pipeline.core.files import (
    Split,
    atomic_write,
    exists,
    file_system,
    is_local,
    list_files,
    local_path,
    read_bytes,
    remove_tree,
)
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.core.version import VERSION
from llama_data.pipeline.recipe import ExecutorSettings, Recipe
from llama_data.pipeline.registry import STAGES
from llama_data.stages.custom import jobs as custom

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


def stage_jobs(recipe: Recipe, stage: str, left_out: LeftOut | None = None) -> list[Job]:
    """The jobs of a domain or source, in the order in which they run; ``left_out``: as in ``list_inputs``.

    Raises:
        RequestError: the recipe does not have it, or its inputs or models are missing.
    """
    settings = recipe.settings(stage)
    if settings is None:
        have = ", ".join(recipe.chosen()) or "none"
        raise RequestError(f"{stage}: the recipe {recipe.name!r} has no settings for this stage; it has: {have}")
    context = replace(recipe.context(stage), left_out=left_out or LeftOut())
    jobs = (
        custom.jobs(settings, context, stage)
        if isinstance(settings, custom.Settings)
        else STAGES[stage].jobs(settings, context)
    )
    _check_inputs(jobs, recipe)
    return jobs


def _check_inputs(jobs: Sequence[Job], recipe: Recipe) -> None:
    """Refuse inputs that the run has written itself, as when its folder lies inside the input."""
    if not is_local(recipe.path()):
        return
    made = ("documents", "ledger", "rejected", "signatures", "logs")
    own = tuple(os.path.abspath(local_path(recipe.path(name))) + os.sep for name in made)
    for split in input_splits(jobs):
        if is_local(split.path) and os.path.abspath(local_path(split.path)).startswith(own):
            raise RequestError(
                f"{split.path}: the globs of the inputs match what the run has written; "
                "give an --output outside of the input, or narrower `inputs`"
            )


def input_splits(jobs: Sequence[Job]) -> list[Split]:
    """The distinct input splits that the jobs read."""
    found = {split: None for job in jobs for step in job.steps if isinstance(step, Step) for split in step.splits}
    return list(found)


def fingerprint(jobs: Sequence[Job], settings: Any) -> str:
    """What a group of jobs depends on: its settings, its inputs' names and sizes, its tasks."""
    content = {
        "version": VERSION,
        "settings": settings,
        "inputs": [split.identity() for split in input_splits(jobs)],
        "jobs": [[job.name, job.tasks] for job in jobs],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def prepare(
    group: str, jobs: Sequence[Job], recipe: Recipe, settings: Any, *, overwrite: bool, outputs: Sequence[str]
) -> None:
    """Make sure that what stands in the run's folder was made from the same inputs and settings.

    A folder that holds other work is an error unless ``overwrite``; then the group's logs and ``outputs``
    (folders) are removed first.

    Raises:
        RequestError: the folder holds output of other inputs or settings, or files of someone else.
    """
    _check_output(recipe)
    record = recipe.path("logs", group, "made-from.json")
    current = fingerprint(jobs, settings)
    if exists(record) and not overwrite:
        if orjson.loads(read_bytes(record)).get("fingerprint") == current:
            return
        raise RequestError(
            f"{recipe.path()}: {group} was made there from other inputs or settings; "
            "give another --output, or --overwrite to make it anew"
        )
    foreign = [folder for folder in outputs if not overwrite and exists(folder) and list_files(folder, "")]
    if foreign:
        raise RequestError(
            f"{foreign[0]}: there is something that this run did not make; "
            "give another --output, or --overwrite to remove it"
        )
    for folder in (recipe.path("logs", group), *outputs):
        remove_tree(folder)
    with atomic_write(record) as stream:
        stream.write(orjson.dumps({"fingerprint": current, "settings": settings}, default=str))


def _check_output(recipe: Recipe) -> None:
    """Refuse an output that cannot be a folder of ours."""
    output = recipe.path()
    file_system(output)
    if is_local(output):
        try:
            os.makedirs(local_path(output), exist_ok=True)
        except OSError as error:
            raise RequestError(f"{output}: cannot be used as the run's folder: {error.strerror}") from None
        if not os.access(local_path(output), os.R_OK | os.W_OK | os.X_OK):
            raise RequestError(f"{output}: cannot be used as the run's folder: no permission to write there")


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


def write_recipe(recipe: Recipe) -> None:
    """Write the resolved recipe beside the run's output, exactly as run."""
    import yaml

    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    with atomic_write(recipe.path("recipe.yaml")) as stream:
        stream.write(text.encode())
