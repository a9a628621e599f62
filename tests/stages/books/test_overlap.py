"""Books that repeat others: built cases around the threshold, excerpts, chains, and recall against brute force."""

from __future__ import annotations

import itertools
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.pipeline.kernels.minhash import PERMUTATIONS, containment, jaccard, shingle_hashes
from llama_data.stages.books import overlap
from llama_data.stages.books.overlap import (
    Book,
    Candidates,
    Pair,
    SetWriter,
    distinct,
    duplicates,
    find_pairs,
    read_index,
    read_set,
)
from llama_data.stages.steps.signature_files import Made, SignatureWriter

WORDS = 4000


def write(folder: Path, sets: dict[str, set[int]], tasks: int = 1) -> None:
    for rank in range(tasks):
        made = Made(PERMUTATIONS, 5)
        with SetWriter(str(folder), rank) as writer, SignatureWriter(str(folder / "signatures"), rank, made) as signer:
            for id, members in list(sets.items())[rank::tasks]:
                shingles = np.array(sorted(members), np.uint64)
                writer.add(id, shingles, chars=len(members), gutenberg=False)
                signer.add(id, shingles)


def pairs_of(folder: Path, tasks: int, threshold: float = 0.9, measure: Any = "containment") -> set[Pair]:
    signatures = str(folder / "signatures")
    return {
        pair for rank in range(tasks) for pair in find_pairs(str(folder), rank, tasks, threshold, measure, signatures)
    }


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.88, 0.895, 0.905, 0.92, 1.0])
@pytest.mark.parametrize("omnibus_words", [WORDS, 10 * WORDS])
def test_an_excerpt_goes_and_its_omnibus_stays(share: float, omnibus_words: int, run_stage: Any, prose: Any) -> None:
    """The share of the short book that the omnibus holds decides, to within half a percent of the threshold."""
    words = prose("short", WORDS).split()
    omnibus = prose("long", omnibus_words) + "\n" + " ".join(words[: int(WORDS * share)])
    out = run_stage({"short.txt": " ".join(words), "a_long.txt": omnibus})
    assert out.duplicates() == ({"short.txt": "a_long.txt"} if share > 0.9 else {})


@pytest.mark.parametrize(("shared", "dropped"), [(899, False), (900, False), (901, True)])
def test_more_than_the_threshold_means_more(tmp_path: Path, shared: int, dropped: bool) -> None:
    chance = random.Random(0)
    small, large = set(), set()
    members = chance.sample(range(1 << 60), 5000)
    small.update(members[:1000])
    large.update(members[:shared], members[1000:])
    write(tmp_path, {"small": small, "large": large})
    found = pairs_of(tmp_path, 1)
    assert found == ({Pair("small", "large", shared / 1000)} if dropped else set())


@pytest.mark.parametrize(("shared", "dropped"), [(1798, False), (1800, False), (1802, True)])
def test_more_than_the_threshold_means_more_under_jaccard(tmp_path: Path, shared: int, dropped: bool) -> None:
    """1,900 shingles each: 1,800 in common are 0.9 of a union of 2,000."""
    members = random.Random(1).sample(range(1 << 60), 2 * 1900 - shared)
    one, other = members[:1900], members[-1900:]
    write(tmp_path, {"a": set(one), "b": set(other)})
    found = pairs_of(tmp_path, 1, measure="jaccard")
    assert found == ({Pair("b", "a", shared / (3800 - shared))} if dropped else set())


def test_a_larger_book_is_only_counted_where_its_size_allows_it(tmp_path: Path, monkeypatch: Any) -> None:
    """A book of 900 shingles that are all in one of 1,000 is exactly at the threshold, so neither is read."""
    members = random.Random(2).sample(range(1 << 60), 1000)
    write(tmp_path, {"a": set(members), "b": set(members[:900])})
    monkeypatch.setattr(overlap, "read_set", lambda book: pytest.fail("read"))
    assert pairs_of(tmp_path, 1, measure="jaccard") == set()
    monkeypatch.undo()
    write(tmp_path, {"a": set(members), "b": set(members[:901])})
    assert pairs_of(tmp_path, 1, measure="jaccard") == {Pair("b", "a", 0.901)}


@pytest.mark.parametrize("measure", ["containment", "jaccard"])
def test_equal_books_and_books_without_words(measure: str, run_stage: Any, prose: Any) -> None:
    text = prose("x", WORDS)
    files = {"a.txt": text, "b.txt": text, "c.txt": " * * * \n" + "-" * 70, "d.txt": "?!", "e.txt": "word"}
    out = run_stage(files, measure=measure)
    assert out.duplicates() == {"b.txt": "a.txt"}
    assert out.kept() == ["a.txt", "c.txt", "d.txt", "e.txt"]


@pytest.mark.parametrize("measure", ["containment", "jaccard"])
@pytest.mark.parametrize("tasks", [1, 2, 5])
def test_the_number_of_comparing_tasks_changes_nothing(tmp_path: Path, measure: Any, tasks: int) -> None:
    """Files of the first job are dealt out to fewer tasks of the second, every pair is found once."""
    chance = random.Random(3)
    base = chance.sample(range(1 << 60), 500)
    sets = {f"{number:02d}": {*base[: 500 - number], *chance.sample(range(1 << 60), 5)} for number in range(12)}
    write(tmp_path, sets, tasks=5)
    signatures = str(tmp_path / "signatures")
    found = [pair for rank in range(tasks) for pair in find_pairs(str(tmp_path), rank, tasks, 0.9, measure, signatures)]
    assert len(found) == len(set(found)) == 12 * 11 // 2


def test_questions_do_not_leave_counts_behind() -> None:
    """The same table is asked again and again; a count that stayed would let later books through."""
    sketch = np.arange(64, dtype=np.uint64)
    candidates = Candidates(np.concatenate([sketch, sketch + 64]), np.repeat(np.int32([0, 1]), 64), 2, 0.9)
    for _ in range(3):
        assert candidates.of(-1, np.arange(20, dtype=np.uint64)) == []
    assert candidates.of(-1, np.arange(128, dtype=np.uint64)) == [0, 1]
    assert candidates.of(0, np.arange(128, dtype=np.uint64)) == [1]
    assert candidates.of(-1, np.empty(0, np.uint64)) == []


def test_under_jaccard_an_excerpt_is_no_duplicate(run_stage: Any, prose: Any) -> None:
    """Recipes, golden vector 14."""
    words = prose("short", WORDS).split()
    files = {
        "short.txt": " ".join(words),
        "long.txt": prose("l", 2 * WORDS) + " " + " ".join(words[: int(WORDS * 0.95)]),
    }
    assert run_stage(files, output="one", measure="jaccard").duplicates() == {}
    assert run_stage(files, output="two", measure="containment").duplicates() == {"short.txt": "long.txt"}


@pytest.mark.parametrize(("shared", "dropped"), [(0.93, False), (0.96, True)])
def test_jaccard_compares_with_the_union(shared: float, dropped: bool, run_stage: Any, prose: Any) -> None:
    """Books of equal length: 0.93 of the words are 0.87 of the union, 0.96 are 0.92."""
    words = prose("x", WORDS).split()
    other = words[: int(WORDS * shared)] + prose("y", WORDS).split()[: WORDS - int(WORDS * shared)]
    out = run_stage({"a.txt": " ".join(words), "b.txt": " ".join(other)}, measure="jaccard")
    assert len(out.duplicates()) == dropped


def test_other_thresholds_and_none(run_stage: Any, prose: Any) -> None:
    words = prose("x", WORDS).split()
    files = {"a.txt": " ".join(words), "b.txt": " ".join(words[: WORDS // 2]) + prose("y", WORDS // 2)}
    assert run_stage(files, output="half", max_overlap=0.4).duplicates() == {"b.txt": "a.txt"}
    assert run_stage({"c.txt": files["a.txt"]}, output="off", max_overlap=None).kept() == ["a.txt", "b.txt", "c.txt"]


def test_the_account_names_the_kept_book_and_the_overlap(run_stage: Any, prose: Any) -> None:
    text = prose("x", WORDS)
    out = run_stage({"a.txt": text, "b/c.txt": text, "d.txt": "\n" + text.upper() + "\n\n"})
    rows = {row["id"]: row for row in out.ledger}
    assert out.kept() == ["a.txt"]
    assert rows["books/b/c.txt"]["duplicate_of"] == "books/a.txt"
    assert rows["books/b/c.txt"]["overlap"] == 1.0
    assert rows["books/d.txt"]["step"] == "overlap"
    assert len(out.ledger) == len(out.documents) + len(out.rejected) == 3


def test_a_book_is_dropped_only_for_one_that_is_kept() -> None:
    """c is held by b, and b by a, but a holds too little of c: c stays, for its text would be lost."""
    books = [Book(id, size, size, False, id, "task", 0) for id, size in {"a": 300, "b": 200, "c": 100}.items()]
    dropped = duplicates(books, [Pair("b", "a", 0.95), Pair("c", "b", 0.92)])
    assert dropped == {"b": Pair("b", "a", 0.95)}
    both = duplicates(books, [Pair("b", "a", 0.95), Pair("c", "b", 0.99), Pair("c", "a", 0.91)])
    assert both["c"] == Pair("c", "a", 0.91)


def test_which_of_two_equal_books_is_kept() -> None:
    def book(id: str, **more: Any) -> Book:
        return Book(
            **{
                "id": id,
                "size": 10,
                "chars": 100,
                "gutenberg": False,
                "digest": "same",
                "task": "",
                "offset": 0,
                **more,
            }
        )

    assert distinct([book("b"), book("a")])[0].id == "a"
    assert distinct([book("a"), book("b", gutenberg=True)])[0].id == "b"
    assert distinct([book("a", gutenberg=True), book("b", chars=101)])[0].id == "b"
    dropped = duplicates([book("a"), book("b"), book("c", digest="other", size=20)], [Pair("a", "c", 0.95)])
    assert dropped == {"a": Pair("a", "c", 0.95), "b": Pair("b", "c", 0.95)}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.3, 0.7, 0.9]), st.sampled_from(["containment", "jaccard"]))
def test_every_pair_that_brute_force_finds_is_found(seed: int, threshold: float, measure: Any) -> None:
    chance = random.Random(seed)
    sets: dict[str, set[int]] = {}
    for number in range(25):
        size = chance.choice([1, 3, 40, 200, 900])
        members = {chance.randrange(1 << 63) for _ in range(size)}
        if sets and chance.random() < 0.8:
            other = sorted(sets[chance.choice(sorted(sets))])
            members = set(chance.sample(other, int(len(other) * chance.choice([0.2, 0.75, 0.89, 0.91, 1.0]))))
            members |= {chance.randrange(1 << 63) for _ in range(int(len(members) * chance.choice([0, 0.05, 0.2, 3])))}
        if members:
            sets[f"{number:02d}"] = members
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, sets, tasks=3)
        found = pairs_of(folder, 3, threshold, measure)
        books = distinct(read_index(str(folder)))
        compare = containment if measure == "containment" else jaccard
        expected = {
            Pair(small.id, large.id, compare(read_set(small), read_set(large)))
            for large, small in itertools.combinations(books, 2)
            if compare(read_set(small), read_set(large)) > threshold
        }
    assert found == expected


def test_no_two_kept_books_overlap_by_more(run_over: Any, prose: Any, tmp_path: Path) -> None:
    chance = random.Random(5)
    texts: list[str] = []
    source = tmp_path / "in"
    source.mkdir()
    for number in range(40):
        words = prose(f"b{number}", chance.choice([300, 2000])).split()
        if texts and number % 2:
            words += chance.choice(texts).split()[: chance.choice([250, 1900, 3000])]
        texts.append(" ".join(words))
        (source / f"{number:02d}.txt").write_text(texts[-1])
    out = run_over(source, tmp_path / "out", max_task_bytes=60_000)
    kept = {doc["id"]: shingle_hashes(doc["text"]) for doc in out.documents}
    assert len(out.duplicates()) >= 5
    assert all(containment(a, b) <= 0.9 for a, b in itertools.combinations(kept.values(), 2))
    for doc in out.rejected:
        other = kept[doc["metadata"]["duplicate_of"]]
        assert containment(shingle_hashes(doc["text"]), other) == doc["metadata"]["overlap"] > 0.9

    again = run_over(source, tmp_path / "again", lambda tasks: reversed(range(tasks)), max_task_bytes=60_000)
    assert again == out
    for path in sorted((tmp_path / "out").rglob("*.*")):
        assert (tmp_path / "again" / path.relative_to(tmp_path / "out")).read_bytes() == path.read_bytes(), path
    whole = run_over(source, tmp_path / "whole")
    assert sorted(map(str, whole.ledger)) == sorted(map(str, out.ledger))
