"""Cleaning GitHub's files and Wikipedia's articles, and the signatures of books, against the peers."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from common import TESTS, load, row
from numpy.typing import NDArray

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document, is_open, verdict
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.kernels.minhash import (
    PERMUTATIONS,
    Hashes,
    Signature,
    bottom,
    containment,
    low_bits,
    shingle_hashes,
    signature,
)
from llama_data.stages.books import jobs as books_jobs
from llama_data.stages.books.overlap import SKETCH, Book, Candidates
from llama_data.stages.books.rules import StripGutenberg
from llama_data.stages.github import jobs as github_jobs
from llama_data.stages.shared.json_rows import json_rows
from llama_data.stages.wikipedia import jobs as wikipedia_jobs
from llama_data.stages.wikipedia.languages import is_end_matter, without_pointers

OVERLAP = 0.9
EVERY_BOOK = 4
Names = tuple[str, str]

_WORD = re.compile(r"[^\W_]+")
_LINK = re.compile(r"\[\[([^\[\]|:{}<>]*)(?:\|([^\[\]|{}<>]*))?\]\]")
_MARKUP = re.compile(r"[\[\]{}<>|=&_~]|''|^[\s*#:;!|-]")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"(={2,6})([^=].*?)\1\s*")
_BRACKETS = re.compile(r"\{\{|\{\||\}\}|\|\}|</?(?:ref|gallery|math|blockquote|table)\b[^>]*>")


def _through(data: Iterable[Document], rules: Iterable[Rule]) -> list[Document]:
    for rule in rules:
        data = rule.run(data)
    return list(data)


def github(corpus: Path) -> dict[str, Any]:
    """The stage's rules on rows in memory: licence, path, heuristics, generated files, header, hashes.

    ``identical``: the same reason, or the same text, for every row.
    """
    plain = load(TESTS / "plain" / "plain_github.py")
    run = RunContext(input=str(corpus / "github"), output="unused")
    [job] = github_jobs.jobs(github_jobs.Settings(deduplicate=False), run)
    reader, *rules, _ = job.steps
    rows = [found for split in reader.splits for _, found in json_rows(split.path)]
    read = [doc for split in reader.splits for doc in reader.read(split)]

    def ours() -> list[Document]:
        return _through(map(_fresh, read), rules)

    def peer() -> list[Any]:
        return [plain.plain_decision(found) for found in rows]

    mine = [(str(found.reason), "") if (found := verdict(doc)) else (None, doc.text) for doc in ours()]
    theirs = [(made.reason, "" if made.reason else made.text) for made in peer()]
    size = sum(len(doc.text.encode()) for doc in read) / 1e6
    compared = Counter(reason or "kept" for reason, _ in mine)
    return row("github", "the same rules in plain Python", size, compared, mine == theirs, ours, peer)


def _fresh(doc: Document) -> Document:
    """A document as it was read, for rules to change."""
    copied = copy.copy(doc)
    copied.metadata, copied.notes = dict(doc.metadata), {}
    return copied


def wikipedia(corpus: Path) -> dict[str, Any]:
    """Wikitext to text, all articles of a chosen language.

    The two differ by intent: strip_code drops every template with its value, and keeps end matter. So ``identical``
    speaks of what both should leave as it is: paragraphs of running text without markup but links, on lines of their
    own outside of templates, tables and end matter, but no mere pointers to other articles. It is true when both keep
    all words of each of them in their order. Needs the extra ``bench``.
    """
    import mwparserfromhell

    run = RunContext(input=str(corpus / "wikipedia"), output="unused")
    job, *_ = wikipedia_jobs.jobs(wikipedia_jobs.Settings(template_definitions=None), run)
    reader, select, cleaning, _ = job.steps
    read = (doc for split in reader.splits for doc in reader.read(split))
    pages = [doc for doc in select.run(read) if is_open(doc)]

    def ours() -> list[Document]:
        return _through(map(_fresh, pages), [cleaning])

    def peer() -> list[str]:
        return [str(mwparserfromhell.parse(page.text).strip_code()) for page in pages]

    identical, paragraphs = True, 0
    for page, mine, theirs in zip(pages, ours(), peer(), strict=True):
        wanted = list(_plain_paragraphs(page.text, page.metadata["language"]))
        paragraphs += len(wanted)
        identical = identical and all(text in _words(kept) for text in wanted for kept in (mine.text, theirs))
    size = sum(len(page.text.encode()) for page in pages) / 1e6
    compared = {"articles": len(pages), "paragraphs": paragraphs}
    return row("wikipedia", "mwparserfromhell's strip_code", size, compared, identical, ours, peer)


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text))


def _plain_paragraphs(wikitext: str, language: str) -> Iterator[str]:
    """The words of each paragraph that holds running text and links only."""
    lines = without_pointers(_COMMENT.sub("", wikitext), language).split("\n")
    depth = 0
    for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
        heading = _HEADING.fullmatch(line)
        if heading and is_end_matter(heading[2].strip(), language):
            return
        text = _LINK.sub(lambda found: found[2] or found[1], line).rstrip()
        alone = all(not other.strip() or _HEADING.fullmatch(other) for other in (before, after))
        if depth == 0 and alone and text.endswith((".", "!", "?")) and not _MARKUP.search(text):
            yield _words(text)
        for mark in _BRACKETS.findall(line):
            if not mark.endswith("/>"):
                depth += -1 if mark.startswith(("}", "|", "</")) else 1


def books_signatures(corpus: Path) -> dict[str, Any]:
    """The hashed five-word shingles, their sketch and signature, against datasketch's signature of the same shingles.

    The two hash words differently, so ``identical`` asks two things. Fed with our hashes, datasketch makes our
    signatures, value for value. And the pairs of books of which one holds more than 90 % of the other's shingles are
    the same by our sketches and sets, by the peer's estimates (with the sizes of the sets), and by a count of all
    shingles with Python's own hash. Every fourth book is timed; the pairs are those of all.
    """
    from datasketch import MinHash

    run = RunContext(input=str(corpus / "books"), output="unused")
    reader = books_jobs.jobs(books_jobs.Settings(), run)[0].steps[0]
    read = (doc for split in reader.splits for doc in reader.read(split) if is_open(doc))
    texts = {doc.id: doc.text for doc in StripGutenberg().run(read) if is_open(doc)}
    timed = list(texts.values())[::EVERY_BOOK]

    def ours(texts: Iterable[str] = timed) -> list[tuple[Hashes, Hashes, Signature]]:
        sets = (shingle_hashes(text) for text in texts)
        return [(one, bottom(one, SKETCH), signature(one)) for one in sets]

    def sketch(text: str) -> Any:
        made = MinHash(PERMUTATIONS)
        made.update_batch([" ".join(shingle).encode() for shingle in _shingles(text)])
        return made

    def peer(texts: Iterable[str] = timed) -> list[Any]:
        return [sketch(text) for text in texts]

    def fed(hashes: Hashes) -> list[int]:
        made = MinHash(PERMUTATIONS, hashfunc=low_bits)
        made.update_batch(hashes.tolist())
        return list(made.hashvalues)

    exact = _counted(texts)
    made = dict(zip(texts, ours(texts.values()), strict=True))
    sets = {id: (one, sketch) for id, (one, sketch, _) in made.items()}
    sizes = {id: len(one) for id, (one, _) in sets.items()}
    theirs = _estimated(dict(zip(texts, peer(texts.values()), strict=True)), sizes)
    signatures = [(one, values) for one, _, values in list(made.values())[::EVERY_BOOK]]
    signed = all(fed(one) == list(values) for one, values in signatures)
    identical = signed and _our_pairs(sets) == exact == theirs
    size = sum(len(text.encode()) for text in timed) / 1e6
    compared = {"signatures": len(signatures), "pairs": len(exact)}
    name = f"datasketch MinHash, {PERMUTATIONS} permutations"
    return row("books_signatures", name, size, compared, identical, ours, peer)


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return set(zip(*(words[start:] for start in range(5)), strict=False))


def _our_pairs(found: dict[str, tuple[Hashes, Hashes]]) -> set[Names]:
    """As the stage finds them: candidates from the sketches, then a count of the sets."""
    books = sorted((Book(id, len(one), 0, False, "", "", 0) for id, (one, _) in found.items()), key=Book.preference)
    sketches = [found[book.id][1] for book in books]
    owners = np.repeat(np.arange(len(books), dtype=np.int32), [len(sketch) for sketch in sketches])
    candidates = Candidates(np.concatenate(sketches), owners, len(books), OVERLAP)
    pairs = set()
    for number, book in enumerate(books):
        for other in candidates.of(number, found[book.id][0]):
            if containment(found[books[other].id][0], found[book.id][0]) > OVERLAP:
                pairs.add(_pair(book.id, books[other].id))
    return pairs


def _estimated(found: dict[str, Any], sizes: dict[str, int]) -> set[Names]:
    """The share of the union that two sketches tell, and the sizes, give the share of the smaller set."""
    pairs = set()
    for one, other in combinations(found, 2):
        union = found[one].jaccard(found[other])
        shared = union / (1 + union) * (sizes[one] + sizes[other])
        if shared / min(sizes[one], sizes[other]) > OVERLAP:
            pairs.add(_pair(one, other))
    return pairs


def _counted(texts: dict[str, str]) -> set[Names]:
    """Every shingle of every book is looked at, and those that only one book has are left out of the count."""
    sets = [np.fromiter(map(hash, _shingles(text)), np.int64) for text in texts.values()]
    hashes = np.concatenate(sets)
    owners = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    _, places, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    several = counts[places] > 1
    number = np.cumsum(counts > 1) - 1
    table: NDArray[np.float32] = np.zeros((int((counts > 1).sum()), len(sets)), np.float32)
    table[number[places[several]], owners[several]] = 1
    shared = table.T @ table
    ids = list(texts)
    pairs = set()
    for one, other in combinations(range(len(ids)), 2):
        smaller = min(len(sets[one]), len(sets[other]))
        if smaller and shared[one, other] / smaller > OVERLAP:
            pairs.add(_pair(ids[one], ids[other]))
    return pairs


def _pair(one: str, other: str) -> Names:
    return (min(one, other), max(one, other))


NAMES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "github": github,
    "wikipedia": wikipedia,
    "books_signatures": books_signatures,
}
