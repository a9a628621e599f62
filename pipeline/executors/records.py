"""What stands on disk about the tasks of a job, the same for every executor; ``status`` and ``logs`` read it.

RUN/logs/<group>/jobs.json                   the group's jobs in their order, and how they are executed
RUN/logs/<group>/<job>/completions/00003     datatrove's: the task is complete; ours say in how many seconds, and where
                       running/00003.json    the task is being worked on: host, process, since
                       failures/00003.json   how its last try ended when it did not complete
                       logs/task_00003.log   datatrove's log of its last try
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from llama_data.pipeline.core.block import describe
from llama_data.pipeline.core.errors import InputError, LlamaDataError
from llama_data.pipeline.core.failures import is_no_room
from llama_data.pipeline.core.files import atomic_write, join, list_files, read_bytes, remove_tree
from llama_data.pipeline.core.lock import new_owner

JOBS = "jobs.json"
ENDED = "ended.json"  # on Slurm: how the group ended, as its last job says
Kind = Literal["error", "death", "time"]


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
    remove_tree(join(logs, "running", f"{rank:05d}.json"))


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
    """A completed task: wall and CPU seconds."""

    seconds: float
    cpu: float


def read_done(logs: str, rank: int) -> Done | None:
    """How long a completed task took; None: it was completed by a datatrove that does not say."""
    content = read_json(join(logs, "completions", f"{rank:05d}"))
    try:
        return None if content is None else Done(float(content["seconds"]), float(content["cpu"]))
    except (KeyError, TypeError, ValueError):
        return None


class TaskRecords:
    """For an executor of datatrove: notes a task's beginning and end beside datatrove's own files."""

    logging_dir: Any
    _began: tuple[float, float] = (0.0, 0.0)

    def _run_for_rank(self, rank: int, *args: Any, **kwargs: Any) -> Any:
        if self.is_rank_completed(rank):  # type: ignore[attr-defined]
            return super()._run_for_rank(rank, *args, **kwargs)  # type: ignore[misc]
        logs = self.logs()
        running, failed = join(logs, "running", f"{rank:05d}.json"), join(logs, "failures", f"{rank:05d}.json")
        write_json(running, {**new_owner(), "since": now()})
        self._began = (time.monotonic(), time.process_time())
        try:
            stats = super()._run_for_rank(rank, *args, **kwargs)  # type: ignore[misc]
            remove_tree(failed)
            return stats
        except Exception as error:
            write_failure(logs, rank, failure_of(error))
            raise
        finally:
            remove_tree(running)

    def mark_rank_as_completed(self, rank: int) -> None:
        """Write datatrove's mark of a completed task, with the seconds it took."""
        seconds, cpu = time.monotonic() - self._began[0], time.process_time() - self._began[1]
        content = {"seconds": round(seconds, 3), "cpu": round(cpu, 3), "host": socket.gethostname(), "ended": now()}
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
