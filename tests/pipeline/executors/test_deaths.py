"""A task that dies, fails or does not end costs itself; the other tasks of the job go on."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import multiprocess.forkserver  # type: ignore[import-untyped]
import pytest

from llama_data.pipeline import execution
from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, new_document
from llama_data.pipeline.core.errors import InputError, ModelError, RunError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.executors import crew
from llama_data.pipeline.executors.local import LocalExecutor
from llama_data.pipeline.executors.records import ranks_in, read_done, read_failures, write_json
from llama_data.pipeline.executors.tally import Limits, Tally
from llama_data.pipeline.recipe import Recipe, load_recipe

TASKS = 5
BAD = 2  # the task at which it happens


class Fault(Reader):
    """Reads two records a task; between them, in one task, something happens the first ``times`` times."""

    def __init__(self, folder: Path, what: Callable[[], None], times: int = 99) -> None:
        super().__init__(splits=[Split(f"{rank}", f"file{rank}", 1) for rank in range(TASKS)], domain="d")
        self.folder, self.what, self.times = folder, what, times

    def read(self, split: Split) -> Iterator[Document]:
        """Yield two documents."""
        yield new_document(domain="d", id=f"d/{split.name}#first", text="x", source=split.name)
        if split.name == f"file{BAD}":
            tries = self.folder / "tries"
            with tries.open("a") as stream:
                stream.write(f"{os.getpid()}\n")
            if len(tries.read_text().splitlines()) <= self.times:
                self.what()
        yield new_document(domain="d", id=f"d/{split.name}#second", text="x", source=split.name)


def killed() -> None:
    """As the memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)


def crashes() -> None:
    """As a bug in compiled code does."""
    ctypes.string_at(0)


def exits() -> None:
    """As a library that thinks it is alone does."""
    os._exit(7)


def hangs() -> None:
    """As an endless loop does."""
    while True:
        time.sleep(1)


def wrong() -> None:
    """As what concerns all tasks does."""
    raise ModelError("model.bin: no such model")


def broken_disk() -> None:
    """An error of the system, which ends a task."""
    raise OSError(errno.EIO, "Input/output error")


def full_disk() -> None:
    """One that the other tasks would have too."""
    raise OSError(errno.ENOSPC, "No space left on device", "documents/00002.jsonl.zst")


def no_input() -> None:
    """An input that has gone, which concerns one task."""
    raise InputError("file2: no such file")


def dies_later() -> None:
    """The task ends well, and its process some time after it."""
    threading.Timer(0.2, os._exit, (3,)).start()


def go(folder: Path, fault: Fault, workers: int, **limits: Any) -> Tally:
    executor = LocalExecutor(
        pipeline=[fault], tasks=TASKS, workers=workers, logging_dir=str(folder / "logs"), limits=Limits(**limits)
    )
    return executor.run()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_task_of_a_killed_worker_is_tried_again_in_a_fresh_process(tmp_path: Path, workers: int) -> None:
    tally = go(tmp_path, Fault(tmp_path, killed, times=2), workers)
    assert tally.failed == {}
    assert ranks_in(f"{tmp_path}/logs", "completions") == list(range(TASKS))
    assert ranks_in(f"{tmp_path}/logs", "running") == []
    assert read_failures(f"{tmp_path}/logs") == {}
    assert len(set((tmp_path / "tries").read_text().splitlines())) == 3


def test_workers_are_started_where_the_server_that_forks_them_was_just_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment it still counts as living, but nobody listens, or it is gone before it answers."""
    server = multiprocess.forkserver._forkserver
    monkeypatch.setattr(server, "_preload_modules", [])
    with contextlib.ExitStack() as open_ends:
        lifeline = [open_ends.enter_context(end) for end in crew._CONTEXT.Pipe(duplex=False)]
        for _ in range(8):
            server.ensure_running()
            os.kill(server._forkserver_pid, signal.SIGKILL)
            worker = crew._start(b"", lifeline[0])
            assert worker.process.pid is not None
            worker.process.kill()
            worker.process.join()
            worker.close()


def test_a_server_that_cannot_live_ends_the_job_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def refused(*given: object) -> None:
        tries.append(given)
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    monkeypatch.setattr(crew, "_Worker", refused)
    monkeypatch.setattr(crew, "PAUSES", (0.0, 0.0, 0.0))
    with pytest.raises(RunError, match="the process that starts workers was killed 3 times"):
        go(tmp_path, Fault(tmp_path, killed, times=0), 1)
    assert len(tries) == 3


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        (killed, "its process was killed by SIGKILL (the system does that when memory runs out)"),
        (crashes, "its process was killed by SIGSEGV"),
        (exits, "its process ended with exit code 7"),
    ],
)
def test_a_task_that_always_dies_is_set_aside_and_the_others_go_on(
    tmp_path: Path, workers: int, what: Callable[[], None], said: str
) -> None:
    tally = go(tmp_path, Fault(tmp_path, what), workers)
    assert list(tally.failed) == [BAD]
    assert tally.failed[BAD].sentence() == f"{said} 3 times; the last record it had read is d/file2#first"
    assert ranks_in(f"{tmp_path}/logs", "completions") == [0, 1, 3, 4]
    assert ranks_in(f"{tmp_path}/logs", "running") == []
    noted = read_failures(f"{tmp_path}/logs")
    assert noted == tally.failed
    assert ("in crashes" in noted[BAD].output) == (what is crashes)


def test_what_a_killed_command_noted_of_running_tasks_is_gone_after_the_next(tmp_path: Path) -> None:
    """It may have been killed between a task's mark of completion and the end of that note."""
    go(tmp_path, Fault(tmp_path, killed, times=0), 2)
    for rank in (1, BAD):
        write_json(f"{tmp_path}/logs/running/0000{rank}.json", {"since": "x"})
    go(tmp_path, Fault(tmp_path, killed, times=0), 1)
    assert ranks_in(f"{tmp_path}/logs", "completions") == list(range(TASKS))
    assert ranks_in(f"{tmp_path}/logs", "running") == []


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_task_is_tried_as_often_as_it_may_die(tmp_path: Path, deaths: int) -> None:
    tally = go(tmp_path, Fault(tmp_path, killed, times=2), 1, deaths=deaths)
    assert tally.failed[BAD].tries == deaths
    assert len((tmp_path / "tries").read_text().splitlines()) == deaths


def test_a_worker_that_dies_between_tasks_costs_nothing(tmp_path: Path) -> None:
    """Its task is complete when it dies, while the other worker's still goes on."""
    tally = go(tmp_path, Fault(tmp_path, dies_later), 2)
    assert tally.failed == {}
    assert ranks_in(f"{tmp_path}/logs", "completions") == list(range(TASKS))


@pytest.mark.parametrize(
    ("what", "says"),
    [(broken_disk, "OSError: [Errno 5] Input/output error"), (no_input, "file2: no such file")],
)
def test_an_exception_costs_its_task_and_is_noted(tmp_path: Path, what: Callable[[], None], says: str) -> None:
    tally = go(tmp_path, Fault(tmp_path, what), 2)
    assert list(tally.failed) == [BAD]
    assert len((tmp_path / "tries").read_text().splitlines()) == 1
    assert ranks_in(f"{tmp_path}/logs", "completions") == [0, 1, 3, 4]
    assert read_failures(f"{tmp_path}/logs")[BAD].what == says
    assert tally.failed[BAD].record == "d/file2#first"


class OneRefuses(Reader):
    """One task finds that a model is missing, while the others do not end."""

    def __init__(self) -> None:
        super().__init__(splits=[Split(f"{rank}", f"file{rank}", 1) for rank in range(TASKS)], domain="d")

    def read(self, split: Split) -> Iterator[Document]:
        """Yield nothing."""
        if split.name == "file1":
            wrong()
        hangs()
        yield from ()


def test_what_concerns_all_tasks_ends_those_that_are_at_work(tmp_path: Path) -> None:
    executor = LocalExecutor(
        pipeline=[OneRefuses()], tasks=TASKS, workers=2, logging_dir=f"{tmp_path}/logs", limits=Limits()
    )
    assert isinstance(executor.run().ends_all, ModelError)
    assert ranks_in(f"{tmp_path}/logs", "completions") == []


class DiesWhenDone(LocalExecutor):
    """Its processes die when they have marked a task as complete, and have not said so."""

    def mark_rank_as_completed(self, rank: int) -> None:
        """Mark, and die."""
        super().mark_rank_as_completed(rank)
        killed()


def test_a_worker_that_dies_before_it_says_that_its_task_is_complete_costs_nothing(tmp_path: Path) -> None:
    executor = DiesWhenDone(
        pipeline=[Fault(tmp_path, killed, times=0)],
        tasks=2,
        workers=1,
        logging_dir=f"{tmp_path}/logs",
        limits=Limits(deaths=1),
    )
    tally = executor.run()
    assert (tally.failed, sorted(tally.done)) == ({}, [0, 1])
    assert read_failures(f"{tmp_path}/logs") == {}


def test_what_concerns_all_tasks_ends_the_job_at_once(tmp_path: Path) -> None:
    tally = go(tmp_path, Fault(tmp_path, wrong), 1)
    assert isinstance(tally.ends_all, ModelError)
    assert ranks_in(f"{tmp_path}/logs", "completions") == [0, 1]


def test_a_full_disk_ends_the_job_at_once_in_one_sentence_and_the_next_run_goes_on(tmp_path: Path) -> None:
    job = Job("d/first", [Fault(tmp_path, full_disk, times=1)], TASKS)
    with pytest.raises(RunError) as caught:
        execution.execute([job], recipe(tmp_path, **{"executor.workers": 1}), quiet)
    assert str(caught.value) == (
        "documents/00002.jsonl.zst: the disk is full: make room and give the same command again"
    )
    assert caught.value.exit_code == 1
    assert ranks_in(f"{tmp_path}/logs/d/first", "completions") == [0, 1]
    execution.execute([job], recipe(tmp_path), quiet)
    assert ranks_in(f"{tmp_path}/logs/d/first", "completions") == list(range(TASKS))


def test_a_task_that_does_not_end_is_ended_at_its_limit_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour passes for who watches once the other tasks are complete, however long those take."""

    def later() -> float:
        return time.monotonic() + 3600 * (len(ranks_in(f"{tmp_path}/logs", "completions")) == TASKS - 1)

    monkeypatch.setattr(crew, "time", SimpleNamespace(monotonic=later))
    tally = go(tmp_path, Fault(tmp_path, hangs), 2, seconds=3000.0)
    assert tally.failed[BAD].kind == "time"
    assert "longer than executor.max_task_seconds" in tally.failed[BAD].sentence()
    assert ranks_in(f"{tmp_path}/logs", "completions") == [0, 1, 3, 4]


@pytest.mark.parametrize(("most", "begun"), [(0, 1), (1, 2), (2, 3), (None, 4)])
def test_no_task_is_begun_after_more_have_failed_than_may(most: int | None, begun: int) -> None:
    from llama_data.pipeline.executors.records import Failure

    tally, taken = Tally(range(4), Limits(failures=most)), 0
    while (rank := tally.take()) is not None:
        tally.set_aside(rank, Failure("error", "ValueError: x"))
        taken += 1
    assert taken == begun


def recipe(folder: Path, **changes: Any) -> Recipe:
    return load_recipe("llama", {"domains": {"books": {}}, "input": str(folder), "output": str(folder), **changes})


def quiet(line: str) -> None:
    pass


def test_failed_tasks_are_listed_with_their_logs_and_the_next_run_tries_them_again(tmp_path: Path) -> None:
    job = Job("d/documents", [Fault(tmp_path, killed, times=3)], TASKS)
    with pytest.raises(RunError) as caught:
        execution.execute([job], recipe(tmp_path, **{"executor.workers": 2}), quiet)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"d/documents: 1 of {TASKS} tasks failed:"
    assert lines[1].startswith(f"  task {BAD}: its process was killed by SIGKILL")
    assert lines[1].endswith(f"its log is {tmp_path}/logs/d/documents/logs/task_0000{BAD}.log")
    assert "4 tasks are complete and stay" in lines[2]
    told: list[str] = []
    [launched] = execution.execute([job], recipe(tmp_path), told.append)
    assert launched.tasks == TASKS
    assert read_failures(f"{tmp_path}/logs/d/documents") == {}
    assert read_done(f"{tmp_path}/logs/d/documents", BAD) is not None


def test_a_failed_job_keeps_the_jobs_after_it_from_being_run(tmp_path: Path) -> None:
    jobs = [
        Job("d/first", [Fault(tmp_path, broken_disk)], TASKS),
        Job("d/second", [Fault(tmp_path, broken_disk, 0)], TASKS),
    ]
    with pytest.raises(RunError, match="d/first: 1 of 5 tasks failed"):
        execution.execute(jobs, recipe(tmp_path), quiet)
    assert not (tmp_path / "logs" / "d" / "second").exists()


def test_a_job_stops_when_more_tasks_fail_than_may(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no further task was begun, .*executor\.max_task_failures"):
        execution.execute(
            [Job("d/first", [Fault(tmp_path, broken_disk)], TASKS)],
            recipe(tmp_path, **{"executor.max_task_failures": 0, "executor.workers": 1}),
            quiet,
        )
    assert ranks_in(f"{tmp_path}/logs/d/first", "completions") == [0, 1]


def test_what_all_jobs_need_is_imported_where_workers_are_forked_from_before_the_first_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def done(job: Job, recipe: Recipe) -> execution.Launched:
        told.append(job.name)
        return execution.Launched(job.name, job.tasks, 0.0)

    monkeypatch.setattr(crew, "_CONTEXT", SimpleNamespace(set_forkserver_preload=told.append))
    monkeypatch.setattr(crew, "_imported", {"a.worker"})
    monkeypatch.setattr(execution, "_run", done)
    other = type("Other", (Fault,), {"__module__": "z.other"})
    jobs = [Job("d/first", [Fault(tmp_path, wrong)], 1), Job("d/second", [other(tmp_path, wrong)], 1)]
    execution.execute(jobs, recipe(tmp_path), quiet)
    assert told == [["__main__", "a.worker", *sorted((Fault.__module__, "z.other"))], "d/first", "d/second"]
