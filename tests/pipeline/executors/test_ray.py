"""Two real raylets, of which one is killed while it works: the same bytes as here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.executors.records import write_json
from llama_data.pipeline.executors.tally import Limits, Tally

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (extra `ray`)"),
    pytest.mark.timeout(1200),
]

HERE = Path(__file__).parent
SCRIPT = Path(__file__).resolve().parents[2] / "clusters" / "ray-here"
WORDS = "rivers, hills and quiet harbours. "  # enough of them for a tokenizer
PATIENCE = 600.0  # seconds


class Cluster:
    """Two raylets, of which the second is killed and put back."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address, self._raylet = self._read()

    def _read(self) -> tuple[str, int]:
        assert self._process.stdout is not None
        # Ray may say things of its own first.
        line = next((line for line in self._process.stdout if line.startswith("{")), "")
        assert line, "the cluster did not come up"
        found = json.loads(line)
        return found["address"], found["raylet"]

    def kill(self) -> None:
        os.kill(self._raylet, signal.SIGKILL)

    def put_back(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        _, self._raylet = self._read()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # Ray's sockets need a short path
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Cluster(process)
        assert process.stdin is not None
        process.stdin.close()
    shutil.rmtree(folder, ignore_errors=True)


def recipe(folder: Path) -> None:
    (folder / "in").mkdir()
    for number in range(3):
        rows = (json.dumps({"text": f"Record {row} of file {number}: {WORDS}" * 20}) for row in range(4))
        (folder / "in" / f"{number}.jsonl").write_text("\n".join(rows) + "\n")
    content = {
        "extends": "llama",
        "name": "ray",
        "input": f"{folder}/in",
        "executor": {"workers": 2, "ray": {"mem_per_cpu_gb": 1}},
        "sources": {"mine": {"inputs": ["*.jsonl"], "max_task_bytes": 6000, "steps": ["gated:Gate"]}},
        "domains": dict.fromkeys(("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")),
        "tokenizer": {"vocab_size": 300},
        "tokens": {"seq_len": 16},
        "mix": {"weights": {"mine": 1.0}, "tokens": "1K"},
    }
    (folder / "recipe.yaml").write_text(json.dumps(content))


def files(root: Path) -> dict[str, bytes]:
    """All files of a run but its manifests, which say when they were written."""
    parts = ("documents", "ledger", "rejected", "tokenizer", "tokens", "mix")
    found = [path for part in parts for path in (root / part).rglob("*")]
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in found
        if path.is_file() and not path.name.startswith("manifest.")
    }


def test_a_task_that_no_node_can_hold_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray says nothing of it, and waits for ever."""
    from llama_data.pipeline.executors import ray as executor

    seconds, nodes = [1000.0], [{"Alive": True, "Resources": {"CPU": 2.0, "memory": float((4 << 30) - 1)}}]
    monkeypatch.setattr(executor.time, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(executor.ray, "nodes", lambda: nodes)

    def look(later: float) -> None:
        seconds[0] += later
        room.check()

    room = executor.Room(2, 4 << 30)
    look(0)
    look(executor.NODE_WAIT - 1)
    nodes.append({"Alive": True, "Resources": {"CPU": 2.0, "memory": float(4 << 30)}})
    look(executor.LOOK)  # a node that has just what is asked for has come
    nodes[1]["Alive"] = False
    look(executor.LOOK)
    look(executor.NODE_WAIT - 1)
    with pytest.raises(RunError, match=r"asks for 2 CPU and 4\.00 GiB .* the nodes have: 2 CPU and 4\.00 GiB; ask for"):
        look(executor.LOOK)
    nodes.clear()
    with pytest.raises(RunError, match="the nodes have: there is none; ask for less"):
        look(executor.LOOK)
    room = executor.Room(3, 1 << 30)  # of processors too
    nodes.append({"Alive": True, "Resources": {"CPU": 2.0, "memory": float(4 << 30)}})
    look(0)
    with pytest.raises(RunError):
        look(executor.NODE_WAIT)


def test_the_time_of_a_task_is_counted_from_when_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have waited for a node for longer than a task may take."""
    from llama_data.pipeline.executors import ray as executor

    cancelled: list[str] = []
    monkeypatch.setattr(executor.ray, "cancel", lambda item, force: cancelled.append(item))
    job = executor.RayExecutor(pipeline=[], tasks=4, logging_dir=str(tmp_path), limits=Limits(seconds=60.0))
    tally = Tally(range(4), job.limits)
    for rank, seconds in ((1, 40), (2, 80)):
        since = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")
        write_json(f"{tmp_path}/running/{rank:05d}.json", {"since": since})
    given = time.monotonic() - 100
    running = {"waits": (0, given), "works": (1, given), "too long": (2, given), "new": (3, time.monotonic())}
    new = running["new"]
    job._end_overtime(tally, running)
    assert cancelled == ["too long"]
    assert set(running) == {"waits", "works", "new"}
    assert running["new"] is new
    assert "longer than executor.max_task_seconds" in tally.failed[2].sentence()
    assert list(tally.failed) == [2]
    assert not (tmp_path / "running" / "00002.json").exists()


def test_every_verb_makes_the_same_while_a_node_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    recipe(tmp_path)
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    local = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    environment = {**os.environ, **local, "PYTHONPATH": path, "LLAMA_DATA_GATE": f"{tmp_path}/gate"}
    environment["RAY_ADDRESS"] = cluster.address

    def start(verb: tuple[str, ...], output: str, executor: str) -> subprocess.Popen[str]:
        words = [*verb, "-c", f"{tmp_path}/recipe.yaml", "--output", f"{tmp_path}/{output}", "--executor", executor]
        return subprocess.Popen(
            [sys.executable, "-m", "llama_data.pipeline.cli", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def begun(process: subprocess.Popen[str], group: str, count: int) -> None:
        """Wait until so many tasks are being worked on, or the verb has ended."""
        deadline = time.monotonic() + PATIENCE
        while len(list((tmp_path / "run" / "logs" / group).glob("*/running/*.json"))) < count:
            if process.poll() is not None:
                return
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    verbs = {
        "mine": ("run", "mine"),
        "tokenizer": ("train-tokenizer",),
        "tokenize/mine": ("tokenize",),
        "mix": ("mix",),
    }
    for group, verb in verbs.items():
        process = start(verb, "run", "ray")
        begun(process, group, 2 if group == "mine" else 1)
        assert process.poll() is None or group != "mine", process.communicate()
        cluster.kill()
        (tmp_path / "gate").touch()
        _, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, told
        if group != "mix":
            cluster.put_back()
    for verb in verbs.values():
        process = start(verb, "local", "local")
        _, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, told
    assert files(tmp_path / "run") == files(tmp_path / "local")
    assert len(files(tmp_path / "local")) >= 15
