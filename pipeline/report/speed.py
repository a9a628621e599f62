"""How fast each result was made, and which tasks took longest."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from llama_data.pipeline.core.files import join
from llama_data.pipeline.core.manifest import Manifest
from llama_data.pipeline.executors.records import ranks_in, read_done

SAMPLED = 500  # tasks of a job whose seconds are read
SLOWEST = 5


class JobSpeed(NamedTuple):
    """A job. ``wall`` and ``cpu``: seconds of its tasks together (of a job with more than 500 tasks: by a sample)."""

    name: str
    tasks: int
    timed: int
    wall: float
    cpu: float
    median: float
    slowest: list[tuple[int, float]]


@dataclass(frozen=True)
class ResultSpeed:
    """A result of the run. ``input_bytes``: of the files it was made from, as they are stored; 0: it reads results."""

    folder: str
    input_bytes: int
    records: int
    jobs: list[JobSpeed] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """Core-seconds of all its jobs."""
        return sum(job.cpu for job in self.jobs)


def speed_of(run: str, folder: str, made: Manifest) -> ResultSpeed:
    """What the marks of completed tasks say of a result."""
    jobs = [job for name, tasks in made.made_from.get("jobs", ()) if (job := _job(run, name, tasks)) is not None]
    records = int((made.content.get("account") or {}).get("records", 0) or made.content["totals"].get("records", 0))
    return ResultSpeed(folder, input_bytes(made), records, jobs)


def input_bytes(made: Manifest) -> int:
    """Stored bytes of the inputs of a result; a file that was cut counts once."""
    total = 0
    for row in made.inputs():
        _, size, start, end = row["id"]
        total += int(size) if end is None else int(end) - int(start)
    return total


def _job(run: str, name: str, tasks: int) -> JobSpeed | None:
    logs = join(run, "logs", name)
    done = [rank for rank in ranks_in(logs, "completions") if rank < tasks]
    chosen = done[:: max(1, -(-len(done) // SAMPLED))]
    found = {rank: seconds for rank in chosen if (seconds := read_done(logs, rank)) is not None}
    if not found:
        return None
    factor = len(done) / len(found)
    wall, cpu = (factor * sum(getattr(item, key) for item in found.values()) for key in ("seconds", "cpu"))
    ranked = sorted(found, key=lambda rank: -found[rank].seconds)[:SLOWEST]
    slowest = [(rank, found[rank].seconds) for rank in ranked]
    return JobSpeed(name, tasks, len(found), wall, cpu, median(item.seconds for item in found.values()), slowest)
