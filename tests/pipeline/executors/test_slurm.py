"""A real Slurm of one node: jobs in several arrays, tasks that fail, die and do not end, the same bytes as here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.errors import RecipeError
from llama_data.pipeline.executors.slurm import activate
from llama_data.pipeline.recipe import load_recipe, slurm_seconds

SCRIPT = Path(__file__).resolve().parents[2] / "clusters" / "slurm-here"
HERE = Path(__file__).parent
FILES, ARRAY = 3, 2  # a job of three tasks has two arrays
WORDS = "rivers, hills and quiet harbours. "  # enough of them for a tokenizer
PATIENCE = 900.0  # seconds; an element takes some, on a machine that does nothing else


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    """The environment of a Slurm that was started for these tests; skips where there can be none."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # not below pytest's, which munge may not enter
    done = subprocess.run(
        [str(SCRIPT), "up", str(folder), "--array", str(ARRAY), "--cpus", "4"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    yield {**os.environ, "SLURM_CONF": f"{folder}/slurm.conf", "PYTHONPATH": path}
    subprocess.run([str(SCRIPT), "down", str(folder)], check=False, capture_output=True)
    shutil.rmtree(folder)


class Run:
    """A run of a source of three files, with one step of the tests'."""

    def __init__(self, folder: Path, environment: dict[str, str], step: str | None, **settings: Any) -> None:
        self.folder, self.environment = folder, {**environment, "LLAMA_DATA_GATE": f"{folder}/gate"}
        (folder / "in").mkdir()
        for number in range(FILES):
            rows = (json.dumps({"text": f"Record {row} of file {number}: {WORDS}" * 20}) for row in range(4))
            (folder / "in" / f"{number}.jsonl").write_text("\n".join(rows) + "\n")
        slurm = {"partition": "main", "qos": "", "max_array_size": ARRAY, "mem_per_cpu_gb": 1, **settings}
        steps = [*([f"faulty:{step}"] if step else []), "exact_dup"]
        recipe = {
            "extends": "llama",
            "name": "slurm",
            "mix": {"weights": {"mine": 1.0}, "tokens": "1K"},
            "tokenizer": {"vocab_size": 300},
            "tokens": {"seq_len": 16},
            "input": f"{folder}/in",
            "executor": {"kind": "slurm", "workers": 2, "max_task_deaths": 2, "slurm": slurm},
            "sources": {"mine": {"inputs": ["*.jsonl"], "max_task_bytes": 6000, "steps": steps}},
            "domains": dict.fromkeys(("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")),
        }
        (folder / "recipe.yaml").write_text(json.dumps(recipe))

    def command(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "llama_data.pipeline.cli", verb, *arguments]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)

    def start(self, output: str = "run", *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.command(
            "run", "mine", "-c", f"{self.folder}/recipe.yaml", "--output", f"{self.folder}/{output}", *arguments
        )

    def ended(self) -> dict[str, Any]:
        """What the last job says, once it has."""
        path = self.folder / "run" / "logs" / "mine" / "ended.json"
        wait_for(path.exists)
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def files(self, output: str, *parts: str) -> dict[str, bytes]:
        """All files of a run but its manifests, which say when they were written."""
        root = self.folder / output
        found = [path for part in ("documents", "ledger", "rejected", *parts) for path in (root / part).rglob("*")]
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in found
            if path.is_file() and not path.name.startswith("manifest.")
        }


@contextmanager
def nothing_begins(slurm: dict[str, str]) -> Iterator[None]:
    """Jobs that are submitted meanwhile wait until the end of it, however busy the machine is."""

    def begin(state: str) -> None:
        words = ["scontrol", "update", "PartitionName=main", f"State={state}"]
        subprocess.run(words, env=slurm, check=True, capture_output=True)

    begin("DOWN")
    try:
        yield
    finally:
        begin("UP")


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def doomed(slurm: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run all of whose tasks go wrong, beside the other tests: Slurm's shortest limit of time is a minute."""
    run = Run(tmp_path_factory.mktemp("doomed"), slurm, "AllKinds", time="00:01:00")
    done = run.start()
    assert done.returncode == 0, done.stderr
    return run


@pytest.mark.usefixtures("doomed")
@pytest.mark.timeout(3600)
def test_jobs_of_several_arrays_wait_for_all_parts_and_are_submitted_once(
    slurm: dict[str, str], tmp_path: Path
) -> None:
    run = Run(tmp_path, slurm, "Slow")
    with nothing_begins(slurm):
        done = run.start()
        assert done.returncode == 0, done.stderr
        assert "tasks submitted" in done.stderr
        again = run.start()
        assert again.returncode == 2
        assert "mine: its jobs are in Slurm's queue already" in again.stderr
        shown = run.command("status", f"{tmp_path}/run", "--json")
        assert json.loads(shown.stdout)[0]["state"] == "queued"
    assert (tmp_path / "run" / "logs" / "mine" / "slurm.json").exists()
    ended = run.ended()
    assert ended["ok"], ended
    assert "mine" in ended["says"]
    assert not (tmp_path / "run" / "work" / "mine").exists()
    assert "mine: complete (slurm)" in run.command("status", f"{tmp_path}/run").stdout
    local = run.start("local", "--executor", "local")
    assert local.returncode == 0, local.stderr
    assert run.files("run") == run.files("local")
    assert len(run.files("local")) >= 7
    later = run.start()
    assert later.returncode == 0
    assert "mine: complete and made from the same; nothing to do" in later.stderr


@pytest.mark.usefixtures("doomed")
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
def test_verbs_that_are_given_at_once_are_planned_one_after_the_other(
    slurm: dict[str, str], tmp_path: Path, broken: bool
) -> None:
    """Without LLAMA_DATA_SOAK only what happens where the first of them fails, which costs few jobs."""
    if not broken and not os.environ.get("LLAMA_DATA_SOAK"):
        pytest.skip("some forty jobs: set LLAMA_DATA_SOAK=1 to run it")
    run = Run(tmp_path, slurm, "Full" if broken else None)
    none_may_fail = ("--max-task-failures", "0") if broken else ()
    verbs = ("train-tokenizer", "tokenize", "mix")
    place = ("-c", f"{tmp_path}/recipe.yaml", "--output", f"{tmp_path}/run")
    with nothing_begins(slurm):
        assert run.start("run", *none_may_fail).returncode == 0
        for verb, before in zip(verbs, ("mine", "mine, tokenizer", "tokenize/mine"), strict=True):
            done = run.command(verb, *place)
            assert done.returncode == 0, done.stderr
            assert f"{verb}: waits in Slurm's queue for the jobs of {before}, and is planned" in done.stderr
        again = run.command("mix", *place)
        assert again.returncode == 2
        assert "mix: its jobs are in Slurm's queue already" in again.stderr

    def states() -> dict[str, str]:
        shown = run.command("status", f"{tmp_path}/run", "--json")
        return {group["group"]: group["state"] for group in json.loads(shown.stdout)}

    assert set(states()) == {"mine", "tokenizer", "tokenize/mine", "mix"}
    last = tmp_path / "run" / "logs" / "mix" / "ahead.json"
    wait_for(lambda: not last.exists() or "says" in json.loads(last.read_text()), 4 * PATIENCE)
    wait_for(lambda: not {"running", "queued"} & set(states().values()))
    if broken:
        assert set(states().values()) == {"failed"}
        told = run.command("status", f"{tmp_path}/run").stdout
        assert "no documents of mine, which have a share of the mix; run `llama-data run mine` first" in told
        assert "1 of 3 tasks failed" in told  # the third stands in the next array, and is not begun
        assert "no further task was begun" in told
        assert "documents: no documents; run `llama-data run` first" in told
        assert run.command("train-tokenizer", *place).returncode == 2  # nothing waits any more
        return
    assert set(states().values()) == {"complete"}
    for verb in verbs:
        done = run.command(verb, *place)
        assert done.returncode == 0, done.stderr
        assert "submitted" not in done.stderr  # there is nothing to do
    assert run.start("local", "--executor", "local").returncode == 0
    for verb in verbs:
        assert run.command(verb, *place[:3], f"{tmp_path}/local", "--executor", "local").returncode == 0
    parts = ("tokenizer", "tokens", "mix")
    assert run.files("run", *parts) == run.files("local", *parts)
    assert run.command("verify", f"{tmp_path}/run").returncode == 0


@pytest.mark.timeout(3600)
def test_tasks_that_die_fail_or_take_too_long_are_named(doomed: Run) -> None:
    run, folder = doomed, doomed.folder
    ended = run.ended()
    assert not ended["ok"]
    says = ended["says"]
    assert "3 of 3 tasks failed" in says
    assert "task 0: its process was killed by SIGKILL (the system does that when memory runs out) 2 times" in says
    assert "task 1: OSError: [Errno 5] Input/output error" in says
    assert "task 2: it was ended after " in says
    assert "by executor.slurm.time (00:01:00)" in says
    told = run.command("status", f"{folder}/run").stdout
    assert "mine: failed (slurm)" in told
    assert "3 of 3 tasks failed" in told
    shown = run.command("logs", f"{folder}/run", "--failed")
    assert "Input/output error" in shown.stdout
    assert not (folder / "run" / "documents").exists()


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("30", 1800),
        ("30:10", 1810),
        ("4:00:00", 14_400),
        ("1-0", 86_400),
        ("1-12", 129_600),
        ("1-12:30", 131_400),
        ("2-00:00:01", 172_801),
        ("UNLIMITED", float("inf")),
    ],
)
def test_a_limit_of_time_is_read_as_slurm_does(time: str, seconds: float) -> None:
    assert slurm_seconds(time) == seconds


@pytest.mark.parametrize("time", ["", "1h", "1:2:3:4", "-1", "1-", "a-1"])
def test_what_is_no_limit_of_time_is_refused(time: str) -> None:
    with pytest.raises(ValueError, match="no time; expected HH:MM:SS"):
        slurm_seconds(time)


def test_a_time_without_quotes_is_told_how_to_be_written(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("extends: llama\nname: x\nexecutor:\n  kind: slurm\n  slurm: {partition: a, time: 1:30:00}\n")
    with pytest.raises(RecipeError, match=r'5400 is a number; a time needs quotes.* time: "1:30:00"'):
        load_recipe(str(path))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("time: 30", r'30 is a number; a time needs quotes.* time: "30" for minutes, "0:30:00"'),
        ("time: 60:00", r'3600 is a number.* time: "1:00:00"'),
        ("sbatch_args: {begin: 16:00}", r"begin: 960 is no text; quote it as sbatch shall read it"),
    ],
)
def test_what_yaml_reads_otherwise_than_sbatch_is_told(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "r.yaml"
    slurm = f"    partition: a\n    {line}\n"
    path.write_text(f"extends: llama\nname: x\nexecutor:\n  kind: slurm\n  slurm:\n{slurm}")
    with pytest.raises(RecipeError, match=said):
        load_recipe(str(path))


def test_an_environment_is_its_folder_or_its_script(tmp_path: Path) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    script = tmp_path / "venv" / "bin" / "activate"
    script.touch()
    assert activate(str(tmp_path / "venv")) == str(script)
    assert activate(str(script)) == str(script)
    assert activate(None) is None
