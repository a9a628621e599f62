"""Kills commands at seeded moments, gives them again until they end, and compares what they leave.

    python tests/faults/soak_kills.py [LEG ...] [--count N] [--first SEED] [--executor local|ray] [--folder DIR]

A leg is one command over a small corpus (``chain.py``): each domain and a source of one's own, the tokenizer, tokens,
the mix. A seed kills the whole process group, or one process below the command, once or twice, as soon as so many
files have come; then the same command runs to its end. It must end well; what it leaves must be, byte by byte, what an
undisturbed run leaves; ``verify --full`` must find nothing; no process, temporary file or lock may be left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from chain import Chain, Command, Leg

LOOK = 0.01  # seconds between looks at what has come


class Kill(NamedTuple):
    """``whole``: of the group, else of one process below the command. ``share``: of the files that have come by then.
    ``later``: seconds after that. ``who``: which of the processes."""

    whole: bool
    share: float
    later: float
    who: float


class Killed(NamedTuple):
    """What came of a seed: how many kills met a process, and what was wrong."""

    kills: int
    faults: list[str]


def kills_of(seed: int) -> list[Kill]:
    """The kills of a seed."""
    rng = random.Random(seed)
    count = rng.choice((1, 1, 2))
    return [Kill(rng.random() < 0.6, rng.random(), rng.random() * 0.3, rng.random()) for _ in range(count)]


def kill_one(chain: Chain, leg: Leg, seed: int, mark: str | None = None) -> Killed:
    """Disturb a leg as the seed says, run it to its end, and look. ``mark``: that of a cluster's processes."""
    from chain import files

    chain.undisturbed(leg.name)
    all_files = sum(1 for _ in files(chain.undisturbed(leg.name)))
    met, faults = 0, []
    with tempfile.TemporaryDirectory(prefix=f"{leg.name}-{seed}-", dir=chain.folder) as folder:
        run = Path(folder) / "run"
        chain.prepare(leg, run)
        had = sum(1 for _ in files(run))
        for kill in kills_of(seed):
            command = chain.start(leg, run)
            _wait(command, run, had + kill.share * (all_files - had), kill.later)
            below = _below(command, mark)
            if command.process.poll() is None and (kill.whole or not below):
                command.kill()
                met += 1
            elif command.process.poll() is None:
                met += _kill(below[int(kill.who * len(below))])
                if command.end():
                    faults.append(f"it did not survive a process's death: {command.said()[-800:]}")
            elif command.end():
                faults.append(f"ended with {command.process.returncode}: {command.said()[-800:]}")
            faults += [f"a process was left: {process}" for process in command.left_alone()]
            faults += [f"a task was left: {process}" for process in _tasks_of(mark, patience=60.0)]
        command = chain.start(leg, run)
        if command.end():
            faults.append(f"the same command again ended with {command.process.returncode}: {command.said()[-800:]}")
        faults += [f"a process was left: {process}" for process in command.left_alone()]
        faults += chain.faults(leg, run)
        if faults:
            shutil.copytree(run, chain.folder / "faulty" / f"{leg.name}-{seed}", dirs_exist_ok=True)
    return Killed(met, faults)


def _wait(command: Command, run: Path, count: float, later: float) -> None:
    """Wait until so many files have come, and a moment longer; or until the command has ended."""
    from chain import files

    seen: set[Path] = set()
    while len(seen) < count and command.process.poll() is None:
        seen.update(files(run))
        time.sleep(LOOK)
    time.sleep(later)


def _below(command: Command, mark: str | None) -> list[int]:
    return sorted(command.others() if mark is None else _tasks_of(mark))


def _tasks_of(mark: str | None, patience: float = 0.0) -> list[int]:
    """The processes of a cluster that do tasks of ours, after so many seconds in which they may end."""
    from chain import marked

    deadline = time.monotonic() + patience
    while True:
        found = [process for process in (marked(mark) if mark else []) if b"_attempt" in _name(process)]
        if not found or time.monotonic() >= deadline:
            return found
        time.sleep(0.1)


def _name(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def _kill(process: int) -> int:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


@contextmanager
def ray_cluster() -> Iterator[tuple[dict[str, str], str]]:
    """Two raylets on this machine: the environment of who uses them, and the mark of their processes."""
    script = Path(__file__).resolve().parents[1] / "clusters" / "ray-here"
    folder, mark = tempfile.mkdtemp(prefix="ray-", dir="/tmp"), f"ray-{os.getpid()}"  # sockets need a short path
    with subprocess.Popen(
        [sys.executable, str(script), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "MARK_OF_SOAK": mark, "RAY_raylet_start_wait_time_s": "600"},
        text=True,
    ) as process:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("{")), "")
        if not line:
            raise RuntimeError("the cluster did not come up")
        local = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
        try:
            yield {**local, "RAY_ADDRESS": json.loads(line)["address"]}, mark
        finally:
            assert process.stdin is not None
            process.stdin.close()
    shutil.rmtree(folder, ignore_errors=True)


def soak(chain: Chain, names: list[str], first: int, count: int, mark: str | None = None) -> int:
    """Disturb the legs in turn, with so many seeds from the first on; how many faults were found."""
    from chain import LEGS

    met = broken = 0
    for seed in range(first, first + count):
        leg = LEGS[names[seed % len(names)]]
        done = kill_one(chain, leg, seed, mark)
        met, broken = met + done.kills, broken + len(done.faults)
        print(f"seed {seed}: {leg.name}: {done.kills} kills, {len(done.faults)} faults", flush=True)
        for fault in done.faults[:5]:
            print(f"    {fault}", flush=True)
    print(f"{count} seeds, {met} kills, {broken} faults", flush=True)
    return broken


def main(arguments: list[str]) -> int:
    """Kill, and say what was found; 1 when a promise was broken."""
    from chain import LEGS, PIPELINE, Chain

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("legs", nargs="*", metavar="LEG", help=", ".join(LEGS))
    parser.add_argument("--count", type=int, default=30, help="seeds (default: 30)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--executor", choices=("local", "ray"), default="local")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder); is gone on with")
    options = parser.parse_args(arguments)
    names, more = options.legs or list(PIPELINE), ("--workers", "2", "--executor", options.executor)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if options.executor == "local":
            return int(soak(Chain(folder, more), names, options.first, options.count) > 0)
        with ray_cluster() as (environment, mark):
            chain: Any = Chain(folder, more, environment)
            return int(soak(chain, names, options.first, options.count, mark) > 0)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent)]
    sys.exit(main(sys.argv[1:]))
