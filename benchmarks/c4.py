"""C4's line rules against datatrove's filter and against the same rules in plain Python, in one process.

The clock runs from a page in UTF-8, as WET files hold it, to its cleaned text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from common import TESTS, english_pages, load, row
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter

from llama_data.stages.steps.c4_rules import has_sentences
from llama_data.stages.steps.kernels.c4_constants import PRESETS, Line
from llama_data.stages.steps.kernels.c4_lines import clean_utf8

ROUNDS = 5


def _alternate(
    name: str,
    peer_name: str,
    pages: Sequence[bytes],
    ours: Callable[[bytes], Any],
    peer: Callable[[bytes], Any],
    kind: Callable[[Any], str],
    rounds: int,
) -> dict[str, Any]:
    """Time both in turn over all pages, in MB of UTF-8 a second. ``kind`` names what was decided of a page."""
    megabytes = sum(len(page) for page in pages) / 1e6
    mine = [ours(page) for page in pages]
    identical = mine == [peer(page) for page in pages]
    compared = Counter(map(kind, mine))

    def over_all(clean: Callable[[bytes], object]) -> Callable[[], None]:
        def run() -> None:
            for page in pages:
                clean(page)

        return run

    timed = over_all(ours), over_all(peer)
    return row(name, peer_name, megabytes, compared, identical, *timed, rounds=rounds)


def c4_vs_datatrove(corpus: Path) -> dict[str, Any]:
    """Our kernel with datatrove's constants against its C4QualityFilter; the text of every kept page is compared.

    The filter's sentence counter is spaCy's.
    """
    peer_filter = C4QualityFilter(min_num_sentences=5)
    rules = PRESETS["datatrove"]

    def ours(page: bytes) -> str | None:
        cleaned = clean_utf8(page, rules)
        if cleaned.fatal is not Line.kept or not has_sentences(cleaned.text, rules.min_sentences):
            return None
        return cleaned.text

    def peer(page: bytes) -> str | None:
        doc = Document(text=page.decode(), id="")
        return doc.text if peer_filter.filter(doc) is True else None

    def kind(text: str | None) -> str:
        return "rejected" if text is None else "kept"

    name = "datatrove C4QualityFilter with spaCy's sentences"
    return _alternate("c4_vs_datatrove", name, english_pages(corpus, 20), ours, peer, kind, 3)


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

    def kind(found: tuple[int, str]) -> str:
        return Line(found[0]).name

    return _alternate(
        "c4_vs_plain", "the same rules in plain Python", english_pages(corpus, 1), ours, peer, kind, ROUNDS
    )


NAMES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "c4_vs_datatrove": c4_vs_datatrove,
    "c4_vs_plain": c4_vs_plain,
}
