"""datatrove's Ray executor over tasks that may die with their process or their node.

datatrove's own starts a pool of processes in an actor, which waits for ever when one of them is killed. Here a task of
the job is a task of Ray: Ray chooses the node, and says when the process or the node of a task has died.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import dill  # type: ignore[import-untyped]
import ray  # type: ignore[import-not-found, import-untyped, unused-ignore]
from datatrove.executor import RayPipelineExecutor  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.executors.records import Done, Failure, failure_of, now, seconds_at_work
from llama_data.pipeline.executors.tallied import Tallied
from llama_data.pipeline.executors.tally import Tally
from llama_data.pipeline.executors.worker import Result, concerns_all, load, portable

HANDED_ON = ("PYTHONPATH", "LLAMA_DATA_", "AWS_", "GOOGLE_", "AZURE_", "HF_")  # how names of variables begin
TICK = 0.5  # seconds between looks at limits of time and at the lock
LOOK = 10.0  # seconds between looks at the cluster's nodes
NODE_WAIT = 300.0  # seconds in which a node that has room for a task may come, as in a cluster that grows when asked


class RayExecutor(Tallied, RayPipelineExecutor):  # type: ignore[misc]
    """datatrove's Ray executor: its tasks, logs, completions and statistics; a task that dies is tried again."""

    def attempt(self, tally: Tally, watch: Callable[[], None]) -> None:
        """Do the tasks of the tally on the cluster."""
        _connect()
        try:
            self._run(tally, watch)
        finally:
            ray.shutdown()

    def _run(self, tally: Tally, watch: Callable[[], None]) -> None:
        options = {
            "num_cpus": self.cpus_per_task,
            "memory": int(self.mem_per_cpu_gb * self.cpus_per_task * (1 << 30)),
            "max_retries": 0,  # the tally decides, and notes it
        }
        attempt = ray.remote(**options)(_attempt)
        room = Room(self.cpus_per_task, options["memory"])
        mine, environment = ray.put(dill.dumps(self)), _environment()
        running: dict[Any, tuple[int, float]] = {}
        try:
            while tally.ends_all is None:
                while len(running) < self.workers and (rank := tally.take()) is not None:
                    running[attempt.remote(mine, rank, environment)] = (rank, time.monotonic())
                if not running:
                    return
                ready, _ = ray.wait(list(running), timeout=TICK)
                for item in ready:
                    self._settle(tally, running.pop(item)[0], item)
                self._end_overtime(tally, running)
                watch()
                room.check()
        finally:
            for item in running:
                with contextlib.suppress(Exception):
                    ray.cancel(item, force=True)

    def _end_overtime(self, tally: Tally, running: dict[Any, tuple[int, float]]) -> None:
        """End the tasks that take too long. Ray begins one when a node has room, maybe long after it was given."""
        most = tally.limits.seconds
        for item, (rank, since) in list(running.items()):
            if most is None or time.monotonic() - since <= most:
                continue
            if (age := seconds_at_work(self.logs(), rank)) <= most:
                running[item] = (rank, time.monotonic() - max(age, most - LOOK))
                continue
            ray.cancel(item, force=True)
            del running[item]
            failure = _failure("time", "it took longer than executor.max_task_seconds")
            self.note(rank, failure)
            tally.set_aside(rank, failure)

    def _settle(self, tally: Tally, rank: int, item: Any) -> None:
        """Hear what became of a task."""
        try:
            result: Result = ray.get(item)
        except ray.exceptions.RayTaskError as error:
            result = Result(failure=failure_of(error))
        except ray.exceptions.RayError as error:  # its process or its node has died
            if self.is_rank_completed(rank):
                tally.completed(rank, Done(0.0, 0.0))
                return
            self.note(rank, tally.died(rank, _failure("death", _in_words(error))))
            return
        if result.done is not None:
            tally.completed(rank, result.done)
        elif result.failure is not None:
            self.note(rank, result.failure)
            tally.set_aside(rank, result.failure)
        else:
            tally.ends_all = result.ends_all


class Room:
    """Whether the cluster has a node that could do a task. Ray itself would wait for one, in silence and for ever."""

    def __init__(self, cpus: float, memory: int) -> None:
        self._asked = {"CPU": cpus, "memory": memory}
        self._without: float | None = None  # since when there has been none
        self._looked = -LOOK

    def check(self) -> None:
        """Raise RunError when there has been none for ``NODE_WAIT`` seconds."""
        moment = time.monotonic()
        if moment - self._looked < LOOK:
            return
        self._looked = moment
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(all(node.get(name, 0) >= least for name, least in self._asked.items()) for node in nodes):
            self._without = None
            return
        self._without = moment if self._without is None else self._without
        if moment - self._without >= NODE_WAIT:
            has = "; ".join(sorted({_resources(node) for node in nodes})[:5]) or "there is none"
            raise RunError(
                f"executor ray: for {NODE_WAIT:.0f} s no node has had room for a task, which asks for "
                f"{_resources(self._asked)} (executor.ray: cpus_per_task, mem_per_cpu_gb); the nodes have: {has}; "
                f"ask for less or add a node, then give the same command again"
            )


def _resources(found: dict[str, Any]) -> str:
    return f"{found.get('CPU', 0):g} CPU and {found.get('memory', 0) / (1 << 30):.2f} GiB"


def _connect() -> None:
    """Join the cluster that ``RAY_ADDRESS`` or ``ray start`` names, or start one here."""
    try:
        ray.init(log_to_driver=False, ignore_reinit_error=True, logging_level="ERROR")
    except ConnectionError as error:
        raise RunError(
            f"executor ray: no cluster at {os.environ.get('RAY_ADDRESS', 'this machine')}: {error}"
        ) from None


def _environment() -> dict[str, str]:
    """What tasks on other nodes need of this process's environment: where its code is, and its keys to stores."""
    return {name: value for name, value in os.environ.items() if name.startswith(HANDED_ON)}


def _attempt(executor: bytes, rank: int, environment: dict[str, str]) -> Result:
    """Try one task, in a process of Ray's."""
    import sys

    os.environ.update(environment)
    sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path not in sys.path]
    cpu = time.process_time()
    try:
        mine = load(executor)
        began = time.monotonic()  # a worker's first task is not slow for what the worker has to load
        mine._run_for_rank(rank, 1)
    except Exception as error:
        if concerns_all(error):
            return Result(ends_all=portable(error))
        return Result(failure=failure_of(error))
    return Result(done=Done(time.monotonic() - began, time.process_time() - cpu))


def _failure(kind: Any, what: str) -> Failure:
    return Failure(kind, what, host=socket.gethostname(), ended=now())


def _in_words(error: BaseException) -> str:
    """The first sentence of what Ray says of a death."""
    first = " ".join(str(error).split()).partition(". ")[0]
    return f"its process or its node is gone: {type(error).__name__}: {first}"[:300]
