"""A domain run over a folder in this process, and what it wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from llama_data.pipeline.core.files import list_files
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import read_jsonl


class Output(NamedTuple):
    """Documents, rows of the ledger, and the rejected documents of a domain."""

    documents: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    rejected: list[dict[str, Any]]

    def outcomes(self) -> dict[str, tuple[str, str | None]]:
        """Outcome and reason by id, without the domain."""
        return {_key(row["id"]): (row["outcome"], row["reason"]) for row in self.ledger}

    def kept(self) -> list[str]:
        return sorted(_key(doc["id"]) for doc in self.documents)

    def duplicates(self) -> dict[str, str]:
        """Dropped document to the one it repeats."""
        return {_key(row["id"]): _key(row["duplicate_of"]) for row in self.ledger if row["duplicate_of"]}

    def text(self, key: object) -> str:
        """The text of the one document whose id ends so."""
        [found] = [doc["text"] for doc in self.documents if doc["id"].endswith(f"/{key}")]
        return str(found)


def _key(id: str) -> str:
    return id.split("/", 1)[1]


@pytest.fixture(scope="session")
def run_domain(run_jobs: Callable[..., None]) -> Callable[..., Output]:
    """Run the jobs of a stage over a folder; the stage is its module ``jobs``."""

    def run(stage: ModuleType, source: Path, output: Path, *order: Callable[[int], Any], **settings: Any) -> Output:
        context = RunContext(input=str(source), output=str(output))
        run_jobs(stage.jobs(stage.Settings(**settings), context), *order)
        kept, rejected = (
            [doc for path in list_files(folder, ".zst") for doc in read_jsonl(path)]
            for folder in (context.documents(stage.DOMAIN), context.rejected(stage.DOMAIN))
        )
        return Output(kept, pq.read_table(context.ledger(stage.DOMAIN)).to_pylist(), rejected)

    return run


@pytest.fixture
def run_files(tmp_path: Path, run_domain: Callable[..., Output]) -> Callable[..., Output]:
    """Write files below an input folder and run a stage over it."""

    def run(stage: ModuleType, files: Mapping[str, bytes | str], output: str = "out", **settings: Any) -> Output:
        for name, data in files.items():
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        return run_domain(stage, tmp_path / "in", tmp_path / output, **settings)

    return run
