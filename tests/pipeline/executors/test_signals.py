"""Real signals to the real command: it ends within seconds, leaves no process behind, and can be gone on with."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATIENCE = 1200.0  # seconds; what is waited for takes few


class Command:
    """``llama-data run mine`` over four files of four records, two workers; they wait at the last record of a file."""

    def __init__(self, folder: Path, step: str = "Gate") -> None:
        self.folder, self.gate = folder, folder / "gate"
        (folder / "in").mkdir(parents=True)
        for number in range(4):
            rows = (json.dumps({"text": f"Record {row} of file {number}. " * 20}) for row in range(4))
            (folder / "in" / f"{number}.jsonl").write_text("\n".join(rows) + "\n")
        recipe = {
            "extends": "llama",
            "name": "signals",
            "sources": {"mine": {"inputs": ["*.jsonl"], "max_task_bytes": 1, "steps": [f"gated:{step}"]}},
            "domains": dict.fromkeys(("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")),
        }
        (folder / "recipe.yaml").write_text(json.dumps(recipe))
        self.mark = f"{folder}/mark"
        path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        self.environment = {
            **os.environ,
            "PYTHONPATH": path,
            "LLAMA_DATA_GATE": str(self.gate),
            "MARK_OF_TEST": self.mark,
        }

    def start(self) -> subprocess.Popen[str]:
        folders = ["--input", f"{self.folder}/in", "--output", f"{self.folder}/run"]
        words = ["run", "mine", "-c", f"{self.folder}/recipe.yaml", *folders, "--workers", "2"]
        return subprocess.Popen(
            [sys.executable, "-m", "llama_data.pipeline.cli", *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def until_at_work(self) -> None:
        running = self.folder / "run" / "logs" / "mine" / "documents" / "running"
        wait_for(lambda: len(list(running.glob("*.json"))) == 2 and len(list(self.folder.rglob("*.tmp"))) >= 4)

    def processes(self) -> list[int]:
        """The living processes that come from this command."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                    mine = f"MARK_OF_TEST={self.mark}".encode() in (entry / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                found += [int(entry.name)] if mine and state not in "ZX" else []
        return found

    def digests(self) -> dict[str, str]:
        root = self.folder / "run"
        files = [path for part in ("documents", "ledger", "rejected") for path in (root / part).rglob("*")]
        assert (root / "documents" / "mine" / "manifest.json") in files
        # Two files that say when it was made, and where the inputs were.
        files = [path for path in files if path.name not in ("manifest.json", "manifest.inputs.zst")]
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
            if path.is_file()
        }

    def ends_well(self) -> None:
        """The same command ends well now."""
        self.gate.touch()
        process = self.start()
        _, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, told

    def left(self, undisturbed: dict[str, str]) -> None:
        """It has left what one that was not disturbed leaves, and nothing else."""
        assert self.digests() == undisturbed
        assert len(undisturbed) >= 10
        assert list(self.folder.rglob("*.tmp")) == []
        assert list((self.folder / "run").rglob("*.lock")) == []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here to find processes in")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = Command(tmp_path_factory.mktemp("undisturbed"))
    made.ends_well()
    return made.digests()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    made = Command(tmp_path)
    yield made
    for process in made.processes():
        os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_command_and_its_workers(
    command: Command, undisturbed: dict[str, str], number: signal.Signals, code: int
) -> None:
    process = command.start()
    command.until_at_work()
    process.send_signal(number)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert f"stopped by {number.name}: 0 of 4 tasks are complete and stay" in told
    assert "no process is left; to go on: llama-data run mine" in told
    assert "Traceback" not in told
    wait_for(lambda: command.processes() == [])
    assert list(command.folder.rglob("*.tmp")) == []  # what was half written is taken away
    if number == signal.SIGTERM:
        command.ends_well()
        command.left(undisturbed)


def test_a_killed_command_leaves_no_worker_behind_and_its_lock_to_the_next(
    command: Command, undisturbed: dict[str, str]
) -> None:
    process = command.start()
    command.until_at_work()
    process.kill()
    process.communicate()
    wait_for(lambda: command.processes() == [])
    assert list(command.folder.rglob("*.tmp"))
    assert list((command.folder / "run").rglob("*.lock"))
    command.ends_well()
    command.left(undisturbed)


def test_a_second_signal_ends_the_command_at_once(tmp_path: Path) -> None:
    command = Command(tmp_path, "Deaf")
    process = command.start()
    command.until_at_work()
    process.send_signal(signal.SIGINT)
    wait_for(lambda: (tmp_path / "gate.asked").exists())
    time.sleep(0.3)  # else it counts as the first one
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    wait_for(lambda: command.processes() == [])


def test_a_killed_worker_does_not_hang_the_command(command: Command, undisturbed: dict[str, str]) -> None:
    process = command.start()
    command.until_at_work()
    note = next((command.folder / "run" / "logs" / "mine" / "documents" / "running").glob("*.json"))
    os.kill(json.loads(note.read_text())["process"], signal.SIGKILL)
    wait_for(lambda: any((command.folder / "run" / "logs" / "mine" / "documents" / "failures").glob("*.json")))
    command.gate.touch()
    out, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert "mine" in out
    command.left(undisturbed)


def test_the_second_of_two_commands_is_told_of_the_first(command: Command, undisturbed: dict[str, str]) -> None:
    first = command.start()
    command.until_at_work()
    second = command.start()
    _, told = second.communicate(timeout=PATIENCE)
    assert second.returncode == 2
    assert f"mine is being worked on by process {first.pid} on " in told
    assert len(told.strip().splitlines()) == 1
    command.gate.touch()
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
    command.left(undisturbed)
