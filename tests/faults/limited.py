"""Runs a function in a process of its own under limits that the system sets, and says what it took."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

MEMORY = 2 << 30
"""What a worker may need beside its models, in bytes."""

SECONDS = 600

_ROOT = Path(__file__).resolve().parent.parent
_CALL = """
import importlib, json, resource, sys
module, function, arguments = sys.argv[1:]
called = getattr(importlib.import_module(module), function)
answer = called(*json.loads(arguments))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
print("\\n" + json.dumps({"answer": answer, "peak": peak}))
"""


class Limited(NamedTuple):
    """``status``: as of a process (a signal's number is negative); ``peak``: most resident bytes, 0 where it died."""

    status: int
    answer: Any
    peak: int
    said: str


def call(
    module: str, function: str, arguments: Sequence[Any], *, memory: int = MEMORY, seconds: int = SECONDS
) -> Limited:
    """Call a function, given and giving what JSON has. Beyond the memory an allocation fails; after the time it is
    killed, which is status -9."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    path = os.pathsep.join([str(_ROOT / "faults"), str(_ROOT / "plain"), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"}
    command = [sys.executable, "-c", _CALL, module, function, json.dumps(list(arguments))]
    try:
        done = subprocess.run(
            command, env=environment, preexec_fn=limit, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return Limited(-9, None, 0, f"not done after {seconds} seconds")
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        return Limited(done.returncode, None, 0, said)
    found = json.loads(done.stdout.splitlines()[-1])
    return Limited(0, found["answer"], found["peak"], said)
