"""The same jobs on other executors: the output is the same to the byte."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


def run(source: Path, output: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-m", "llama_data.pipeline.cli", "run", "books", "--input", str(source)]
    done = subprocess.run(
        [*command, "--output", str(output), *arguments], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for kind in ("documents", "ledger", "rejected") for p in (folder / kind).rglob("*") if p.is_file())
    assert (folder / "documents" / "books" / "manifest.json") in files
    # It says when it was made, and which globs of inputs.
    files.remove(folder / "documents" / "books" / "manifest.json")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dumps")
    for number in range(3):
        lines = (f"Line {line} of book {number}: {line * number + 7}.\n" for line in range(300))
        (folder / f"book{number}.txt").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def local(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    output = tmp_path_factory.mktemp("local")
    run(source, output)
    return digests(output)


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (extra `ray`)")
def test_ray_writes_the_same_bytes(source: Path, local: dict[str, str], tmp_path: Path) -> None:
    run(source, tmp_path / "run", "--executor", "ray", "--workers", "2")
    assert digests(tmp_path / "run") == local
