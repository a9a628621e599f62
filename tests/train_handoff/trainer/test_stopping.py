"""Every signal, to whomever it is sent, saves after the step in hand and ends the run; nobody trains on alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import StoppedError
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import TrainConfig, load_config
from llama_data.train_handoff.trainer.launch import SHUTDOWN_SECONDS, Cluster, start_command
from llama_data.train_handoff.trainer.record import LAUNCHER, checkpoints, read_record

torch = pytest.importorskip("torch")

if not Path("/proc/self/stat").exists():
    pytest.skip("processes are looked up in /proc", allow_module_level=True)

BATCH, STEPS = 8, 1000
PATIENCE = 1200.0  # seconds; what is waited for takes few
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


def _wait(condition: object, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def command(long_mix: Path, tmp_path: Path) -> list[str]:
    (tmp_path / "model.yaml").write_text(MODEL)
    return [
        *(sys.executable, "-m", "llama_data.train_handoff.trainer.cli", "launch", "--data", str(long_mix)),
        *("--model", str(tmp_path / "model.yaml"), "--output", str(tmp_path / "run"), "--nproc", "2"),
        *("--steps", str(STEPS)),
    ]


class Running:
    """A run on two processes that has taken a step or two: the launcher, torchrun below it, and its two workers."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.folder = folder
        self.errors = folder / "stderr"
        with self.errors.open("w") as stream:
            self.launcher = subprocess.Popen(command, stderr=stream, env={**os.environ, "OMP_NUM_THREADS": "1"})
        metrics = folder / "run" / "metrics.jsonl"
        _wait(lambda: metrics.exists() and metrics.stat().st_size, "the run has not begun")
        (self.agent,) = _children(self.launcher.pid)
        self.workers = _children(self.agent)
        assert len(self.workers) == 2

    def all_gone(self) -> bool:
        return not _alive([self.launcher.pid, self.agent, *self.workers])

    def require_saved(self) -> int:
        """Rows of the one checkpoint; every line of the metrics is in it, and it holds every step that was taken."""
        _wait(self.all_gone, f"still at work: {_alive([self.launcher.pid, self.agent, *self.workers])}")
        lines = [json.loads(line) for line in (self.folder / "run" / "metrics.jsonl").read_text().splitlines()]
        (saved,) = checkpoints(self.folder / "run")
        rows = read_record(saved).rows
        assert rows == len(lines) * BATCH
        assert 0 < rows < STEPS * BATCH
        assert not (self.folder / "run" / "run.lock").exists()
        return rows


@pytest.mark.parametrize(
    ("target", "number"),
    [
        ("worker", signal.SIGUSR1),
        ("session", signal.SIGHUP),
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
        os.kill({"agent": run.agent, "worker": run.workers[1]}[target], number)
    code = run.launcher.wait(PATIENCE)
    rows = run.require_saved()
    if number != signal.SIGKILL:
        assert code == 128 + number
        assert f"training was stopped by {number.name}; saved at row {rows}: the same command" in run.errors.read_text()
        assert "Traceback" not in run.errors.read_text()
    else:
        assert code == 1
        assert "a process was killed (SIGKILL)" in run.errors.read_text()


def test_when_the_launcher_is_gone_a_run_saves_and_ends(
    mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: Callable[[TrainConfig], None]
) -> None:
    (tmp_path / "model.yaml").write_text(MODEL)
    config = load_config(str(tmp_path / "model.yaml"), {"data": str(mix), "output": str(tmp_path / "run"), "steps": 64})
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    monkeypatch.setenv(LAUNCHER, str(gone.pid))
    with pytest.raises(StoppedError, match=r"saved at row 8: the same command") as stopped:
        alone(config)
    assert stopped.value.number == signal.SIGHUP


def test_while_a_run_is_at_work_another_is_refused_and_afterwards_it_goes_on(
    command: list[str], tmp_path: Path
) -> None:
    def again(*more: str) -> str:
        done = CliRunner().invoke(app, [*command[3:], *more])
        return str(done.exception or done.stdout)

    run = Running(command, tmp_path)
    os.kill(run.workers[0], signal.SIGSTOP)  # it is alive, and does not get to its end meanwhile
    assert f"a training run is at work here by process {run.workers[0]} on " in again()
    assert "at work here" in again("--rewind", "8")
    os.kill(run.workers[0], signal.SIGCONT)
    os.kill(run.launcher.pid, signal.SIGINT)
    assert run.launcher.wait(PATIENCE) == 128 + signal.SIGINT
    rows = run.require_saved()
    assert f"training was stopped by SIGINT; saved at row {rows}: the same command" in run.errors.read_text()
    assert "Traceback" not in run.errors.read_text()
    saved = f"goes on from {tmp_path}/run/checkpoints/rows-{rows:012d} (row {rows}, step {rows // BATCH})"
    assert saved in again("--dry-run")


def test_torchrun_is_told_which_signals_to_hand_on_and_to_wait_for_a_long_step() -> None:
    command = start_command(Cluster(nproc=2), Path("train.json"))
    assert "--signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1" in command
    assert f"--shutdown-timeout={SHUTDOWN_SECONDS}" in command
    assert SHUTDOWN_SECONDS >= 600


ENDINGS = {
    "pass": 0,
    "raise RunError('no rows')": 1,
    "raise RequestError('no such row')": 2,
    "raise StoppedError('at row 8', 15)": 143,
    "raise OSError(28, 'full', 'metrics.jsonl')": 1,
    "raise ValueError('unforeseen')": 1,
    "raise SystemExit(0)": 1,
}
SCRIPT = """
import atexit, os, sys
from llama_data.pipeline.core.errors import RequestError, RunError, StoppedError
from llama_data.train_handoff.trainer.distributed import worker
for body in sys.argv[1:]:
    if not (process := os.fork()):
        atexit.register(os.abort)  # as a thread of gloo's that is late
        print('written')
        with worker():
            exec(body)
    print(body, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


def test_a_process_that_is_done_ends_without_taking_the_interpreter_down() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, *ENDINGS], capture_output=True, text=True, check=False)
    expected = [line for body, code in ENDINGS.items() for line in ("written", f"{body} {code}")]
    assert done.stdout.splitlines() == expected, done.stderr
    for said in ("llama-train: no rows", "llama-train: no such row", "metrics.jsonl: the disk is full", "unforeseen"):
        assert said in done.stderr
    assert "at row 8" not in done.stderr  # the launcher says it


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([1, -9], -9), ([-9, 1], -9), ([1, 2], 1), ([143, 1], 143), ([1], 1), ([-15, -9], -15)],
)
def test_a_process_that_was_killed_is_named_before_the_ones_that_lost_it(codes: list[int], expected: int) -> None:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

    from llama_data.train_handoff.trainer.agent import exit_code

    failures = {rank: ProcessFailure(rank, 1000 + rank, code, "") for rank, code in enumerate(codes)}
    for failure in failures.values():
        failure.timestamp = 7  # found by one look
    assert exit_code(ChildFailedError("worker", failures)) == expected
