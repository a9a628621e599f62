"""Books made in the test, and the whole stage run over them in this process."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from llama_data.pipeline.core.files import list_files, read_jsonl
from llama_data.pipeline.core.job import RunContext
from llama_data.stages.books.jobs import DOMAIN, Settings, jobs


class Output(NamedTuple):
    documents: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    rejected: list[dict[str, Any]]

    def outcomes(self) -> dict[str, tuple[str, str | None]]:
        """Outcome and reason by id, without the domain."""
        return {row["id"].split("/", 1)[1]: (row["outcome"], row["reason"]) for row in self.ledger}

    def kept(self) -> list[str]:
        return sorted(doc["id"].split("/", 1)[1] for doc in self.documents)

    def duplicates(self) -> dict[str, str]:
        """Dropped book to kept book."""
        rows = [row for row in self.ledger if row["reason"] == "duplicate_book"]
        return {row["id"].split("/", 1)[1]: row["duplicate_of"].split("/", 1)[1] for row in rows}


def run_jobs(context: RunContext, settings: Settings, order: Callable[[int], Any] = range) -> Output:
    for job in jobs(settings, context):
        for rank in order(job.tasks):
            data: Any = None
            for step in job.steps:
                data = step.run(data, rank, job.tasks)
            assert list(data) == []
    return Output(
        documents=[doc for path in list_files(context.documents(DOMAIN), ".zst") for doc in read_jsonl(path)],
        ledger=pq.read_table(context.ledger(DOMAIN)).to_pylist(),
        rejected=[doc for path in list_files(context.rejected(DOMAIN), ".zst") for doc in read_jsonl(path)],
    )


@pytest.fixture
def run_stage(tmp_path: Path) -> Callable[..., Output]:
    """Write files below an input folder, run all jobs, and return what they wrote."""

    def run(files: dict[str, bytes | str], output: str = "out", **settings: Any) -> Output:
        source = tmp_path / "in"
        for name, data in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(data.encode() if isinstance(data, str) else data)
        return run_jobs(RunContext(input=str(source), output=str(tmp_path / output)), Settings(**settings))

    return run


@pytest.fixture
def run_over() -> Callable[..., Output]:
    """Run all jobs over a folder that is there; ``order`` says in which order the tasks of a job run."""

    def run(source: Path, output: Path, order: Callable[[int], Any] = range, **settings: Any) -> Output:
        return run_jobs(RunContext(input=str(source), output=str(output)), Settings(**settings), order)

    return run


@pytest.fixture
def prose() -> Callable[[str, int], str]:
    """Words of a book: (seed, number of words) to a text in which no two shingles are alike, in lines."""

    def make(seed: str, words: int) -> str:
        chance = random.Random(seed)
        parts = [f"{seed}{chance.randrange(10**9)}" for _ in range(words)]
        return "\n".join(" ".join(parts[start : start + 9]) for start in range(0, words, 9))

    return make
