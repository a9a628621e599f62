"""Which rejected texts are kept: a share of them, chosen by seed and id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_data.pipeline.core.document import Document, new_document, reject
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.sink import Sink

COUNT = 4000


def sampled(folder: Path, *, seed: int, rate: float, rank: int = 0) -> set[str]:
    """Ids of the rejected texts that a run of so many rejected records keeps."""

    def documents() -> Iterator[Document]:
        for number in range(COUNT):
            doc = new_document(domain="d", id=f"d/{number}", text="x", source="s")
            reject(doc, Reason.too_short, "length")
            yield doc

    context = RunContext(input="", output=str(folder), seed=seed, rejected_sample=rate)
    assert list(Sink(run=context, domain="d").run(documents(), rank)) == []
    return {record["id"] for record in read_jsonl(f"{context.rejected('d')}/{rank:05d}.jsonl.zst")}


def test_the_same_seed_chooses_the_same_and_another_seed_others(tmp_path: Path) -> None:
    chosen = [sampled(tmp_path / str(n), seed=seed, rate=0.25, rank=n) for n, seed in enumerate((1, 1, 2, 3))]
    assert chosen[0] == chosen[1]
    for one, other in ((0, 2), (0, 3), (2, 3)):
        both = len(chosen[one] & chosen[other])
        # Independent choices: a quarter of a quarter of them is in both.
        assert COUNT / 16 * 0.75 < both < COUNT / 16 * 1.25


@pytest.mark.parametrize("rate", [0.01, 0.25, 0.9])
def test_the_share_is_the_rate(tmp_path: Path, rate: float) -> None:
    deviation = (COUNT * rate * (1 - rate)) ** 0.5
    assert abs(len(sampled(tmp_path, seed=1, rate=rate)) - COUNT * rate) < 4 * deviation


def test_all_are_kept_at_one_and_none_at_nought(tmp_path: Path) -> None:
    assert len(sampled(tmp_path / "all", seed=1, rate=1.0)) == COUNT
    assert sampled(tmp_path / "none", seed=1, rate=0.0) == set()


def test_a_larger_share_holds_the_smaller(tmp_path: Path) -> None:
    assert sampled(tmp_path / "a", seed=5, rate=0.1) < sampled(tmp_path / "b", seed=5, rate=0.3)
