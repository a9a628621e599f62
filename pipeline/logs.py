"""The logs of a run's tasks, as they may be shown on a screen."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import join, list_files, open_binary
from llama_data.pipeline.core.screen import plain
from llama_data.pipeline.executors.records import Failure, read_failures
from llama_data.pipeline.status import status_of


def logs_of(run: str, *, job: str | None, failed: bool, task: int | None, lines: int | None) -> Iterator[str]:
    """The logs of a job, of a group's jobs, or of all, each under a headline.

    ``failed``: only of tasks that have failed; a line says so where there is none. ``lines``: so many at the end of
    each log; None: all.

    Raises:
        RequestError: there is no such run or job, or none of its tasks has a log.
    """
    names = [each.name for group in status_of(run) for each in group.jobs]
    chosen = [name for name in names if job is None or name == job or name.startswith(f"{job}/")]
    if not chosen:
        raise RequestError(f"{job}: no such job in {run}; it has: {', '.join(names)}")
    shown = 0
    for name in chosen:
        folder = join(run, "logs", name)
        failures = read_failures(folder)
        paths = {_rank(path): path for path in list_files(join(folder, "logs"), ".log")}
        for rank in sorted(set(paths) | set(failures)):
            if (failed and rank not in failures) or (task is not None and rank != task):
                continue
            shown += 1
            yield from _one(name, rank, paths.get(rank), failures.get(rank), lines)
    if not shown:
        where = f"{f' in {job}' if job else ''}{f', of task {task}' if task is not None else ''}"
        if not failed:
            raise RequestError(f"{run}: there is no log{where}")
        yield f"{run}: no task has failed{where}"


def _one(name: str, rank: int, path: str | None, failure: Failure | None, lines: int | None) -> Iterator[str]:
    yield f"== {name} task {rank}{f': {plain(failure.sentence())}' if failure else ''}"
    if path is not None:
        with open_binary(path) as stream:
            text = (plain(line.decode("utf-8", "replace")).rstrip("\n") for line in stream)
            yield from text if lines is None else deque(text, lines)
    if failure is not None and failure.output:
        yield f"-- what its process wrote at the end ({failure.host}, {failure.ended})"
        yield from plain(failure.output).splitlines()


def _rank(path: str) -> int:
    name = path.rpartition("/")[2].removeprefix("task_").removesuffix(".log")
    return int(name) if name.isdigit() else -1
