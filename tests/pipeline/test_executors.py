"""The same jobs on other executors: the output is the same to the byte."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SBATCH = """#!{python}
# A cluster of one machine: runs the tasks of a submitted array at once, and notes the submission.
import os, re, subprocess, sys
script = open(sys.argv[-1]).read()
with open(os.environ["FAKE_SLURM"], "a") as log:
    number = sum(1 for _ in open(os.environ["FAKE_SLURM"])) + 1
    log.write(" ".join(sys.argv[1:-1]) + re.search("job-name=(.*)", script)[1].join("  ") + "\\n")
array = re.search(r"--array=0-(\\d+)", script)
for task in range(int(array[1]) + 1) if array and "merge_stats" not in script else []:
    env = {{**os.environ, "SLURM_ARRAY_TASK_ID": str(task), "SLURM_NODELIST": "localhost", "RUN_OFFSET": "0"}}
    subprocess.run(["bash", "-c", script], env=env, check=True, stdout=sys.stderr)
print("Submitted batch job", number)
"""
SRUN = """#!/bin/bash
while [[ "$1" == -* ]]; do if [[ "$1" == "-n" ]]; then shift; fi; shift; done
exec "$@"
"""


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


def test_slurm_arrays_depend_on_each_other_and_write_the_same_bytes(
    source: Path, local: dict[str, str], tmp_path: Path
) -> None:
    tools, log, recipe = tmp_path / "bin", tmp_path / "submitted", tmp_path / "slurm.yaml"
    tools.mkdir()
    for name, content in (
        ("sbatch", SBATCH.format(python=sys.executable)),
        ("srun", SRUN),
        ("scontrol", "#!/bin/bash\necho localhost\n"),
    ):
        (tools / name).write_text(content)
        (tools / name).chmod(0o755)
    log.touch()
    absent = "{commoncrawl: null, c4: null, github: null, wikipedia: null, arxiv: null, stackexchange: null}"
    domains = absent.replace("}", ', books: {inputs: ["*.txt"]}}')
    recipe.write_text(
        f"extends: llama\nname: slurm\nexecutor: {{kind: slurm, slurm: {{partition: cpu}}}}\ndomains: {domains}\n"
    )
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "FAKE_SLURM": str(log)}
    told = run(source, tmp_path / "run", "-c", str(recipe), env=env)
    assert "books/documents" in told
    assert "tasks submitted" in told
    submitted = [line for line in log.read_text().splitlines() if "merge" not in line]
    jobs = [line.split()[-1] for line in submitted]
    assert [name for name in dict.fromkeys(jobs)] == [
        "books-shingles",
        "books-compare",
        "books-decide",
        "books-documents",
        "books-finish",
    ]
    assert any("--dependency=afterok:" in line for line in submitted if line.endswith("books-documents "))
    assert digests(tmp_path / "run") == local


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (extra `ray`)")
def test_ray_writes_the_same_bytes(source: Path, local: dict[str, str], tmp_path: Path) -> None:
    run(source, tmp_path / "run", "--executor", "ray", "--workers", "2")
    assert digests(tmp_path / "run") == local
