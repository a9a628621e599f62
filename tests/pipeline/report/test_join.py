"""Two ledgers joined by id, against a plain join of their rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reported import row, write_ledger

from llama_data.pipeline.report import join
from llama_data.pipeline.report.join import ABSENT, KEPT, compare_ledgers

Rows = list[dict[str, Any]]


def first(count: int = 300) -> Rows:
    reasons = [None, None, "too_short", "high_perplexity"]
    return [row(f"d{n}", reasons[n % 4], reasons[n % 4] and "step") for n in range(count)]


def changed(rows: Rows) -> Rows:
    """Some are kept that were not, some go, some are longer, some are missing, some are new."""
    found = []
    for n, each in enumerate(rows):
        if n % 11 == 0:
            found.append(row(each["id"], "not_like_references", "step"))
        elif n % 13 == 0:
            found.append(row(each["id"]))
        elif n % 17 != 0:
            found.append({**each, "chars_out": each["chars_out"] + (n % 19 == 0 and each["outcome"] == "kept")})
    return [*found, *(row(f"new{n}") for n in range(7))]


def plain(a: Rows, b: Rows) -> tuple[Counter[tuple[str, str]], int]:
    ends: list[dict[str, str]] = [{each["id"]: each["reason"] or KEPT for each in rows} for rows in (a, b)]
    lengths = [{each["id"]: each["chars_out"] for each in rows} for rows in (a, b)]
    moves = Counter((ends[0].get(id, ABSENT), ends[1].get(id, ABSENT)) for id in {**ends[0], **ends[1]})
    both = [id for id in ends[0] if ends[0][id] == ends[1].get(id) == KEPT]
    return moves, sum(lengths[0][id] != lengths[1][id] for id in both)


def as_it_is(rows: Rows) -> list[Rows]:
    return [rows[:100], rows[100:]]


def shuffled(rows: Rows) -> list[Rows]:
    rows = random.Random(3).sample(rows, len(rows))
    return [rows[:17], rows[17:90], [], rows[90:]]


@pytest.mark.parametrize("cut", [as_it_is, shuffled])
@pytest.mark.parametrize("part_rows", [7, 500_000])
def test_every_record_is_followed_whatever_the_order_and_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: Callable[[Rows], list[Rows]], part_rows: int
) -> None:
    monkeypatch.setattr(join, "PART_ROWS", part_rows)
    a = first()
    b = changed(a)
    write_ledger(tmp_path / "a", "books", as_it_is(a), group=40)
    write_ledger(tmp_path / "b", "books", cut(b), group=32)
    found = compare_ledgers(str(tmp_path / "a"), str(tmp_path / "b"), "books")
    moves, rewritten = plain(a, b)
    assert {ends: moved.records for ends, moved in found.moves.items()} == moves
    assert found.rewritten == rewritten > 0
    assert found.spilled > 0
    kept = sum(each["chars_out"] for each in b if each["reason"] is None)
    assert sum(moved.chars_b for (_, end), moved in found.moves.items() if end == KEPT) == kept
    assert not found.is_same
    assert dict(found.gained())["too_short"].records == moves["too_short", KEPT]
    assert dict(found.lost())["not_like_references"].records == moves[KEPT, "not_like_references"]
    for ends, drawn in found.samples.items():
        assert {(item.id) for item in drawn.items} <= {each["id"] for each in [*a, *b]}
        assert len(drawn.items) == min(join.EACH, moves[ends])


def test_rows_in_the_same_order_are_compared_without_the_disk(tmp_path: Path) -> None:
    a = first()
    b = [row(each["id"]) if n == 2 else each for n, each in enumerate(a)]
    for name, rows in (("a", a), ("b", b)):
        write_ledger(tmp_path / name, "books", as_it_is(rows), group=40)
    found = compare_ledgers(str(tmp_path / "a"), str(tmp_path / "b"), "books")
    assert found.spilled == 0
    assert [(reason, moved.records) for reason, moved in found.gained()] == [("too_short", 1)]
    [mover] = found.samples["too_short", KEPT].items
    assert (mover.id, mover.task_a, mover.task_b) == ("d2", "00000", "00000")
    assert compare_ledgers(str(tmp_path / "a"), str(tmp_path / "a"), "books").is_same


def test_groups_of_one_size_with_other_rows_are_not_taken_for_the_same(tmp_path: Path) -> None:
    a = first(80)
    b = list(reversed(changed(a)[:80]))
    write_ledger(tmp_path / "a", "books", [a], group=40)
    write_ledger(tmp_path / "b", "books", [b], group=40)
    found = compare_ledgers(str(tmp_path / "a"), str(tmp_path / "b"), "books")
    moves, rewritten = plain(a, b)
    assert {ends: moved.records for ends, moved in found.moves.items()} == moves
    assert found.rewritten == rewritten
