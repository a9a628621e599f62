"""How far a run is, from what is on disk: the same for every executor, also while others do the work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import is_file, is_local, join, list_files, local_path
from llama_data.pipeline.core.lock import is_alive, is_alive_here, read_owner
from llama_data.pipeline.core.screen import plain
from llama_data.pipeline.core.store_lock import StoreLock
from llama_data.pipeline.core.store_lock import is_alive as store_owner_is_alive
from llama_data.pipeline.executors.holding import lock_url
from llama_data.pipeline.executors.records import ENDED, JOBS, ranks_in, read_done, read_failures, read_json
from llama_data.pipeline.executors.submitted import AHEAD, waiting
from llama_data.pipeline.executors.tally import STRAGGLER

SAMPLE = 500  # completed tasks whose seconds are read
SHORT = 30.0  # seconds that a straggler has run for at least
SHOWN = 5  # failed tasks and stragglers that a job shows


@dataclass(frozen=True)
class Running:
    """A task that is being worked on: since when (seconds), where."""

    task: int
    seconds: float
    host: str
    process: int


@dataclass
class JobStatus:
    """The tasks of a job. ``rate``: tasks a minute; ``left``: seconds until the end at that rate; None: not known."""

    name: str
    tasks: int
    done: int
    running: list[Running] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    median: float | None = None
    slowest: tuple[int, float] | None = None
    rate: float | None = None
    left: float | None = None

    @property
    def stragglers(self) -> list[Running]:
        """The tasks that have run for much longer than others took."""
        if self.median is None:
            return []
        return [task for task in self.running if task.seconds > max(STRAGGLER * self.median, SHORT)]


@dataclass
class GroupStatus:
    """A group's jobs. ``state``: complete, running, queued, failed or stopped; ``who`` works on it, in words."""

    group: str
    executor: str
    state: str
    who: str
    says: str
    jobs: list[JobStatus]

    def as_json(self) -> dict[str, Any]:
        """For other programs."""
        jobs = [{**asdict(job), "stragglers": [task.task for task in job.stragglers]} for job in self.jobs]
        return {**asdict(self), "jobs": jobs}


def status_of(run: str) -> list[GroupStatus]:
    """The groups of a run, as they are now. Raises RequestError: there is no run."""
    groups = list(_groups(join(run, "logs")))
    if not groups:
        raise RequestError(f"{run}: no run is there, or none that has begun; expected logs/GROUP/{JOBS} in it")
    return [_group(run, name) for name in groups]


def _groups(logs: str, above: str = "") -> Iterator[str]:
    for path in list_files(join(logs, above) if above else logs, ""):
        name = path.rstrip("/").rpartition("/")[2]
        inner = f"{above}/{name}" if above else name
        if is_file(join(logs, inner, JOBS)) or is_file(join(logs, inner, AHEAD)):
            yield inner
        elif not above:
            yield from _groups(logs, inner)


def _group(run: str, name: str) -> GroupStatus:
    folder = join(run, "logs", name)
    later = read_json(join(folder, AHEAD))  # a verb that was given on Slurm before its turn
    noted = read_json(join(folder, JOBS)) or {"jobs": [], "executor": "local"}
    who = _who(run, name, folder, "slurm" if later is not None else noted["executor"])
    if later is not None and not who and "says" not in later:
        later = None  # it was taken away before its turn
    if later is not None:
        noted = {**noted, "jobs": [], "executor": "slurm"}
    jobs = [_job(join(run, "logs", job["name"]), job["name"], job["tasks"], bool(who), noted) for job in noted["jobs"]]
    ended = read_json(join(folder, ENDED)) or {}
    if later is not None:
        ended = {"ok": False, "says": later.get("says", "")}
    complete = all(job.done >= job.tasks for job in jobs)
    if who:
        state = "running" if any(job.running for job in jobs) or noted["executor"] != "slurm" else "queued"
    elif complete and ended.get("ok", True):
        state = "complete"
    else:
        state = "failed" if any(job.failed for job in jobs) or not ended.get("ok", True) else "stopped"
    return GroupStatus(name, noted["executor"], state, who, plain(str(ended.get("says", ""))), jobs)


def _who(run: str, name: str, folder: str, executor: str) -> str:
    """Who works on the group, in words; empty: nobody."""
    url = lock_url(run, name)
    if is_local(url):
        path = Path(local_path(url))
        owner = read_owner(path)
        alive = owner is not None and is_alive(owner, path)
    else:
        owner = StoreLock(url, name).read()
        alive = owner is not None and store_owner_is_alive(owner)
    if owner is not None and alive:
        return f"process {owner.get('process')} on {owner.get('host')} since {owner.get('since')}"
    if executor == "slurm":
        try:
            ids = waiting(folder)
        except RequestError as error:
            return str(error)
        return f"{len(ids)} jobs in Slurm's queue" if ids else ""
    return ""


def _job(logs: str, name: str, tasks: int, alive: bool, noted: dict[str, Any]) -> JobStatus:
    done = [rank for rank in ranks_in(logs, "completions") if rank < tasks]
    status = JobStatus(name, tasks, len(done))
    status.failed = {rank: plain(failure.sentence()) for rank, failure in read_failures(logs).items()}
    if alive:
        status.running = [task for rank in ranks_in(logs, "running") if (task := _running(logs, rank)) is not None]
    step = max(1, len(done) // SAMPLE)
    seconds = {rank: found.seconds for rank in islice(done, 0, None, step) if (found := read_done(logs, rank))}
    if seconds:
        status.median = median(seconds.values())
        slowest = max(seconds, key=lambda rank: seconds[rank])
        status.slowest = (slowest, seconds[slowest])
        mean, at_once = sum(seconds.values()) / len(seconds), len(status.running)
        if at_once and mean > 0:
            status.rate = 60 * at_once / mean
            status.left = (tasks - len(done)) / status.rate * 60
    return status


def _running(logs: str, rank: int) -> Running | None:
    """A task that is being worked on; None: it has ended meanwhile, or its process is gone."""
    note = read_json(join(logs, "running", f"{rank:05d}.json"))
    if note is None or (note.get("born") is not None and is_alive_here(note) is False):
        return None
    since = datetime.fromisoformat(note["since"])
    return Running(rank, (datetime.now(UTC) - since).total_seconds(), plain(note["host"]), int(note["process"]))


def lines(groups: list[GroupStatus]) -> Iterator[str]:
    """The groups as a person reads them."""
    for group in groups:
        yield f"{group.group}: {group.state} ({group.executor}){f', {group.who}' if group.who else ''}"
        for job in group.jobs:
            yield _line(job)
            for task in job.stragglers[:SHOWN]:
                yield (
                    f"      task {task.task} has run for {_time(task.seconds)} on {task.host}, process {task.process}; "
                    f"half of them took {_time(job.median or 0)} or less"
                )
            for rank in sorted(job.failed)[:SHOWN]:
                yield f"      task {rank}: {job.failed[rank]}"
            if len(job.failed) > SHOWN:
                yield f"      and {len(job.failed) - SHOWN} more failed; `llama-data logs RUN {job.name} --failed`"
        told = any(group.says in failed for job in group.jobs for failed in job.failed.values())
        if group.says and group.state == "failed" and not told:
            yield from (f"    {line}" for line in group.says.splitlines())


def _line(job: JobStatus) -> str:
    parts = [f"{job.done} of {job.tasks} done"]
    parts += [f"{len(job.running)} running"] if job.running else []
    parts += [f"{len(job.failed)} failed"] if job.failed else []
    parts += [f"{job.rate:.1f} tasks a minute, about {_time(job.left or 0)} left"] if job.rate is not None else []
    if job.median is not None and job.slowest is not None:
        parts.append(f"median {_time(job.median)}, slowest {_time(job.slowest[1])} (task {job.slowest[0]})")
    return f"  {job.name:<34} {', '.join(parts)}"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def watch(run: str, every: float) -> Iterator[list[GroupStatus]]:
    """The status again and again, until nothing runs or waits any more."""
    while True:
        found = status_of(run)
        yield found
        if not any(group.state in ("running", "queued") for group in found):
            return
        time.sleep(every)
