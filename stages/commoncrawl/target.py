"""The reference threshold that keeps a wanted share of an annotated run.

LLaMA does not say what its classifier keeps; RedPajama chose its threshold so that the size matched. Here the share
is asked for, and the threshold that follows goes into the recipe of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import join, list_files
from llama_data.pipeline.core.ledger import read_table
from llama_data.stages.commoncrawl.thresholds import Thresholds, decide

_COLUMNS = ("language", "language_score", "perplexity_bucket", "reference_score", "chars_out")


@dataclass(frozen=True)
class Target:
    """A threshold, and what it keeps of the pages that the other decisions keep."""

    threshold: float
    pages: int
    kept: int
    chars: int
    kept_chars: int

    def __str__(self) -> str:
        return (
            f"reference_threshold {self.threshold:.6g} keeps {self.kept:,} of {self.pages:,} pages, "
            f"{self.kept_chars:,} of {self.chars:,} characters"
        )


def reference_target(
    run: str, thresholds: Thresholds, *, fraction: float | None = None, chars: int | None = None
) -> Target:
    """The highest threshold that keeps at least ``fraction`` of the pages, or at least ``chars`` characters.

    ``run`` is the folder of a run made with ``annotate_only``; pages that language or perplexity reject do not count.

    Raises:
        InputError: the run has no scored pages.
        RequestError: more is wanted than there is.
    """
    scores, lengths = _scored(run, thresholds.model_copy(update={"reference_threshold": None}))
    if not len(scores):
        raise InputError(f"{run}: no page there has a reference score; run commoncrawl with --annotate-only first")
    order = np.argsort(-scores, kind="stable")
    total = np.cumsum(lengths[order])
    if fraction is not None:
        needed = max(1, int(np.ceil(fraction * len(scores))))
    else:
        assert chars is not None  # one of the two is given
        if chars > total[-1]:
            raise RequestError(f"{run}: {chars:,} characters are wanted, and its pages have {int(total[-1]):,}")
        needed = int(np.searchsorted(total, chars)) + 1
    threshold = float(scores[order[needed - 1]])
    kept = scores >= threshold
    return Target(threshold, len(scores), int(kept.sum()), int(total[-1]), int(lengths[kept].sum()))


def _scored(run: str, others: Thresholds) -> tuple[np.ndarray, np.ndarray]:
    """Reference scores and lengths of the pages that the other decisions keep."""
    scores, lengths = [], []
    for path in list_files(join(run, "ledger", "commoncrawl"), ".parquet"):
        for row in read_table(path, _COLUMNS).to_pylist():
            if row["reference_score"] is not None and decide(row, others) is None:
                scores.append(row["reference_score"])
                lengths.append(row["chars_out"])
    return np.array(scores, np.float64), np.array(lengths, np.int64)
