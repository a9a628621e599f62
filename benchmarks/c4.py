"""C4's line rules against datatrove's filter and against the same rules in plain Python, in one process.

The clock runs from a page in UTF-8, as WET files hold it, to its cleaned text.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from common import TESTS, load, row
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter

from llama_data.stages.shared.wet import WetRecord, read_wet
from llama_data.stages.steps.c4_rules import has_sentences
from llama_data.stages.steps.kernels.c4_constants import PRESETS, Line
from llama_data.stages.steps.kernels.c4_lines import clean_utf8

ROUNDS = 5
# Frequent words that together mark a page as English, so that no model is needed to choose the pages.
_ENGLISH = (b" the ", b" and ", b" of ", b" to ", b" is ")


def _pages(corpus: Path, share: int) -> list[bytes]:
    """Every ``share``-th English page of the corpus's WET files, in UTF-8 as it is stored there."""
    pages = [
        page.body
        for path in sorted((corpus / "cc").glob("*.wet.gz"))
        for page in read_wet(str(path))
        if isinstance(page, WetRecord)
    ]
    return [page for page in pages if all(word in page for word in _ENGLISH)][::share]


def _alternate(
    name: str,
    peer_name: str,
    pages: Sequence[bytes],
    ours: Callable[[bytes], object],
    peer: Callable[[bytes], object],
    rounds: int,
) -> dict[str, Any]:
    """Time both in turn over all pages, in MB of UTF-8 a second."""
    megabytes = sum(len(page) for page in pages) / 1e6
    identical = all(ours(page) == peer(page) for page in pages)

    def over_all(clean: Callable[[bytes], object]) -> Callable[[], None]:
        def run() -> None:
            for page in pages:
                clean(page)

        return run

    timed = over_all(ours), over_all(peer)
    return row(name, peer_name, megabytes, identical, *timed, rounds=rounds, clock=time.perf_counter)


def c4_vs_datatrove(corpus: Path) -> dict[str, Any]:
    """Our kernel with datatrove's constants against its C4QualityFilter; the text of every kept page is compared.

    The filter's sentence counter needs spaCy (or a download for NLTK). Where spaCy is not installed, counting is
    switched off in both, which leaves out the slowest part of the peer.
    """
    counting = importlib.util.find_spec("spacy") is not None
    peer_filter = C4QualityFilter(min_num_sentences=5 if counting else -1)
    rules = PRESETS["datatrove"]

    def ours(page: bytes) -> str | None:
        cleaned = clean_utf8(page, rules)
        if cleaned.fatal is not Line.kept or (counting and not has_sentences(cleaned.text, rules.min_sentences)):
            return None
        return cleaned.text

    def peer(page: bytes) -> str | None:
        doc = Document(text=page.decode(), id="")
        return doc.text if peer_filter.filter(doc) is True else None

    pages = _pages(corpus, 20 if counting else 2)
    note = "with spaCy's sentences" if counting else "without sentence counting: spaCy is not installed"
    return _alternate(
        "c4_vs_datatrove", f"datatrove C4QualityFilter ({note})", pages, ours, peer, 3 if counting else ROUNDS
    )


def c4_vs_plain(corpus: Path) -> dict[str, Any]:
    """Our kernel against the plain transcription of TFDS's rules that the tests hold it to."""
    plain = load(TESTS / "plain" / "plain_c4.py")
    rules = PRESETS["tfds"]

    def ours(page: bytes) -> tuple[int, str]:
        cleaned = clean_utf8(page, rules)
        return int(cleaned.fatal), "" if cleaned.fatal else cleaned.text

    def peer(page: bytes) -> tuple[int, str]:
        fatal, _, kept = plain.plain_clean(page.decode(), rules)
        return fatal, "" if fatal else "\n".join(kept).strip()

    return _alternate("c4_vs_plain", "the same rules in plain Python", _pages(corpus, 1), ours, peer, ROUNDS)


NAMES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "c4_vs_datatrove": c4_vs_datatrove,
    "c4_vs_plain": c4_vs_plain,
}
