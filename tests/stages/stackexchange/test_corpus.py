"""Over a real corpus: every thread in integer-score order, every post accounted for, clean text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def folder(corpus: Path) -> Path:
    return corpus / "stackexchange"


def test_threads_of_the_corpus(folder: Path, truth: Path, run_over: Any, tmp_path: Path) -> None:
    out = run_over(folder, tmp_path)
    orders = {}
    for doc in out.documents:
        metadata = doc["metadata"]
        pairs = zip(metadata["answer_ids"], metadata["answer_scores"], strict=True)
        orders[metadata["site"], metadata["url"].rsplit("/", 1)[1]] = " ".join(f"{a}:{b}" for a, b in pairs)
    lines = (truth / "se_orders_all.tsv").read_text().splitlines()[1:]
    wrong = [line for line in lines if orders.get(tuple(line.split("\t")[:2])) != line.split("\t")[2]]
    assert len(lines) == 1191
    assert wrong == []
    assert len(out.documents) == 2137
    assert sum(row["posts"] for row in out.ledger) == 7482
    assert not any(row["outcome"] == "failed" for row in out.ledger)
    for doc in out.documents:
        assert not re.search(r"^\s*\*\s*$", doc["text"], re.M) or "***" in doc["text"], doc["id"]
        assert doc["text"] == doc["text"].strip()
