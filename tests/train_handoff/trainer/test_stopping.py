"""Every signal, to whomever it is sent, saves after the step in hand and ends the run; nobody trains on alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llama_data.train_handoff.trainer.launch import SHUTDOWN_SECONDS, Cluster, start_command
from llama_data.train_handoff.trainer.record import checkpoints, read_record

torch = pytest.importorskip("torch")
if not Path("/proc/self/stat").exists():
    pytest.skip("processes are looked up in /proc", allow_module_level=True)

BATCH = 8
MODEL = """\
name: test
model: {dim: 32, n_heads: 2, n_layers: 2, multiple_of: 32}
optim: {lr: 1.0e-3, warmup_steps: 2}
batch_tokens: 256
micro_rows: 1
dtype: float32
device: cpu
save_every: null
"""


def _children(parent: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(entry.name))
    return sorted(found)


def _alive(processes: list[int]) -> list[int]:
    alive = []
    for process in processes:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            alive.append(process)
    return alive


def _wait(condition: object, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def command(mix: Path, tmp_path: Path) -> list[str]:
    (tmp_path / "model.yaml").write_text(MODEL)
    return [
        *(sys.executable, "-m", "llama_data.train_handoff.trainer.cli", "launch", "--data", str(mix)),
        *("--model", str(tmp_path / "model.yaml"), "--output", str(tmp_path / "run"), "--nproc", "2", "--steps", "64"),
    ]


class Running:
    """A run on two processes that has taken a step or two: the launcher, torchrun below it, and its two workers."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.folder = folder
        self.errors = folder / "stderr"
        with self.errors.open("w") as stream:
            self.launcher = subprocess.Popen(command, stderr=stream, env={**os.environ, "OMP_NUM_THREADS": "1"})
        metrics = folder / "run" / "metrics.jsonl"
        _wait(lambda: metrics.exists() and metrics.stat().st_size, 120, "the run has not begun")
        (self.agent,) = _children(self.launcher.pid)
        self.workers = _children(self.agent)
        assert len(self.workers) == 2

    def all_gone(self) -> bool:
        return not _alive([self.launcher.pid, self.agent, *self.workers])

    def require_saved(self) -> int:
        """Rows of the one checkpoint; every line of the metrics is in it, and it holds every step that was taken."""
        _wait(self.all_gone, 90, f"still at work: {_alive([self.launcher.pid, self.agent, *self.workers])}")
        lines = [json.loads(line) for line in (self.folder / "run" / "metrics.jsonl").read_text().splitlines()]
        (saved,) = checkpoints(self.folder / "run")
        rows = read_record(saved).rows
        assert rows == len(lines) * BATCH
        assert 0 < rows < 64 * BATCH
        assert not (self.folder / "run" / "run.lock").exists()
        return rows


@pytest.mark.parametrize(
    ("target", "number"),
    [
        ("launcher", signal.SIGINT),
        ("agent", signal.SIGHUP),
        ("worker", signal.SIGUSR1),
        ("session", signal.SIGTERM),
        ("launcher", signal.SIGKILL),
        ("agent", signal.SIGKILL),
    ],
)
def test_a_signal_saves_and_ends_the_run(
    command: list[str], tmp_path: Path, target: str, number: signal.Signals
) -> None:
    run = Running(command, tmp_path)
    if target == "session":
        os.killpg(run.agent, number)
    else:
        os.kill({"launcher": run.launcher.pid, "agent": run.agent, "worker": run.workers[1]}[target], number)
    code = run.launcher.wait(90)
    rows = run.require_saved()
    if number != signal.SIGKILL:
        assert code == 128 + number
        assert f"training was stopped by {number.name}; saved at row {rows}: the same command" in run.errors.read_text()
        assert "Traceback" not in run.errors.read_text()
    elif target == "agent":
        assert code == 1
        assert "a process was killed (SIGKILL)" in run.errors.read_text()


def test_while_a_run_is_at_work_another_is_refused_and_afterwards_it_goes_on(
    command: list[str], tmp_path: Path
) -> None:
    run = Running(command, tmp_path)
    os.kill(run.workers[0], signal.SIGSTOP)  # it is alive, and does not get to its end meanwhile
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert f"a training run is at work here by process {run.workers[0]} on " in second.stderr
    again = subprocess.run([*command, "--rewind", "8"], capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "at work here" in again.stderr
    os.kill(run.workers[0], signal.SIGCONT)
    os.kill(run.launcher.pid, signal.SIGTERM)
    assert run.launcher.wait(90) == 128 + signal.SIGTERM
    rows = run.require_saved()
    third = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=False)
    assert third.returncode == 0
    assert (
        f"goes on from {tmp_path}/run/checkpoints/rows-{rows:012d} (row {rows}, step {rows // BATCH})" in third.stdout
    )


def test_torchrun_is_told_which_signals_to_hand_on_and_to_wait_for_a_long_step() -> None:
    command = start_command(Cluster(nproc=2), Path("train.json"))
    assert "--signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1" in command
    assert f"--shutdown-timeout={SHUTDOWN_SECONDS}" in command
    assert SHUTDOWN_SECONDS >= 600


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("pass", 0),
        ("raise RunError('no rows')", 1),
        ("raise RequestError('no such row')", 2),
        ("raise ValueError('unforeseen')", 1),
        ("raise SystemExit(0)", 1),
    ],
)
def test_a_process_that_is_done_ends_without_taking_the_interpreter_down(body: str, code: int) -> None:
    script = (
        "import atexit, os\n"
        "from llama_data.pipeline.core.errors import RequestError, RunError\n"
        "from llama_data.train_handoff.trainer.distributed import worker\n"
        "atexit.register(os.abort)  # as a thread of gloo's that is late\n"
        "print('written')\n"
        f"with worker():\n    {body}\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert done.stdout == "written\n"
    if "'" in body:
        assert body.split("'")[1] in done.stderr
