"""Processes that train together without the start of an interpreter for each: forked from one that has torch.

In place of torchrun, where that is not what is tested: it takes seconds for itself and for each of its processes.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from llama_data.pipeline.core.errors import RunError
from llama_data.train_handoff.trainer import launch as launching
from llama_data.train_handoff.trainer.launch import Cluster

MODULES = (launching.WORKER, launching.EVALUATE)
MOST = 1 << 20  # bytes of a request, which holds an environment


class Workshop:
    """The process that others are forked from; it ends with the one that has started it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._server.wait()

    def run(self, command: list[str], cluster: Cluster, what: str) -> None:
        """In place of ``launch.run``: the processes of one node, and how they ended."""
        assert cluster.nnodes == 1
        module, path = command[-2:]
        asked = {"module": module, "path": path, "world": cluster.nproc, "environment": dict(os.environ)}
        sys.stdout.flush()
        sys.stderr.flush()
        socket.send_fds(self._control, [json.dumps(asked).encode()], [1, 2])
        codes = json.loads(self._control.recv(MOST))
        if any(codes):
            raise RunError(f"{what} stopped with exit codes {codes}; the first error is printed above")

    @contextlib.contextmanager
    def instead(self) -> Iterator[None]:
        """Meanwhile all that is launched starts its processes here."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(launching, "run", self.run)
            yield


def _serve(control: socket.socket) -> None:
    for name in MODULES:
        importlib.import_module(name)
    while True:
        message, streams, _, _ = socket.recv_fds(control, MOST, 2)
        if not message:
            return
        codes = _work(json.loads(message), streams, control)
        for stream in streams:
            os.close(stream)
        control.send(json.dumps(codes).encode())


def _work(asked: dict[str, Any], streams: list[int], control: socket.socket) -> list[int]:
    """Fork the processes and wait for them. When one fails the others are killed, for they would wait for it."""
    host, kept, port = _meeting_place(control)
    known = {"WORLD_SIZE": asked["world"], "LOCAL_WORLD_SIZE": asked["world"], "MASTER_PORT": port}
    fixed = {"MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    processes: dict[int, int] = {}
    for rank in range(asked["world"]):
        own = {**fixed, **{name: str(value) for name, value in known.items()}, "RANK": str(rank)}
        if not (process := os.fork()):
            control.close()
            os.environ.clear()
            os.environ.update({**asked["environment"], **own, "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"})
            _be_one(asked, streams)
        processes[process] = rank
    codes = [0] * asked["world"]
    while processes:
        process, status = os.wait()
        if process not in processes:
            continue
        rank = processes.pop(process)
        codes[rank] = os.waitstatus_to_exitcode(status)
        if codes[rank]:
            for other in processes:
                os.kill(other, signal.SIGKILL)
    os.close(kept)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(host, 0)
    return codes


def _be_one(asked: dict[str, Any], streams: list[int]) -> None:
    code = 1
    try:
        for number, stream in enumerate(streams, 1):
            os.dup2(stream, number)
        sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        importlib.import_module(asked["module"]).main(asked["path"])
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _meeting_place(control: socket.socket) -> tuple[int, int, int]:
    """A process that keeps the store by which the others find each other, as torchrun's agent does; the end of a pipe
    that keeps it alive; the store's port."""
    import torch.distributed as dist

    (told, tells), (waited, kept) = os.pipe(), os.pipe()
    if not (host := os.fork()):
        control.close()
        os.close(kept)
        store = dist.TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)  # type: ignore[attr-defined]
        os.write(tells, f"{store.port}\n".encode())
        os.read(waited, 1)
        os._exit(0)
    os.close(tells)
    os.close(waited)
    with os.fdopen(told) as stream:
        return host, kept, int(stream.readline())


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)  # there is nothing to take down
