"""A process that does tasks of a job, one after the other, for the process that watches it.

It ends itself at once when that process is gone, however that came about: a thread waits for the end of a pipe whose
other end only that process holds; and where the system can (Linux), it kills this process when the server that it was
forked from is gone, which ends with the command too. That works even while compiled code holds the interpreter.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import io
import os
import pickle
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, NamedTuple

import dill  # type: ignore[import-untyped]
from datatrove.executor import LocalPipelineExecutor  # type: ignore[import-untyped]  # noqa: F401  (for the fork server)
from loguru import logger
from multiprocess import forkserver  # type: ignore[import-untyped]

from llama_data.pipeline.core import whereabouts
from llama_data.pipeline.core.errors import InputError, LlamaDataError, RequestError, RunError
from llama_data.pipeline.core.failures import is_no_room, sentence_of_error
from llama_data.pipeline.core.stores import register
from llama_data.pipeline.executors.records import Done, Failure, failure_of

_PR_SET_PDEATHSIG = 1


class Ended(BaseException):
    """SIGTERM: the task is given up, so that what it was writing is taken away."""


class Nowhere(io.TextIOBase):
    """A stream that forgets what is written to it."""

    def write(self, text: str) -> int:
        """Forget the text."""
        return len(text)


class Result(NamedTuple):
    """What became of a task: one of the three. ``ends_all`` concerns all tasks: a missing model, a full disk."""

    done: Done | None = None
    failure: Failure | None = None
    ends_all: LlamaDataError | None = None


class Kit(NamedTuple):
    """What a worker is given: pipes for tasks, for the end of its watcher, for its standard error; a page for notes."""

    tasks: Any
    lifeline: Any
    output: Any
    page: Any
    executor: bytes
    environment: dict[str, str]


def work(kit: Kit) -> None:
    """Do tasks until there is no more; the target of the process."""
    _prepare(kit)
    try:
        while (rank := kit.tasks.recv()) is not None:
            kit.tasks.send(_attempt(kit, rank))
    except (Ended, EOFError, BrokenPipeError):
        pass
    os._exit(0)


def _prepare(kit: Kit) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the watcher decides
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _close_server()
    _die_with_server()
    threading.Thread(target=_watch, args=(kit.lifeline,), name="lifeline", daemon=True).start()
    os.set_blocking(kit.output.fileno(), False)  # who writes more than is read loses it rather than wait
    os.dup2(kit.output.fileno(), 2)
    faulthandler.enable(file=2, all_threads=False)
    sys.stderr = Nowhere()
    logger.remove()
    os.environ.clear()
    os.environ.update(kit.environment)
    whereabouts.note_in(kit.page)


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended


def _close_server() -> None:
    """Close this process's end of the pipe that keeps the fork server alive: only the command's shall."""
    server = forkserver._forkserver
    if server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = None


def _die_with_server() -> None:
    """Ask the system to kill this process when its parent is gone; where it cannot, the thread has to do."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _watch(lifeline: Any) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)


def _attempt(kit: Kit, rank: int) -> Result:
    """Try one task with a fresh copy of the job's steps."""
    cpu = time.process_time()
    try:
        mine = load(kit.executor)
        whereabouts.at("")
        began = time.monotonic()  # a worker's first task is not slow for what the worker has to load
        mine._run_for_rank(rank, 1)
    except Exception as error:
        if concerns_all(error):
            return Result(ends_all=portable(error))
        return Result(failure=failure_of(error, whereabouts.read_note(kit.page)))
    return Result(done=Done(time.monotonic() - began, time.process_time() - cpu))


def load(executor: bytes) -> Any:
    """An executor that was sent here; datatrove's folder in it asks fsspec for its file system anew."""
    register()
    return dill.loads(executor)


def concerns_all(error: Exception) -> bool:
    """Whether it concerns all tasks: a model that is missing, a disk that is full. An input concerns who reads it."""
    return is_no_room(error) or (isinstance(error, RequestError) and not isinstance(error, InputError))


def portable(error: Exception) -> LlamaDataError:
    """The error as one of ours that can be sent."""
    if not isinstance(error, LlamaDataError):
        return RunError(sentence_of_error(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RequestError(str(error))
    return error
