"""Gopher's rules on quality and repetition, one after the other, against datatrove's filters and plain Python.

The clock runs from a page in UTF-8 to both decisions and the ledger's figures; repetition is counted of every page, as
if quality had let it pass. No page is timed twice, so that no table profits from what it has seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from common import TESTS, english_pages, load, row
from datatrove.data import Document
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter

from llama_data.pipeline.core.utf8_document import Utf8Document
from llama_data.stages.steps import gopher_quality, gopher_repetition
from llama_data.stages.steps.gopher_quality import Variant

ROUNDS = 3
Decision = tuple[str | None, str | None]
Decide = Callable[[bytes], Decision]


def _ours(variant: Variant) -> Decide:
    quality = gopher_quality.GopherQuality(limits=gopher_quality.Settings(variant=variant).limits(), variant=variant)
    limits = gopher_repetition.Settings(variant=variant).limits()
    repetition = gopher_repetition.GopherRepetition(limits=limits, variant=variant)

    def decide(page: bytes) -> Decision:
        doc = Utf8Document(id="", characters=len(page), metadata={}, utf8=page)
        return quality.judge(doc), repetition.judge(doc)

    return decide


def _compared(
    name: str,
    peer_name: str,
    ours: Callable[[bytes], Decision],
    peer: Callable[[bytes], Decision],
    pages: Sequence[bytes],
) -> dict[str, Any]:
    """Time both over other pages in each round, and compare what they decide of all."""
    parts = [pages[number :: ROUNDS + 1] for number in range(ROUNDS + 1)]

    def over_next(decide: Decide) -> Callable[[], None]:
        rounds: Iterable[Sequence[bytes]] = iter(parts[1:])

        def run() -> None:
            for page in next(rounds):  # type: ignore[call-overload]
                decide(page)

        return run

    # What is loaded once a process is not what is measured.
    for page in parts[0][:20]:
        ours(page), peer(page)
    megabytes = sum(map(len, pages)) / (ROUNDS + 1) / 1e6
    timed = row(name, peer_name, megabytes, {}, True, over_next(ours), over_next(peer), rounds=ROUNDS)
    mine = [ours(page) for page in pages]
    identical = mine == [peer(page) for page in pages]
    kinds = Counter("kept" if one == (None, None) else str(one[0] or one[1]) for one in mine)
    return timed | {"identical": identical, "compared": dict(kinds)}


def gopher_vs_datatrove(corpus: Path) -> dict[str, Any]:
    """The variant ``datatrove``, whose words are spaCy's, against its filters."""
    filters = GopherQualityFilter(), GopherRepetitionFilter()

    def peer(page: bytes) -> Decision:
        doc = Document(text=page.decode(), id="")
        first, second = (None if found is True else found[1] for found in (one.filter(doc) for one in filters))
        return first, second

    name = "datatrove's GopherQualityFilter and GopherRepetitionFilter"
    return _compared("gopher_vs_datatrove", name, _ours("datatrove"), peer, english_pages(corpus, 20))


def gopher_dclm(corpus: Path) -> dict[str, Any]:
    """The variant ``dclm``, which the recipe ``refined`` has, against the same rules in plain Python."""
    plain = load(TESTS / "plain" / "plain_rules.py")

    def peer(page: bytes) -> Decision:
        text = page.decode()
        return plain.quality("dclm", text), plain.repetition("dclm", text)

    return _compared("gopher_dclm", "the same rules in plain Python", _ours("dclm"), peer, english_pages(corpus, 6))


NAMES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "gopher_vs_datatrove": gopher_vs_datatrove,
    "gopher_dclm": gopher_dclm,
}
