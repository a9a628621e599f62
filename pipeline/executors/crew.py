"""Watches the processes that do a job's tasks: one that dies is noticed, its task tried again in a fresh one.

A pool of multiprocessing waits for ever when a worker dies, and one of concurrent.futures breaks as a whole. Here every
worker has a pipe of its own, and what its death costs is the task it was at.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

import dill  # type: ignore[import-untyped]
import multiprocess  # type: ignore[import-untyped]
from multiprocess.connection import wait  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.whereabouts import SIZE, read_note
from llama_data.pipeline.executors.records import Done, Failure, now, write_failure
from llama_data.pipeline.executors.tally import Tally
from llama_data.pipeline.executors.worker import Kit, Result, work

GRACE = 5.0  # seconds that workers have after SIGTERM
TICK = 0.5  # seconds between looks at limits of time
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds after each try to start a worker: a killed process is not gone at once
OUTPUT = 16 << 10  # bytes of a worker's standard error that are kept

_CONTEXT = multiprocess.get_context("forkserver")
_imported = {work.__module__}  # by the server that workers are forked from, which starts with the first of them


def foresee(modules: Iterable[str]) -> None:
    """Have modules imported once, where workers are forked from, and not by every worker of a job that needs them."""
    _imported.update(modules)
    _CONTEXT.set_forkserver_preload(["__main__", *sorted(_imported)])


class _Worker:
    """One process, the pipes to it, and the task it is at."""

    def __init__(self, executor: bytes, lifeline: Any) -> None:
        self.tasks, tasks = _CONTEXT.Pipe()
        self.output, output = _CONTEXT.Pipe(duplex=False)
        self.page = _CONTEXT.RawArray(ctypes.c_char, SIZE)
        self.rank: int | None = None
        self.since = 0.0
        self.overtime = False
        self._said = b""
        self.process = _CONTEXT.Process(
            target=work, args=(Kit(tasks, lifeline, output, self.page, executor, dict(os.environ)),), daemon=True
        )
        self.process.start()
        tasks.close()
        output.close()
        os.set_blocking(self.output.fileno(), False)

    def begin(self, rank: int) -> bool:
        """Give it a task; False: it has died before."""
        try:
            self.tasks.send(rank)
        except OSError:
            return False
        self.rank, self.since, self.overtime = rank, time.monotonic(), False
        return True

    def listen(self) -> None:
        """Keep the end of what it writes to its standard error."""
        with contextlib.suppress(BlockingIOError, OSError):
            while piece := os.read(self.output.fileno(), 1 << 16):
                self._said = (self._said + piece)[-OUTPUT:]

    def result(self) -> Result | None:
        """What it says of its task; None: nothing yet."""
        try:
            found: Result | None = self.tasks.recv() if self.tasks.poll() else None
        except (EOFError, OSError):
            return None
        return found

    def death(self) -> Failure:
        """How it died, in words."""
        self.process.join(GRACE)
        self.listen()
        note = read_note(self.page)
        return Failure(
            "time" if self.overtime else "death",
            "it took longer than executor.max_task_seconds" if self.overtime else how_it_ended(self.process.exitcode),
            record=note,
            host=socket.gethostname(),
            ended=now(),
            output=self._said.decode("utf-8", "replace"),
        )

    def close(self) -> None:
        """Close the pipes of a process that has ended."""
        self.tasks.close()
        self.output.close()


def _start(executor: bytes, lifeline: Any) -> _Worker:
    """A new worker. The server that forks them may just have been killed, which its next start notices.

    Raises RunError: it dies again and again.
    """
    for pause in PAUSES:
        try:
            return _Worker(executor, lifeline)
        except (ConnectionError, EOFError):
            time.sleep(pause)
    raise RunError(
        f"the process that starts workers was killed {len(PAUSES)} times, as the system does when memory runs out; "
        f"with memory for it, or fewer workers, give the same command again"
    )


def how_it_ended(code: int | None) -> str:
    """An exit code of multiprocessing in words: a signal is negative, and 255 is what is not known."""
    if code is None or code == 255:
        return "its process is gone"
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    why = " (the system does that when memory runs out)" if -code == signal.SIGKILL else ""
    return f"its process was killed by {name}{why}"


class Crew:
    """Does the tasks of a tally with ``workers`` processes at the same time, each with a copy of the executor."""

    def __init__(self, executor: Any, tally: Tally, workers: int, watch: Callable[[], None]) -> None:
        self._executor = dill.dumps(executor)
        self._tally = tally
        self._watch = watch
        self._logs = executor.logs()
        self._is_complete = executor.is_rank_completed
        self._note = executor.note
        self._most = workers
        self._workers: list[_Worker] = []
        self._lifeline: Any = None
        foresee(type(step).__module__ for step in executor.pipeline)

    def run(self) -> None:
        """Do the tasks; returns when each is complete or set aside. ``watch`` is called all the time and may raise."""
        lifeline, self._lifeline = _CONTEXT.Pipe(duplex=False)
        try:
            while True:
                self._begin(lifeline)
                if not any(worker.rank is not None for worker in self._workers):
                    break
                self._hear()
                if self._tally.ends_all is not None:
                    return
                self._check_time()
                self._watch()
            self._dismiss()
        finally:
            self._end()
            lifeline.close()
            self._lifeline.close()

    def _begin(self, lifeline: Any) -> None:
        """Give tasks to workers that have none, and start workers while there are tasks for them."""
        while True:
            idle = next((worker for worker in self._workers if worker.rank is None), None)
            if idle is None and len(self._workers) >= self._most:
                return
            rank = self._tally.take()
            if rank is None:
                return
            while idle is None or not idle.begin(rank):
                if idle is not None:
                    self._lose(idle)
                idle = _start(self._executor, lifeline)
                self._workers.append(idle)

    def _hear(self) -> None:
        """Wait until a worker says something or dies, or for a tick."""
        waited: dict[Any, _Worker] = {}
        for worker in self._workers:
            waited |= dict.fromkeys((worker.tasks, worker.output, worker.process.sentinel), worker)
        ready = wait(list(waited), TICK)
        for worker in dict.fromkeys(waited[item] for item in ready):
            worker.listen()
            result = worker.result()
            if result is not None:
                self._settle(worker, result)
            if worker.process.sentinel in ready or (result is None and worker.tasks in ready):
                self._bury(worker)

    def _settle(self, worker: _Worker, result: Result) -> None:
        rank, worker.rank = worker.rank, None
        assert rank is not None
        if result.done is not None:
            self._tally.completed(rank, result.done)
        elif result.failure is not None:
            self._tally.set_aside(rank, result.failure)
            write_failure(self._logs, rank, result.failure)
        else:
            self._tally.ends_all = result.ends_all

    def _bury(self, worker: _Worker) -> None:
        """A worker has died: what it was at is tried again, or set aside; it may have been complete."""
        rank, failure = worker.rank, worker.death()
        self._lose(worker)
        if rank is None:
            return
        if self._is_complete(rank):
            self._tally.completed(rank, Done(time.monotonic() - worker.since, 0.0))
            return
        if worker.overtime:
            self._tally.set_aside(rank, failure)
        else:
            failure = self._tally.died(rank, failure)
        self._note(rank, failure)

    def _lose(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.close()

    def _check_time(self) -> None:
        most = self._tally.limits.seconds
        for worker in self._workers:
            if most is not None and worker.rank is not None and time.monotonic() - worker.since > most:
                worker.overtime = True
                worker.process.kill()

    def _dismiss(self) -> None:
        """Let workers without a task go home."""
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.tasks.send(None)
        _join(self._workers, GRACE)

    def _end(self) -> None:
        """End what still runs: with SIGTERM, so that it takes away what it was writing, and soon with SIGKILL."""
        try:
            living = [worker for worker in self._workers if worker.process.is_alive()]
            for worker in living:
                worker.process.terminate()
            _join(living, GRACE)
        finally:
            for worker in self._workers:
                worker.process.kill()
            _join(self._workers, GRACE)
            for worker in list(self._workers):
                self._lose(worker)


def _join(workers: Iterable[_Worker], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
