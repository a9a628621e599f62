"""The duplicate table and its makers do what sets in plain Python do."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.document import new_document
from llama_data.stages.steps.kernels.duplicate_table import DuplicateTable
from llama_data.stages.steps.kernels.line_batches import FirstOfDocument
from llama_data.stages.steps.line_dedup import (
    DropDuplicateLines,
    FindDuplicateLines,
    Group,
    WriteLineHashes,
    duplicates,
    with_owners,
    write_run,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz"

number = st.one_of(st.integers(0, 30), st.integers(0, 2**64 - 1), st.sampled_from([0, 2**63, 2**64 - 1]))
runs = st.lists(st.lists(number, max_size=30), max_size=5)


def array(values: list[int]) -> np.ndarray:
    return np.array(sorted(values), np.uint64)


@settings(deadline=None)
@given(runs)
def test_a_hash_of_two_documents_is_a_duplicate_and_the_first_task_owns_it(tasks: list[list[int]]) -> None:
    counts = [Counter(task) for task in tasks]
    once = [array([h for h, n in task.items() if n == 1]) for task in counts]
    often = [array([h for h, n in task.items() if n > 1]) for task in counts]
    total: Counter[int] = sum(counts, Counter())
    expected = sorted(h for h, n in total.items() if n > 1)
    assert duplicates(once, often).tolist() == expected
    owned = with_owners(once, often, 7)
    assert owned.owners is not None
    assert owned.owners.tolist() == [7 + next(n for n, task in enumerate(counts) if h in task) for h in expected]


@settings(deadline=None)
@given(st.sets(number, max_size=300), st.lists(number, max_size=50))
def test_look_up_finds_what_is_there_and_nothing_else(held: set[int], asked: list[int]) -> None:
    hashes = array(list(held))
    queries = np.array([*asked, *held], np.uint64)
    found = DuplicateTable(hashes, None).look_up(queries)
    assert [int(hashes[at]) if at >= 0 else None for at in found] == [
        h if h in held else None for h in queries.tolist()
    ]


def test_a_table_is_the_same_after_it_was_written(tmp_path: Path) -> None:
    hashes = np.unique(np.random.default_rng(1).integers(0, 2**64, 1000, np.uint64))
    for owners in (None, np.arange(hashes.size, dtype=np.uint32)):
        DuplicateTable(hashes, owners).write(str(tmp_path / "t.bin"))
        table = DuplicateTable.open(str(tmp_path / "t.bin"))
        assert table.look_up(hashes).tolist() == list(range(hashes.size))
        assert (table.owners is None) == (owners is None)
        assert owners is None or np.array_equal(table.owners, owners)


@settings(deadline=None)
@given(st.lists(st.lists(number, max_size=20), max_size=8))
def test_the_first_line_of_each_hash_in_a_document_is_marked(docs: list[list[int]]) -> None:
    first = FirstOfDocument()
    offsets = np.cumsum([0, *map(len, docs)])
    hashes = np.array([h for doc in docs for h in doc], np.uint64)
    expected = [h not in doc[:at] for doc in docs for at, h in enumerate(doc)]
    for _ in range(2):
        assert first(hashes, offsets).tolist() == expected


def test_an_empty_task_writes_empty_runs(tmp_path: Path) -> None:
    write_run(str(tmp_path), 0, np.empty(0, np.uint64))
    assert (tmp_path / "once" / "00000.bin").stat().st_size == (tmp_path / "often" / "00000.bin").stat().st_size


def test_one_removed_line_in_1024_is_noted_and_kept_lines_never(tmp_path: Path) -> None:
    lines = [f"a line that stands on two pages, {a}{b}{c}" for a in LETTERS for b in LETTERS for c in LETTERS]
    expected = [line for line in lines if plain_hash(line) >> 54 == 0]
    assert 5 < len(expected) < 40
    pages = [
        new_document(domain="d", id=f"d/{n}", text="\n".join([*lines, f"own {LETTERS[n]}"]), source=str(n))
        for n in (0, 1)
    ]
    for rank, page in enumerate(pages):
        list(WriteLineHashes(work=str(tmp_path)).run([page], rank, 2))
    group = Group(0, 0, 2, 1)
    list(FindDuplicateLines(work=str(tmp_path), groups=[group], copies="none").run(None, 0, 1))
    for rank, page in enumerate(pages):
        list(DropDuplicateLines(work=str(tmp_path), groups=[group]).run([page], rank, 2))
        assert page.notes["removed_sample"].split("\n") == expected
        assert page.metadata["removed_lines"] == len(lines)
        assert page.text == f"own {LETTERS[rank]}"


def plain_hash(line: str) -> int:
    digits = "".join("0" if char.isdigit() else char for char in line.lower())
    return int.from_bytes(hashlib.sha1(digits.encode()).digest()[:8], "little")
