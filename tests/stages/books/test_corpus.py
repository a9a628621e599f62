"""Over a real corpus: the true pairs and groups, and nothing of Gutenberg's left in the kept texts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from llama_data.stages.books.overlap import read_index, read_pairs

LEFT = re.compile(r"Project Gutenberg|gutenberg\.(?:org|net)|THE SMALL PRINT|^Produced by|pgdp", re.M)


def name(id: str) -> str:
    return id.removeprefix("books/").split("#")[0]


def test_books_of_the_corpus(corpus: Path, truth: Path, run_over: Any, tmp_path: Path) -> None:
    out = run_over(corpus / "books", tmp_path)
    lines = [line.split("\t") for line in (truth / "books_all_pairs.tsv").read_text().splitlines()[1:]]
    expected = {frozenset(line[:2]) for line in lines if float(line[2]) > 0.9}
    groups = [set(json.loads(line)) for line in (truth / "books_groups.jsonl").read_text().splitlines()]

    books = read_index(str(tmp_path / "work" / "books" / "overlap"))
    same: dict[str, list[str]] = {}
    for book in books:
        same.setdefault(book.digest, []).append(name(book.id))
    digest = {book.id: book.digest for book in books}
    found = {
        frozenset((one, other))
        for pair in read_pairs(str(tmp_path / "work" / "books" / "overlap"))
        for one in same[digest[pair.book]]
        for other in same[digest[pair.other]]
    }
    found |= {frozenset((one, other)) for names in same.values() for one in names for other in names if one != other}
    assert len(expected) == 52
    assert found == expected

    kept = {name(doc["id"]) for doc in out.documents}
    assert [len(group & kept) for group in groups] == [1] * 11
    assert len(out.ledger) == 82
    assert len(out.rejected) == 26
    assert {name(doc["id"]) for doc in out.rejected} == set().union(*groups) - kept

    left = [(doc["id"], match.group()) for doc in out.documents for match in LEFT.finditer(doc["text"])]
    assert left == []
