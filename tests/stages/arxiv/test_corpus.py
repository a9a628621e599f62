"""The papers of a corpus folder against its ground truth: what peers lose there stays here."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llama_data.stages.arxiv import jobs


@pytest.fixture(scope="module")
def texts(corpus: Path, tmp_path_factory: pytest.TempPathFactory, run_domain: Callable[..., Any]) -> dict[str, str]:
    found = run_domain(jobs, corpus, tmp_path_factory.mktemp("arxiv"), inputs=("arxiv/*.tar",)).documents
    return {doc["metadata"]["arxiv_id"]: doc["text"] for doc in found}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_every_paper_with_tex_is_kept(texts: dict[str, str]) -> None:
    assert len(texts) == 64


def test_no_macro_of_the_papers_is_left(texts: dict[str, str], truth: Path) -> None:
    left = [
        (row["paper"], row["macro"])
        for row in rows(truth / "arxiv_macro_uses.tsv")
        if re.search(re.escape(row["macro"]) + r"(?![A-Za-z@])", texts[row["paper"]])
    ]
    assert left == []


def test_no_definition_input_comment_or_bibliography_is_left(texts: dict[str, str]) -> None:
    commands = r"\\(?:newcommand|renewcommand|def|let|DeclareMathOperator|input|include|bibliography|end\{document)\b"
    outside = {
        name: re.sub(r"\\begin\{(verbatim|lstlisting|minted)\}.*?\\end\{\1\}", "", text, flags=re.S)
        for name, text in texts.items()
    }
    assert [name for name, text in outside.items() if re.search(commands, text)] == []
    assert [name for name, text in outside.items() if re.search(r"(?<!\\)%", text)] == []
    assert [name for name, text in outside.items() if "thebibliography" in text] == []


def test_every_file_that_is_read_is_there_whole(texts: dict[str, str], truth: Path, corpus: Path) -> None:
    lost = {row["paper"] for row in rows(truth / "arxiv_inputs.tsv") if row["status"] == "absent"}
    assert lost == {"2101.00049"}
    assert texts["2101.00049"].count("\\label{fig:") > 20
