"""The reference threshold that keeps a wanted share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.stages.commoncrawl.target import reference_target
from llama_data.stages.commoncrawl.thresholds import Thresholds

OTHERS = Thresholds(reference_threshold=0.5)


def annotated(folder: Path, rows: list[dict[str, Any]]) -> str:
    ledger = folder / "ledger" / "commoncrawl"
    ledger.mkdir(parents=True)
    common = {"language": "en", "language_score": 0.9, "perplexity_bucket": "head", "chars_out": 100}
    pq.write_table(pa.Table.from_pylist([{**common, **row} for row in rows]), ledger / "00000.parquet")
    return str(folder)


def test_a_share_of_the_pages_gives_the_highest_threshold_that_keeps_it(tmp_path: Path) -> None:
    run = annotated(tmp_path, [{"reference_score": score} for score in (0.9, 0.7, 0.7, 0.3, 0.1)])
    half = reference_target(run, OTHERS, fraction=0.5)
    assert (half.threshold, half.kept, half.pages, half.kept_chars) == (0.7, 3, 5, 300)
    assert reference_target(run, OTHERS, fraction=1.0).threshold == 0.1
    assert reference_target(run, OTHERS, fraction=0.0).kept == 1
    assert "keeps 3 of 5 pages" in str(half)


def test_characters_may_be_asked_for_instead(tmp_path: Path) -> None:
    run = annotated(tmp_path, [{"reference_score": 0.9, "chars_out": 1000}, {"reference_score": 0.2, "chars_out": 50}])
    assert reference_target(run, OTHERS, chars=900).threshold == 0.9
    assert reference_target(run, OTHERS, chars=1001).threshold == 0.2
    with pytest.raises(RequestError, match="2,000 characters are wanted, and its pages have 1,050"):
        reference_target(run, OTHERS, chars=2000)


def test_pages_that_other_decisions_reject_do_not_count(tmp_path: Path) -> None:
    rows = [{"reference_score": 0.9, "language": "de"}, {"reference_score": 0.8, "perplexity_bucket": "tail"}]
    run = annotated(tmp_path, [*rows, {"reference_score": 0.4}, {"reference_score": None}])
    assert reference_target(run, OTHERS, fraction=1.0).pages == 1
    with pytest.raises(InputError, match="--annotate-only"):
        reference_target(str(tmp_path / "absent"), OTHERS, fraction=0.5)
