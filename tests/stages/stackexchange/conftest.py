"""Small dumps made in the test, and the whole stage run over them in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

import pyarrow.parquet as pq
import pytest

from llama_data.pipeline.core.files import list_files, read_jsonl
from llama_data.pipeline.core.job import RunContext
from llama_data.stages.stackexchange.jobs import DOMAIN, Settings, jobs


class Output(NamedTuple):
    documents: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    rejected: list[dict[str, Any]]

    def text(self, number: int) -> str:
        """The text of the kept question with this number."""
        found = [doc["text"] for doc in self.documents if doc["id"].endswith(f"/{number}")]
        assert len(found) == 1
        return str(found[0])

    def outcomes(self) -> dict[str, tuple[str, str | None]]:
        """Outcome and reason by id, without the domain."""
        return {row["id"].split("/", 1)[1]: (row["outcome"], row["reason"]) for row in self.ledger}


def row(**attributes: object) -> str:
    return "  <row " + " ".join(f"{key}={quoteattr(str(value))}" for key, value in attributes.items()) + " />"


def question(number: int, title: str = "Title", body: str = "<p>Body</p>", score: int = 1, **more: object) -> str:
    return row(Id=number, PostTypeId=1, Score=score, Title=title, Body=body, **more)


def answer(number: int, parent: int, score: int = 0, body: str = "<p>Answer</p>", **more: object) -> str:
    return row(Id=number, PostTypeId=2, ParentId=parent, Score=score, Body=body, **more)


def posts(*rows: str, head: str = "") -> bytes:
    lines = ['<?xml version="1.0" encoding="utf-8"?>', *([head] if head else []), "<posts>", *rows, "</posts>", ""]
    return "\ufeff".encode() + "\n".join(lines).encode()


class Dump:
    """Builders of rows and files, handed to the tests as one fixture."""

    row = staticmethod(row)
    question = staticmethod(question)
    answer = staticmethod(answer)
    posts = staticmethod(posts)


@pytest.fixture
def dump() -> type[Dump]:
    return Dump


def run_jobs(context: RunContext, settings: Settings) -> Output:
    for job in jobs(settings, context):
        for rank in range(job.tasks):
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
    """Write files below an input folder, run both jobs, and return what they wrote."""

    def run(files: dict[str, bytes], **settings: Any) -> Output:
        source = tmp_path / "in"
        for name, data in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(data)
        return run_jobs(RunContext(input=str(source), output=str(tmp_path / "out")), Settings(**settings))

    return run


@pytest.fixture
def run_over() -> Callable[..., Output]:
    """Run both jobs over a folder that is there."""

    def run(source: Path, output: Path, **settings: Any) -> Output:
        return run_jobs(RunContext(input=str(source), output=str(output)), Settings(**settings))

    return run
