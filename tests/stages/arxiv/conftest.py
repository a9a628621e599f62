"""Small papers and source tars, made in the tests."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from llama_data.pipeline.core.files import list_files, read_jsonl
from llama_data.pipeline.core.job import RunContext
from llama_data.stages.arxiv.expand import Expanded, expand
from llama_data.stages.arxiv.jobs import Settings, jobs
from llama_data.stages.arxiv.project import Project

Files = Mapping[str, str | bytes]


def as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def make_tar(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(as_bytes(text))
            archive.addfile(info, io.BytesIO(as_bytes(text)))
    return buffer.getvalue()


def make_paper(files: Files | str | bytes) -> bytes:
    """A paper as arXiv packs it: a gzipped tar, or a gzipped TeX file."""
    return gzip.compress(as_bytes(files) if isinstance(files, str | bytes) else make_tar(files), mtime=0)


class Run:
    """What the domain's job wrote."""

    def __init__(self, output: Path) -> None:
        import pyarrow.parquet as pq

        folder = str(output / "documents" / "arxiv")
        self.documents = {doc["id"]: doc for path in list_files(folder, ".zst") for doc in read_jsonl(path)}
        self.ledger = pq.read_table(output / "ledger" / "arxiv").to_pylist()

    @property
    def outcomes(self) -> list[tuple[str, str, str | None]]:
        return [(row["id"], row["outcome"], row["reason"]) for row in self.ledger]


def run_folder(folder: Path, output: Path, **settings: object) -> Run:
    context = RunContext(input=str(folder), output=str(output))
    for job in jobs(Settings(**settings), context):
        for rank in range(job.tasks):
            data = None
            for step in job.steps:
                data = step.run(data, rank, job.tasks)
            list(data)
    return Run(output)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    """Run the domain over an outer tar of members and return documents and ledger."""

    def _run(members: Files, **settings: object) -> Run:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / "arXiv_src_2101_001.tar").write_bytes(make_tar(members))
        return run_folder(tmp_path / "in", tmp_path / "out", **settings)

    return _run


@pytest.fixture
def body() -> Callable[..., str]:
    """The text of a paper's body after inlining and expansion, from a preamble and the body's source."""

    def _body(preamble: str, text: str, **files: str) -> str:
        return expanded(preamble, text, **files).text.strip()

    return _body


def expanded(preamble: str, text: str, **files: str) -> Expanded:
    main = f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}\n{text}\n\\end{{document}}\n"
    sources = {name.replace("__", "."): content.encode() for name, content in files.items()}
    project = Project(files={"main.tex": main.encode(), **sources})
    result = expand(project, "main.tex")
    result.text = project.masks.restore(result.text)
    return result
