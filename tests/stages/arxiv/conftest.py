"""Small papers and source tars, made in the tests."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from llama_data.stages.arxiv import jobs
from llama_data.stages.arxiv.expand import Expanded, expand
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


@pytest.fixture
def run(run_files: Callable[..., Any]) -> Callable[..., Any]:
    """Run the domain over an outer tar of members."""

    def _run(members: Files, **settings: object) -> Any:
        return run_files(jobs, {"arXiv_src_2101_001.tar": make_tar(members)}, **settings)

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
