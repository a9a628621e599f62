"""Fixtures for all tests: a corpus folder, its ground truth and oracle models; a run of jobs in this process."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from llama_data.pipeline.core import files

# The same examples every time; `--hypothesis-profile=default` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent


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
