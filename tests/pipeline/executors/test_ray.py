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
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (extra `ray`)"),
    pytest.mark.timeout(1200),
]

HERE = Path(__file__).parent
SCRIPT = Path(__file__).resolve().parents[2] / "clusters" / "ray-here"
PATIENCE = 600.0  # seconds


@pytest.fixture
def cluster() -> Iterator[dict[str, Any]]:
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # Ray's sockets need a short path
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        # Ray may say things of its own first.
        line = next((line for line in process.stdout if line.startswith("{")), "")
        assert line, "the cluster did not come up"
        yield {**json.loads(line), "folder": folder}
        assert process.stdin is not None
        process.stdin.close()
    shutil.rmtree(folder, ignore_errors=True)


def test_the_tasks_of_a_killed_node_are_done_on_another(cluster: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        rows = (json.dumps({"text": f"Record {row} of file {number}. " * 20}) for row in range(4))
        (tmp_path / "in" / f"{number}.jsonl").write_text("\n".join(rows) + "\n")
    recipe = {
        "extends": "llama",
        "name": "ray",
        "input": f"{tmp_path}/in",
        "executor": {"workers": 2, "ray": {"mem_per_cpu_gb": 1}},
        "sources": {"mine": {"inputs": ["*.jsonl"], "max_task_bytes": 2500, "steps": ["gated:Gate"]}},
        "domains": dict.fromkeys(("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")),
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    local = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    environment = {**os.environ, **local, "PYTHONPATH": path, "LLAMA_DATA_GATE": f"{tmp_path}/gate"}
    environment["RAY_ADDRESS"] = cluster["address"]

    def start(output: str, executor: str) -> subprocess.Popen[str]:
        words = ["run", "mine", "-c", f"{tmp_path}/recipe.yaml", "--output", f"{tmp_path}/{output}"]
        return subprocess.Popen(
            [sys.executable, "-m", "llama_data.pipeline.cli", *words, "--executor", executor],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    process = start("run", "ray")
    running = tmp_path / "run" / "logs" / "mine" / "documents" / "running"
    deadline = time.monotonic() + PATIENCE
    while len(list(running.glob("*.json"))) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
    os.kill(cluster["raylet"], signal.SIGKILL)
    (tmp_path / "gate").touch()
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    process = start("local", "local")
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told

    def files(output: str) -> dict[str, bytes]:
        root = tmp_path / output
        found = [path for part in ("documents", "ledger", "rejected") for path in (root / part).rglob("*")]
        files = {str(path.relative_to(root)): path.read_bytes() for path in found if path.is_file()}
        assert files.pop("documents/mine/manifest.json")  # says when it was made
        return files

    assert files("run") == files("local")
    assert len(files("local")) >= 9
