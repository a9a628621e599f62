"""How far a run is, from what is on disk: the same for every executor, also while others do the work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import is_file, is_local, join, list_files, local_path
from llama_data.pipeline.core.lock import is_alive, is_alive_here, read_owner
from llama_data.pipeline.core.screen import plain
from llama_data.pipeline.core.store_lock import StoreLock
from llama_data.pipeline.core.store_lock import is_alive as store_owner_is_alive
from llama_data.pipeline.core.whereabouts import Counts
from llama_data.pipeline.executors.holding import lock_url
from llama_data.pipeline.executors.records import (
    ENDED,
    JOBS,
    Done,
    ranks_in,
    read_done,
    read_failures,
    read_json,
    seconds_since,
)
from llama_data.pipeline.executors.submitted import AHEAD, waiting
from llama_data.pipeline.executors.tally import STRAGGLER

SAMPLE = 500  # completed tasks whose seconds are read
SHORT = 30.0  # seconds that a straggler has run for at least
SHOWN = 5  # failed tasks and stragglers that a job shows


@dataclass(frozen=True)
class Running:
    """A task that is being worked on: since when (seconds), where, and what it had done when it last said so."""

    task: int
    seconds: float
    host: str
    process: int
    counts: Counts | None = None


@dataclass
class JobStatus:
    """The tasks of a job, and what they have done.

    ``counts``: of completed and running tasks together; ``exact``: whether all completed ones have been read, or it
    follows from some of them. ``speed``: the same a second, as it is now. ``rate``: tasks a minute. ``left``: seconds
    until the end at that rate. None: not known.
    """

    name: str
    tasks: int
    done: int
    running: list[Running] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    median: float | None = None
    slowest: tuple[int, float] | None = None
    rate: float | None = None
    left: float | None = None
    counts: Counts = field(default_factory=Counts)
    exact: bool = True
    speed: Counts | None = None

    @property
    def stragglers(self) -> list[Running]:
        """The tasks that have run for much longer than others took."""
        if self.median is None:
            return []
        return [task for task in self.running if task.seconds > max(STRAGGLER * self.median, SHORT)]

    @property
    def kept(self) -> float | None:
        """The share (0..1) of records that were kept, of those that have come to their end."""
        return self.counts.kept / self.counts.settled if self.counts.settled else None


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
    return Watcher(run).look()


class Watcher:
    """Looks at a run again and again. What a completed task has said is read once, at most ``SAMPLE`` in a look."""

    def __init__(self, run: str) -> None:
        self.run = run
        self._known: dict[tuple[str, str], dict[int, Done | None]] = {}

    def look(self) -> list[GroupStatus]:
        """The groups of the run, as they are now. Raises RequestError: there is no run."""
        groups = list(_groups(join(self.run, "logs")))
        if not groups:
            raise RequestError(f"{self.run}: no run is there, or none that has begun; expected logs/GROUP/{JOBS} in it")
        return [self.look_at(name) for name in groups]

    def look_at(self, name: str) -> GroupStatus:
        """One group of the run, as it is now; without jobs, where none has begun."""
        folder = join(self.run, "logs", name)
        later = read_json(join(folder, AHEAD))  # a verb that was given on Slurm before its turn
        noted = read_json(join(folder, JOBS)) or {"jobs": [], "executor": "local"}
        who = _who(self.run, name, folder, "slurm" if later is not None else noted["executor"])
        if later is not None and not who and "says" not in later:
            later = None  # it was taken away before its turn
        if later is not None:
            noted = {**noted, "jobs": [], "executor": "slurm"}
        jobs = [self._job(job["name"], job["tasks"], bool(who), str(noted.get("since"))) for job in noted["jobs"]]
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

    def _job(self, name: str, tasks: int, alive: bool, since: str) -> JobStatus:
        logs = join(self.run, "logs", name)
        done = [rank for rank in ranks_in(logs, "completions") if rank < tasks]
        status = JobStatus(name, tasks, len(done))
        status.failed = {rank: plain(failure.sentence()) for rank, failure in read_failures(logs).items()}
        if alive:
            status.running = [task for rank in ranks_in(logs, "running") if (task := _running(logs, rank)) is not None]
        known = self._known.setdefault((name, since), {})
        unread = [rank for rank in done if rank not in known]
        known |= {rank: read_done(logs, rank) for rank in unread[:: max(1, -(-len(unread) // SAMPLE))]}
        _measure(status, {rank: found for rank, found in known.items() if found is not None}, len(known))
        return status


def _measure(status: JobStatus, done: dict[int, Done], read: int) -> None:
    """Add what follows from the completed tasks that were read, and from the running ones."""
    counted = [task.counts for task in done.values() if task.counts is not None]
    completed = sum(counted, Counts())
    going = [task for task in status.running if task.counts is not None]
    working = sum((task.counts for task in going if task.counts is not None), Counts())
    status.exact = read == status.done
    status.counts = completed.times(status.done / len(counted) if counted and not status.exact else 1.0) + working
    at_once = len(status.running)
    spent = sum(task.seconds for task in done.values() if task.counts is not None) + sum(task.seconds for task in going)
    if at_once and spent > 0:
        status.speed = (completed + working).times(at_once / spent)
    if not done:
        return
    seconds = {rank: task.seconds for rank, task in done.items()}
    status.median = median(seconds.values())
    slowest = max(sorted(seconds), key=lambda rank: seconds[rank])
    status.slowest = (slowest, seconds[slowest])
    mean = sum(seconds.values()) / len(seconds)
    if at_once and mean > 0:
        status.rate = 60 * at_once / mean
        # Of a task that takes longer than others nothing is known but that it is not over.
        begun = sum(max(mean - task.seconds, mean / 10) for task in status.running)
        queued = max(0, status.tasks - status.done - at_once - len(status.failed))
        status.left = (queued * mean + begun) / at_once


def _groups(logs: str, above: str = "") -> Iterator[str]:
    for path in list_files(join(logs, above) if above else logs, ""):
        name = path.rstrip("/").rpartition("/")[2]
        inner = f"{above}/{name}" if above else name
        if is_file(join(logs, inner, JOBS)) or is_file(join(logs, inner, AHEAD)):
            yield inner
        elif not above:
            yield from _groups(logs, inner)


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


def _running(logs: str, rank: int) -> Running | None:
    """A task that is being worked on; None: it has ended meanwhile, or its process is gone."""
    note = read_json(join(logs, "running", f"{rank:05d}.json"))
    if note is None or (note.get("born") is not None and is_alive_here(note) is False):
        return None
    seconds = seconds_since(note["since"])
    return Running(rank, seconds, plain(note["host"]), int(note["process"]), Counts.of(note.get("counts")))


def lines(groups: list[GroupStatus]) -> Iterator[str]:
    """The groups as a person reads them."""
    for group in groups:
        yield f"{group.group}: {group.state} ({group.executor}){f', {group.who}' if group.who else ''}"
        for job in group.jobs:
            yield _line(job)
            for task in job.stragglers[:SHOWN]:
                yield (
                    f"      task {task.task} has run for {seconds_in_words(task.seconds)} on {task.host}, "
                    f"process {task.process}; half of them took {seconds_in_words(job.median or 0)} or less"
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
    parts += (
        [f"{job.rate:.1f} tasks a minute, about {seconds_in_words(job.left or 0)} left"] if job.rate is not None else []
    )
    parts += [done_in_words(job)] if job.counts.records else []
    if job.median is not None and job.slowest is not None:
        parts.append(
            f"median {seconds_in_words(job.median)}, slowest {seconds_in_words(job.slowest[1])} (task {job.slowest[0]})"
        )
    return f"  {job.name:<34} {', '.join(parts)}"


def done_in_words(job: JobStatus) -> str:
    """What a job has done, and how fast it is."""
    about = "" if job.exact else "about "
    told = f"{about}{job.counts.records:,} records"
    told += f" ({job.kept:.1%} kept)" if job.kept is not None else ""
    if job.speed is not None and job.speed.records:
        told += f", {job.speed.records:,} a second"
        told += f" and {job.speed.bytes / 1e6:.1f} MB" if job.speed.bytes else ""
    return told


def seconds_in_words(seconds: float) -> str:
    """A length of time as a person says it."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def in_short(number: int) -> str:
    """A count in at most five characters: 999, 12.3k, 4.56M."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size * 10 or (number >= size and size > 10**3):
            value = number / size
            return f"{value:.{max(0, 3 - len(str(int(value))))}f}{unit}"
    return f"{number:,}"


def watch(run: str, every: float) -> Iterator[list[GroupStatus]]:
    """The status again and again, until nothing runs or waits any more."""
    watcher = Watcher(run)
    while True:
        found = watcher.look()
        yield found
        if not any(group.state in ("running", "queued") for group in found):
            return
        time.sleep(every)
