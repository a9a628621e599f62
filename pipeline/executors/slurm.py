"""datatrove's Slurm executor: job arrays that wait for whole jobs, tasks that are watched, and a last job that sums up.

An array of more tasks than the cluster allows is cut into parts, one after the other. A job waits for every part of the
job before it to have gone well (``afterok``), and looks at the start of each task whether it has; where one failed,
Slurm takes the jobs after it away. The last job waits for all to have ended, however they did: it says how, and
finishes what is complete.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import dill  # type: ignore[import-untyped]
from datatrove.executor import SlurmPipelineExecutor  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import LlamaDataError, RequestError, RunError
from llama_data.pipeline.core.files import is_local, join, local_path, remove_tree
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.stopping import Stopped, stop_on_signals
from llama_data.pipeline.executors.crew import Crew
from llama_data.pipeline.executors.last import Last, enough_failed
from llama_data.pipeline.executors.records import Failure, TaskRecords, now, write_json
from llama_data.pipeline.executors.submitted import SUBMITTED
from llama_data.pipeline.executors.tally import Limits, Tally, failed_message, limits_of
from llama_data.pipeline.finish import FINISH
from llama_data.pipeline.recipe import Recipe, SlurmSettings, slurm_seconds

Progress = Callable[[str], None]

_NEARLY = 90.0  # seconds: a task that is asked to end so shortly before its limit of time was asked because of it


class SlurmExecutor(TaskRecords, SlurmPipelineExecutor):  # type: ignore[misc]
    """One job as an array of tasks. In an element of the array ``run`` does its task, in a watched process."""

    def __init__(self, *, limits: Limits, last: Last | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.limits = limits
        self.last = last

    def run(self) -> None:
        """Do the task of this element of the array; what the job script calls. Ends the process with 1 if it fails."""
        stop_on_signals()
        code, says = self._attempt(self._ranks_of_element())
        if self.last is not None:
            self.last.note_end(says)
        if says is not None:
            print(f"{self.job_name}: {says}", file=sys.stderr)
        sys.exit(code)

    def _attempt(self, ranks: Sequence[int]) -> tuple[int, str | None]:
        """Do the tasks; the exit code, and what went wrong."""
        tally, began = Tally(ranks, self.limits), time.monotonic()
        try:
            if self.last is not None and (told := self.last.incomplete()) is not None:
                return 1, told  # no failure of this job's own
            if self.last is None and enough_failed(self.logs(), self.limits):
                self._begin_no_other()
                return 1, "not begun, for more tasks have failed than executor.max_task_failures allows"
            Crew(self, tally, 1, lambda: None).run()
        except Stopped as stop:
            code, failure = stop.exit_code, Failure("time", self._why(stop, time.monotonic() - began))
        except LlamaDataError as error:
            code, failure = 1, Failure("error", str(error))
        else:
            if tally.failed and self.last is not None:
                return 1, tally.failed[0].sentence()
            if tally.failed:
                return 1, failed_message(
                    self.job_name, len(ranks), len(tally.done), tally.failed, self.logs(), stopped=False
                )
            if tally.ends_all is None:
                return 0, None
            code, failure = 1, Failure("error", str(tally.ends_all))
        for rank in ranks:
            self.note(rank, failure)
        return code, failure.what

    def _begin_no_other(self) -> None:
        """Take away the elements of this array that wait; each of the next array does the same."""
        array = os.environ["SLURM_ARRAY_JOB_ID"]
        subprocess.run(["scancel", "--state=PENDING", array], capture_output=True, timeout=120, check=False)

    def _ranks_of_element(self) -> list[int]:
        element = int(os.environ["SLURM_ARRAY_TASK_ID"]) + self.max_array_size * int(os.environ.get("RUN_OFFSET", 0))
        with self.logging_dir.open("ranks_to_run.json", "r") as stream:
            return list(json.load(stream)[element : element + 1])

    def _why(self, stop: Stopped, seconds: float) -> str:
        if seconds > slurm_seconds(self.time) - _NEARLY:
            return f"it was ended after {seconds:.0f} s by executor.slurm.time ({self.time}); give it more"
        return f"it was ended by {stop.name} after {seconds:.0f} s, as `scancel` or a preemption does"

    def submit(self, after: Iterable[int], submitted: Callable[[int], None]) -> list[int]:
        """Submit the tasks that are not complete as arrays; the ids of its parts, each told as soon as there is one."""
        ranks = self.get_incomplete_ranks()
        if not ranks:
            return []
        remove_tree(join(self.logs(), "failures"))  # of an earlier try: these are counted
        with self.logging_dir.open("executor.pik", "wb") as stream:
            dill.dump(self, stream)
        self.save_executor_as_json()
        with self.logging_dir.open("ranks_to_run.json", "w") as stream:
            json.dump(ranks, stream)
        size = min(len(ranks), self.max_array_size)
        command = f"{self.python()} -m datatrove.tools.launch_pickled_pipeline {self.logs()}/executor.pik"
        script = self.get_launch_file_contents(self.get_sbatch_args(size), f"srun -l -n 1 {command}")
        with self.logging_dir.open("launch_script.slurm", "w") as stream:
            stream.write(script)
        ids: list[int] = []
        after = list(after)
        for part in range(math.ceil(len(ranks) / size)):
            last = min(size, len(ranks) - part * size) - 1
            kind = "afterok" if self.last is None else "afterany"
            depends = [f"{kind}:{':'.join(map(str, after))}"] if after else []
            depends += [f"afterany:{ids[-1]}"] if ids else []  # one part at a time, so that `workers` holds
            arguments = [f"--array=0-{last}%{self.workers}", f"--export=ALL,RUN_OFFSET={part}"]
            ids.append(sbatch(script, *arguments, *_dependency(depends)))
            submitted(ids[-1])
        return ids

    def python(self) -> str:
        """The Python of the job script: the one that submits, or what the recipe's environment brings."""
        return "python" if self.venv_path or self.env_command else sys.executable


def _dependency(depends: Sequence[str]) -> list[str]:
    return [f"--dependency={','.join(depends)}", "--kill-on-invalid-dep=yes"] if depends else []


def sbatch(script: str, *arguments: str) -> int:
    """Submit a job script; its id. Raises RequestError or RunError: Slurm is not here, or does not take it."""
    with tempfile.NamedTemporaryFile("w", suffix=".slurm") as stream:
        stream.write(script)
        stream.flush()
        done = subprocess.run(
            ["sbatch", "--parsable", *arguments, stream.name], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RunError(f"executor slurm: `sbatch` refused a job: {' '.join(done.stderr.split())}")
    return int(done.stdout.split(";")[0])


def need_slurm() -> None:
    """Raises RequestError: there is no Slurm here."""
    if shutil.which("sbatch") is None:
        raise RequestError("executor slurm: there is no `sbatch` here; submit from a node of the cluster")


def plain_script(recipe: Recipe, name: str, arguments: str, log: str) -> str:
    """The script of a job that is no array: Python with some arguments, one CPU, in the recipe's environment."""
    slurm = recipe.executor.slurm
    assert slurm is not None
    asked = {"job-name": name, "partition": slurm.partition, "time": slurm.time, "output": log, "error": log}
    asked |= {"cpus-per-task": "1", "mem-per-cpu": f"{slurm.mem_per_cpu_gb}G", **slurm.sbatch_args}
    asked |= {"qos": slurm.qos} if slurm.qos else {}
    venv = activate(slurm.venv_path)
    before = slurm.env_command or (f"source {venv}" if venv else "")
    python = "python" if before else sys.executable
    lines = [f"#SBATCH --{option}={value}" if value else f"#SBATCH --{option}" for option, value in asked.items()]
    return "\n".join(["#!/bin/bash", *lines, before, f"exec {python} {arguments}", ""])


def submit(jobs: Sequence[Job], recipe: Recipe, progress: Progress) -> list[tuple[str, int]]:
    """Submit a group's jobs, of which the last finishes it; names and tasks. Returns without waiting for them.

    Raises:
        RequestError: there is no Slurm here. RunError: it does not take a job.
    """
    slurm = recipe.executor.slurm
    assert slurm is not None  # the recipe's validator demands it
    need_slurm()
    if not is_local(recipe.path()):
        raise RequestError(f"{recipe.path()}: executor slurm needs a folder that all nodes share, for its job scripts")
    group = os.path.abspath(local_path(recipe.path("logs", jobs[0].name.rpartition("/")[0])))
    made = _executors(jobs, recipe, slurm)
    noted: dict[str, Any] = {"since": now(), "ids": []}

    def submitted(number: int) -> None:
        noted["ids"].append(number)
        write_json(join(group, SUBMITTED), noted)

    previous: list[int] = []
    for executor, job in zip(made, jobs, strict=True):
        after = previous if executor.last is None else tuple(noted["ids"])
        previous = executor.submit(after, submitted) or previous
        progress(f"  {job.name:<34} {job.tasks:>5} tasks submitted")
    progress(f"  the last job sums up and checks; `llama-data status {recipe.path()}` says how far it is")
    return [(job.name, job.tasks) for job in jobs]


def _executors(jobs: Sequence[Job], recipe: Recipe, slurm: SlurmSettings) -> list[SlurmExecutor]:
    settings = recipe.executor
    earlier: list[tuple[str, str, int]] = []
    run, made = os.path.abspath(local_path(recipe.path())), []
    for job in jobs:
        group, _, short = job.name.rpartition("/")
        logs = os.path.abspath(local_path(recipe.path("logs", job.name)))
        made.append(
            SlurmExecutor(
                limits=limits_of(settings),
                last=Last(run, group, earlier, limits_of(settings)) if short == FINISH else None,
                pipeline=list(job.steps),
                tasks=job.tasks,
                workers=settings.workers,
                job_name=job.name.replace("/", "-"),
                logging_dir=logs,
                time=slurm.time,
                partition=slurm.partition,
                cpus_per_task=slurm.cpus_per_task,
                mem_per_cpu_gb=slurm.mem_per_cpu_gb,
                qos=slurm.qos,
                venv_path=activate(slurm.venv_path),
                env_command=slurm.env_command,
                max_array_size=slurm.max_array_size,
                sbatch_args=dict(slurm.sbatch_args),
            )
        )
        earlier = [*earlier, (job.name, logs, job.tasks)]
    return made


def activate(venv: str | None) -> str | None:
    """The script that activates a virtual environment, which may be given as its folder."""
    if venv is None:
        return None
    path = Path(venv).expanduser()
    return str(path / "bin" / "activate") if path.is_dir() or path.name != "activate" else str(path)
