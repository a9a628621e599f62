"""The seven domains of LLaMA, and what Table 1 of the paper (arXiv:2302.13971) says of each."""

from __future__ import annotations

from typing import NamedTuple


class Domain(NamedTuple):
    """``share`` of the sampled tokens, and ``epochs``: how often the domain was seen in 1.4 T tokens."""

    share: float
    epochs: float


TABLE_1 = {
    "commoncrawl": Domain(0.67, 1.10),
    "c4": Domain(0.15, 1.06),
    "github": Domain(0.045, 0.64),
    "wikipedia": Domain(0.045, 2.45),
    "books": Domain(0.045, 2.23),
    "arxiv": Domain(0.025, 1.06),
    "stackexchange": Domain(0.02, 1.03),
}
DOMAINS = tuple(TABLE_1)
