"""Fixtures for all tests: a corpus folder, its ground truth and oracle models; a run of jobs in this process."""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from llama_data.pipeline.core import files

# The same examples every time; `--hypothesis-profile=default` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent

# A shell without a terminal ignores SIGINT for what it starts in the background, as nohup does SIGHUP, and so would all
# that tests start.
for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)


# In several processes the files of the longest tests come first, so that none is at one while the others have nothing
# left to do; and what compiles most is not begun by two of them, but beside what compiles nothing.
FIRST = (
    "tests/e2e/test_quickstart.py",
    "tests/train_handoff/trainer/",
    "tests/e2e/",
    "tests/faults/",
    "tests/pipeline/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files for ``make test``."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(
            key=lambda item: next((at for at, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST))
        )


def _folder(variable: str, default: Path, what: str) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f"no {what}: set {variable} to run this test")
    return folder


@pytest.fixture(scope="session", autouse=True)
def small_tasks() -> Iterator[None]:
    """The small files of tests are tasks of their own, so that tests see what comes out of several tasks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "LEAST_TASK", 1)
        yield


@pytest.fixture(scope="session", autouse=True)
def workers_start_soon() -> None:
    """What tasks need is imported once, where all workers of all tests are forked from."""
    from llama_data.pipeline.executors.crew import foresee

    own = ("pipeline.registry", "pipeline.finish", "tokenizer.train", "train_handoff.pack", "train_handoff.mix.jobs")
    foresee(f"llama_data.{name}" for name in own)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """A folder of real raw dumps, shaped as configs/corpus.yaml says; skips when there is none."""
    return _folder("LLAMA_DATA_CORPUS", ROOT.parent / "shared" / "corpus", "corpus folder")


@pytest.fixture(scope="session")
def truth() -> Path:
    """Ground truth for that corpus; skips when there is none."""
    return _folder("LLAMA_DATA_TRUTH", ROOT.parent / "shared" / "truth", "ground truth for the corpus")


@pytest.fixture(scope="session")
def oracle_models() -> Path:
    """Published models that serve as oracles; skips when there are none."""
    return _folder("LLAMA_DATA_ORACLE_MODELS", ROOT.parent / "shared" / "models", "oracle models")


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A web server that can fail, whose requests are tried without pauses."""
    from web_server import Web

    from llama_data.pipeline.core import http
    from llama_data.pipeline.core.stores import Limits

    monkeypatch.setattr(http, "LIMITS", Limits(pause=0.001, longest=0.01))
    http.forget()
    with Web().serving() as server:
        yield server
        http.forget()


def backwards(tasks: int) -> Iterable[int]:
    return reversed(range(tasks))


@pytest.fixture(scope="session")
def run_jobs() -> Callable[..., None]:
    """Run every task of every job, one after the other, each step unpickled as a worker gets it.

    The tasks of a job run in reverse order, for the order must not matter; ``order`` makes another of their number.
    """

    def run(jobs: Sequence[Any], order: Callable[[int], Iterable[int]] = backwards) -> None:
        for job in jobs:
            for rank in order(job.tasks):
                data: Any = None
                for step in pickle.loads(pickle.dumps(job.steps)):
                    data = step.run(data, rank, job.tasks)
                assert list(data or ()) == []

    return run


@pytest.fixture(scope="session")
def finish_run() -> Callable[[str, str], None]:
    """Write the manifest of a domain whose jobs were run by ``run_jobs``, as the last job of a verb does."""
    from llama_data.pipeline.core import manifest
    from llama_data.pipeline.core.written import gather_notes

    def finish(run: str, domain: str) -> None:
        manifest.write(
            f"{run}/documents/{domain}",
            levels=2,
            what=f"documents/{domain}",
            files=gather_notes(run, domain, []),
            totals={},
            made_from={},
            account={},
            inputs=[],
            about={},
        )

    return finish


HOSTILE = (
    "\x1b[2J\x1b]0;title\x07\x9b31mred\u202eleft\u2066 "
    '"onload="alert(1)" <script>alert(2)</script></script><img src=x onerror=alert(3)> \r\nkept: 5 \x00\x7f'
)
"""What a record, a name or a reason of somebody else may hold: a terminal would obey it, and so would a browser."""


def run_command(*words: str | Path) -> int:
    """Run ``llama-data`` in this process, as its entry point does but for the signals; the exit code."""
    from llama_data.pipeline.cli import app
    from llama_data.pipeline.core.errors import run_command_line

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["llama-data", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            run_command_line(lambda given: app(given, prog_name="llama-data", standalone_mode=False), "llama-data")
    return int(caught.value.code or 0)


Told = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def told() -> Told:
    """``run_command`` in a folder, and what it says: as if it were a process, of which each takes seconds to start."""

    def tell(*words: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), chdir(folder or Path.cwd()):
            code = run_command(*words)
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    return tell


@pytest.fixture(scope="session")
def command() -> Callable[..., int]:
    """``run_command``, for tests that look at what it prints."""
    return run_command


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run up to its mix, of hostile texts, ids, titles, addresses, file names and reasons."""
    folder = tmp_path_factory.mktemp("hostile")
    inputs = folder / "in"
    inputs.mkdir()
    name = HOSTILE.replace("/", "").replace("\x00", "").replace("\r\n", "")
    for number in range(2):
        rows = [
            {
                "text": f"{HOSTILE} Text {row} of {number}. " * 20,
                "id": f"{row}{HOSTILE}",
                "title": HOSTILE,
                "url": HOSTILE,
            }
            for row in range(30)
        ]
        lines = [json.dumps(row) for row in [*rows, {"text": f"{HOSTILE} short", "id": f"short{HOSTILE}"}]]
        (inputs / f"{number}{name}.jsonl").write_text("\n".join([*lines, "{broken" + HOSTILE.replace("\n", "")]) + "\n")
    fields = {"text": "text", "id": "id", "title": "title", "url": "url", "keep": ["title"]}
    source = {"inputs": ["*.jsonl"], "fields": fields, "steps": ["hostile_step:Judge"]}
    recipe = {
        "extends": "llama",
        "name": "hostile",
        "input": str(inputs),
        "output": str(folder / "run"),
        "rejected_sample": 1.0,
        "failure_limit": None,
        "executor": {"workers": 1},
        "domains": dict.fromkeys(("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")),
        "sources": {"mine": source},
        "tokenizer": {"vocab_size": 320},
        "tokens": {"seq_len": 64, "validation": 0.1},
        "mix": {"weights": {"mine": 1.0}, "tokens": 12800},
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tests" / "plain")
        for words in (["run", "all"], ["train-tokenizer"], ["tokenize"], ["mix"]):
            assert run_command(*words, "-c", folder / "recipe.yaml", "--quiet") == 0
    return folder / "run"
