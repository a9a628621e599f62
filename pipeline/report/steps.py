"""The steps of a domain in the order in which a record meets them, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from llama_data.pipeline.core.files import exists, join, read_bytes
from llama_data.pipeline.report.domain import Cell, DomainLedger

# In the order of the sources' own lists; it is what orders steps where a run's logs do not name them.
WORDS = {
    "read": "Reading",
    "read_commoncrawl": "Reading pages",
    "read_c4": "Reading pages",
    "read_github": "Reading files",
    "read_repositories": "Reading repositories",
    "read_wikipedia": "Reading pages",
    "read_arxiv": "Reading submissions",
    "read_source": "Reading rows",
    "gather": "Joining answers to questions",
    "select_articles": "Choosing articles",
    "licence": "Licence",
    "content": "Has content",
    "path": "Path and extension",
    "heuristics": "Line lengths and letters",
    "letters_per_token": "Letters a token",
    "generated": "Not generated",
    "header": "Removing licence headers",
    "site": "Choosing sites",
    "answered": "Has an answer",
    "inline_and_expand": "Inlining and macros",
    "cut_to_body": "Cutting to the body",
    "clean_wikitext": "Cleaning markup",
    "gutenberg": "Removing frames",
    "page_limit": "Length limit",
    "newest_page": "Newest copy of an address",
    "clean_page": "C4's line and page rules",
    "minimum_length": "Minimum length",
    "maximum_length": "Maximum length",
    "line_dedup": "Repeated lines",
    "duplicates": "Exact duplicates",
    "exact_dup": "Exact duplicates",
    "near_dup": "Near-duplicates",
    "fineweb_quality": "FineWeb quality",
    "pii": "Personal addresses",
    "persist": "Leaving documents on disk",
    "read_persisted": "Reading them again",
    "urls": "Addresses",
    "quality": "Quality",
    "decontaminate": "Evaluation texts",
    "overlap": "Overlapping books",
    "language": "Language",
    "perplexity": "Perplexity",
    "reference_classifier": "Like Wikipedia's references",
    "bad_words": "Bad words",
    "empty_text": "Has text",
    "text": "Has text",
    "write": "Writing",
    "repeated": "Records read twice",
}


LEAVES_DOCUMENTS = frozenset({"persist", "write"})
"""The steps behind which a domain's documents are: on disk for later jobs, or as its result."""


class FunnelStep(NamedTuple):
    """What a step left: the records it took away, and the records and characters (as read) behind it."""

    title: str
    code: str
    gone: int
    failed: int
    left: int
    chars_left: int


def words_for(step: str) -> str:
    """A step's name for a person; a step of the user's own is called what its author calls it."""
    return WORDS.get(step) or (step.replace("_", " ").capitalize() if step else "No step named")


def funnel(found: DomainLedger, order: Sequence[str]) -> list[FunnelStep]:
    """The steps that took records away, in their order, from all records down to those that were kept."""
    by_step: dict[str, list[tuple[str, Cell]]] = {}
    for (outcome, step, _), cell in found.cells.items():
        if outcome != "kept":
            by_step.setdefault(step, []).append((outcome, cell))
    left = found.total()
    rows = [FunnelStep("Read", "", 0, 0, left.records, left.chars_in)]
    records, chars = left.records, left.chars_in
    for step in in_order(by_step, order):
        cells = by_step[step]
        gone = sum(cell.records for _, cell in cells)
        failed = sum(cell.records for outcome, cell in cells if outcome == "failed")
        records, chars = records - gone, chars - sum(cell.chars_in for _, cell in cells)
        rows.append(FunnelStep(words_for(step), step, gone, failed, records, chars))
    return rows


def in_order(steps: Any, order: Sequence[str]) -> list[str]:
    """Steps as the logs order them; those that the logs do not name stand where the sources' own lists have them."""
    known = list(WORDS)
    places: dict[str, float] = {name: place for place, name in enumerate(order)}

    def place(name: str) -> tuple[float, int, str]:
        usual = known.index(name) if name in known else len(known)
        if name in places:
            return places[name], usual, name
        before = [places[other] for other in known[:usual] if other in places] if name in known else []
        return (max(before) + 0.5 if before else len(order) if name not in known else -1.0), usual, name

    return sorted(steps, key=place)


def order_of(run: str, jobs: Sequence[str]) -> list[str]:
    """The steps of a domain's jobs, as datatrove's statistics of them say: of those that leave documents, one after the
    other, then of the others. Empty where the logs are gone.
    """
    found = [names for job in jobs if (names := _names(join(run, "logs", job, "stats", "00000.json")))]
    found.sort(key=LEAVES_DOCUMENTS.isdisjoint)
    return list(dict.fromkeys(name for names in found for name in names))


def _names(path: str) -> list[str]:
    if not exists(path):
        return []
    try:
        return [str(step["name"]) for step in orjson.loads(read_bytes(path))]
    except (ValueError, KeyError, TypeError):
        return []
