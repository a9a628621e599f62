"""What stands on disk about the tasks of a job, the same for every executor; ``status`` and ``logs`` read it.

RUN/logs/<group>/jobs.json                   the group's jobs in their order, and how they are executed
RUN/logs/<group>/<job>/completions/00003     datatrove's: the task is complete; ours say in how many seconds, where, and
                                             how much it has done (``whereabouts.Counts``)
                       running/00003.json    the task is being worked on: host, process, since, and from time to time
                                             how much it has done by then
                       failures/00003.json   how its last try ended when it did not complete
                       logs/task_00003.log   datatrove's log of its last try
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from llama_data.pipeline.core.block import describe
from llama_data.pipeline.core.errors import InputError, LlamaDataError
from llama_data.pipeline.core.failures import is_no_room, naming
from llama_data.pipeline.core.files import (
    atomic_write,
    is_local,
    join,
    list_files,
    read_bytes,
    remove_file,
)
from llama_data.pipeline.core.lock import new_owner
from llama_data.pipeline.core.whereabouts import Counts, begin_counts, counts

JOBS = "jobs.json"
ENDED = "ended.json"  # on Slurm: how the group ended, as its last job says
Kind = Literal["error", "death", "time"]
PULSE = 2.0  # seconds between notes of how much a running task has done
PULSE_IN_STORE = 30.0  # the same where every note is a request


@dataclass(frozen=True)
class Failure:
    """How a task's last try ended: by an exception, by the death of its process, or at a limit of time.

    ``record``: the last record it had read. ``tries``: how often its process has died. ``output``: what the process
    wrote to its standard error before it ended.
    """

    kind: Kind
    what: str
    record: str | None = None
    tries: int = 1
    host: str = ""
    ended: str = ""
    output: str = ""

    def sentence(self) -> str:
        """What happened, in words."""
        times = f" {self.tries} times" if self.kind == "death" and self.tries > 1 else ""
        record = f"; the last record it had read is {self.record}" if self.record else ""
        return f"{self.what}{times}{record}"


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_json(path: str, content: Any) -> None:
    """Write a small file of ours, atomically."""
    with atomic_write(path) as stream:
        stream.write(orjson.dumps(content))


def read_json(path: str) -> dict[str, Any] | None:
    """A small file of ours; None: it is not there, or not whole (the folder of a store is not read in one step)."""
    try:
        found = orjson.loads(read_bytes(path))
    except (InputError, OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_failure(logs: str, rank: int, failure: Failure) -> None:
    """Note how a task's try ended; ``logs`` is the job's folder of logs. Where there is no room, the error says so."""
    try:
        write_json(join(logs, "failures", f"{rank:05d}.json"), asdict(failure))
    except OSError as error:
        if not is_no_room(error):
            raise


def forget_running(logs: str, rank: int) -> None:
    """Take away the note that a task is being worked on; its process is gone."""
    remove_file(join(logs, "running", f"{rank:05d}.json"))


def seconds_at_work(logs: str, rank: int) -> float:
    """Seconds since a task's process noted that it begins, by the clocks of both hosts; 0.0: it has not."""
    note = read_json(join(logs, "running", f"{rank:05d}.json"))
    try:
        return max(0.0, seconds_since((note or {})["since"]))
    except (KeyError, TypeError, ValueError):
        return 0.0


def seconds_since(moment: str) -> float:
    """Seconds from a moment that a note has to now. Raises TypeError or ValueError: it is none."""
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


def read_failures(logs: str) -> dict[int, Failure]:
    """How the last tries of the tasks ended that did not complete, by task."""
    found = {}
    names = {field.name for field in fields(Failure)}
    for path in list_files(join(logs, "failures"), ".json"):
        content = read_json(path)
        if content is not None and {"kind", "what"} <= set(content) <= names:
            found[_rank(path)] = Failure(**content)
    return found


def ranks_in(logs: str, kind: str) -> list[int]:
    """The tasks that have a file in a folder of the job's logs: ``completions`` or ``running``."""
    return [rank for path in list_files(join(logs, kind), "") if (rank := _rank(path)) >= 0]


def _rank(path: str) -> int:
    name = path.rpartition("/")[2].removesuffix(".json")
    return int(name) if name.isdigit() else -1


@dataclass(frozen=True)
class Done:
    """A completed task: wall and CPU seconds, and how much it has done (None: it does not say).

    What a worker loads before its first task is none of the wall seconds; in a tally it is CPU time of that task.
    """

    seconds: float
    cpu: float
    counts: Counts | None = None


def read_done(logs: str, rank: int) -> Done | None:
    """How long a completed task took; None: it was completed by a datatrove that does not say."""
    content = read_json(join(logs, "completions", f"{rank:05d}"))
    try:
        return None if content is None else _done(content)
    except (KeyError, TypeError, ValueError):
        return None


def _done(content: dict[str, Any]) -> Done:
    return Done(float(content["seconds"]), float(content["cpu"]), Counts.of(content.get("counts")))


@contextmanager
def _running(path: str) -> Iterator[None]:
    """While a task is being worked on, a file says so, and every ``PULSE`` seconds how much it has done."""
    note = {**new_owner(), "since": now()}
    over = threading.Event()

    def beat() -> None:
        while not over.wait(PULSE if is_local(path) else PULSE_IN_STORE):
            with suppress(OSError, LlamaDataError):  # the task itself says that a disk is full, a store down
                write_json(path, {**note, "counts": asdict(counts)})

    begin_counts()
    write_json(path, note)
    pulse = threading.Thread(target=beat, name="pulse", daemon=True)
    pulse.start()
    try:
        yield
    finally:
        over.set()
        pulse.join()
        remove_file(path)


class TaskRecords:
    """For an executor of datatrove: notes a task's beginning and end beside datatrove's own files."""

    logging_dir: Any
    _began: tuple[float, float] = (0.0, 0.0)
    _open: int | None = None

    def _run_for_rank(self, rank: int, *args: Any, **kwargs: Any) -> Any:
        if self.is_rank_completed(rank):
            return super()._run_for_rank(rank, *args, **kwargs)  # type: ignore[misc]
        self._open = rank
        logs = self.logs()
        self._began = (time.monotonic(), time.process_time())
        with _running(join(logs, "running", f"{rank:05d}.json")):
            try:
                with naming(logs):
                    stats = super()._run_for_rank(rank, *args, **kwargs)  # type: ignore[misc]
            except Exception as error:
                write_failure(logs, rank, failure_of(error))
                raise
            remove_file(join(logs, "failures", f"{rank:05d}.json"))
            return stats

    def is_rank_completed(self, rank: int) -> bool:
        """Whether the task is complete; of the one that is being done here nobody is asked."""
        return rank != self._open and bool(super().is_rank_completed(rank))  # type: ignore[misc]

    def get_incomplete_ranks(self, ranks: Iterable[int] | None = None, skip_completed: bool | None = None) -> list[int]:
        """The tasks that are not complete, in their order; one listing."""
        done = set(ranks_in(self.logs(), "completions"))
        every = range(self.world_size) if ranks is None else ranks  # type: ignore[attr-defined]
        return [rank for rank in every if rank not in done]

    def mark_rank_as_completed(self, rank: int) -> None:
        """Write datatrove's mark of a completed task, with the seconds it took."""
        seconds, cpu = time.monotonic() - self._began[0], time.process_time() - self._began[1]
        content = {"seconds": round(seconds, 3), "cpu": round(cpu, 3), "host": socket.gethostname(), "ended": now()}
        content["counts"] = asdict(counts)
        write_json(join(self.logs(), "completions", f"{rank:05d}"), content)

    def note(self, rank: int, failure: Failure) -> None:
        """Note how a task's try ended that cannot note it itself."""
        write_failure(self.logs(), rank, failure)
        forget_running(self.logs(), rank)

    def logs(self) -> str:
        """The job's folder of logs, as a path or URL."""
        return str(self.logging_dir.resolve_paths(""))


def failure_of(error: BaseException, record: str | None = None) -> Failure:
    """An exception that has ended a task; ``record``: the last one it had read."""
    what = str(error) if isinstance(error, LlamaDataError) else describe(error)  # ours say all in their sentence
    return Failure("error", what, record, host=socket.gethostname(), ended=now())


def write_jobs(path: str, jobs: Sequence[tuple[str, int]], executor: str, workers: int) -> None:
    """Note which jobs a group has, in their order, before the first begins."""
    content = {
        "jobs": [{"name": name, "tasks": tasks} for name, tasks in jobs],
        "executor": executor,
        "workers": workers,
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": now(),
    }
    write_json(path, content)
