"""Rows, batches, epochs and groups of files exactly at their limits; reads that end anywhere."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest

from llama_data.pipeline.core.errors import InputError, RecipeError, RequestError
from llama_data.pipeline.core.files import Split, group_splits
from llama_data.train_handoff import read
from llama_data.train_handoff.mix import order
from llama_data.train_handoff.mix.order import Assignment, draw, integer_weights, permute
from llama_data.train_handoff.mix.plan import Source, make_plan
from llama_data.train_handoff.mix.weights import normalised
from llama_data.train_handoff.read import read_texts
from llama_data.train_handoff.shards.file import Footer, Shard, token_dtype
from llama_data.train_handoff.shards.verify import verify
from llama_data.train_handoff.trainer.loader import require_rows

FOOTER = Footer(
    kind="domain", split="train", domain="", seq_len=8, vocab_size=500, tokenizer_sha256="", bos_id=1, eos_id=2
)


@pytest.mark.parametrize(("vocab_size", "dtype"), [(65535, "<u2"), (65536, "<u4"), (65537, "<u4")])
def test_ids_need_four_bytes_from_65536_pieces_on(vocab_size: int, dtype: str) -> None:
    assert token_dtype(vocab_size) == np.dtype(dtype)


@pytest.mark.parametrize(
    ("limit", "groups"),
    [(10, [[4, 6], [5], [20], [1]]), (9, [[4], [6], [5], [20], [1]]), (11, [[4, 6], [5], [20], [1]]),
     (14, [[4, 6], [5], [20], [1]]), (15, [[4, 6, 5], [20], [1]]), (1, [[4], [6], [5], [20], [1]]),
     (36, [[4, 6, 5, 20, 1]]), (35, [[4, 6, 5, 20], [1]])],
)  # fmt: skip
def test_files_are_grouped_up_to_the_limit(limit: int, groups: list[list[int]]) -> None:
    splits = [Split(path=str(size), name=str(size), size=size) for size in (4, 6, 5, 20, 1)]
    assert [[split.size for split in group] for group in group_splits(splits, limit)] == groups
    assert group_splits([], limit) == []


def test_a_run_may_use_every_row_of_its_mix_and_not_one_more() -> None:
    require_rows(80, 8, 10, 2)
    require_rows(81, 8, 10, 8)
    with pytest.raises(RequestError, match=r"need 80 rows, and the mix has 79 to read; train 9 steps"):
        require_rows(79, 8, 10, 2)
    with pytest.raises(RequestError, match="does not divide among 3"):
        require_rows(80, 8, 10, 3)


def plan(rows: int, limit: float | None, size: int = 40) -> object:
    return make_plan(
        {"a": Fraction(1)}, {"a": [Source("", "a/0", size, "")]}, footer=FOOTER, rows=rows, seed=0, limits={"a": limit}
    )


@pytest.mark.parametrize(("limit", "most"), [(1.0, 40), (2.5, 100), (0.5, 20), (1.01, 40), (1.03, 41)])
def test_a_domain_may_be_drawn_exactly_as_often_as_its_max_epochs(limit: float, most: int) -> None:
    plan(most, limit)
    with pytest.raises(RecipeError, match="more than its max_epochs"):
        plan(most + 1, limit)
    plan(most + 1, None)


def test_a_mix_has_at_least_one_row() -> None:
    plan(1, None)
    with pytest.raises(RecipeError, match="fewer tokens than one row"):
        plan(0, None)


@pytest.mark.parametrize(
    ("weights", "fine"), [((0.6, 0.4), True), ((0.6, 0.400001), True), ((0.6, 0.4000011), False), ((0.6, 0.3), False)]
)
def test_weights_sum_to_one_to_within_a_millionth(weights: tuple[float, float], fine: bool) -> None:
    given = dict(zip("ab", weights, strict=True))
    if fine:
        assert sum(normalised(given).values()) == 1
    else:
        with pytest.raises(RecipeError, match="not to 1"):
            normalised(given)
        assert sum(normalised(given, normalise=True).values()) == 1


def test_weights_beyond_the_scale_are_rounded_by_the_largest_remainders(monkeypatch: pytest.MonkeyPatch) -> None:
    assert integer_weights([0.67, 0.15, 0.18]) == [67, 15, 18]
    monkeypatch.setattr(order, "MAX_SCALE", 10)
    assert integer_weights([5, 3, 2]) == [5, 3, 2]
    assert integer_weights([0.56, 0.33, 0.11]) == [6, 3, 1]
    assert integer_weights([0.52, 0.37, 0.11]) == [5, 4, 1]
    assert integer_weights([0.11, 0.37, 0.52]) == [1, 4, 5]
    # Nothing that has a share loses all of it.
    assert integer_weights([0.501, 0.498, 0.001])[2] == 1
    assert integer_weights([0.5, 0.0, 0.5]) == [1, 0, 1]
    for wrong in ([-1, 2], [0, 0], []):
        with pytest.raises(ValueError, match="non-negative"):
            integer_weights(wrong)


@pytest.mark.parametrize("every", [1, 3, 10, 100])
def test_rows_taken_are_those_counted_whatever_is_marked(every: int) -> None:
    weights = [5, 3, 2]
    found = Assignment.plan(weights, 45, every)
    domains, within = found.rows(0, 45)
    for start in range(46):
        assert found.taken(start) == [int(np.count_nonzero(domains[:start] == d)) for d in range(3)]
    for start in (0, 9, 10, 11, 29, 30, 31):
        assert np.array_equal(found.rows(start, 12)[0], domains[start : start + 12])
        assert np.array_equal(found.rows(start, 12)[1], within[start : start + 12])
    assert [np.bincount(domains[at : at + 10], minlength=3).tolist() for at in (0, 10, 20)] == [[5, 3, 2]] * 3


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 15, 16, 17, 64, 65])
def test_an_epoch_takes_every_row_once_and_the_next_in_another_order(n: int) -> None:
    drawn = draw(np.arange(3 * n), n, seed=1, domain="a").reshape(3, n)
    assert all(sorted(epoch) == list(range(n)) for epoch in drawn.tolist())
    if n > 4:
        assert len({tuple(epoch) for epoch in drawn.tolist()}) == 3
        assert drawn.reshape(-1).tolist() != draw(np.arange(3 * n), n, seed=2, domain="a").tolist()
        assert drawn.reshape(-1).tolist() != draw(np.arange(3 * n), n, seed=1, domain="b").tolist()
    assert permute(np.empty(0, np.int64), n, order.epoch_keys(1, "a", 0)).size == 0


def test_every_damaged_row_group_is_named_and_not_the_first_alone(
    tmp_path: Path, make_shard: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llama_data.train_handoff.shards.file.GROUP_ROWS", 5)
    path = tmp_path / "web" / "0.parquet"
    make_shard(path, 20)
    data = bytearray(path.read_bytes())
    for row in (2, 17):
        data[Shard(str(path)).offsets(np.array([row]))[0]] ^= 1
    path.write_bytes(data)
    what = " ".join(map(str, verify([str(path)])))
    assert "row group 0: a page is damaged" in what
    assert "row group 3: a page is damaged" in what
    assert "row group 1" not in what


def test_rows_and_starts_are_never_null(tmp_path: Path, make_shard: Callable[..., np.ndarray]) -> None:
    make_shard(tmp_path / "web" / "0.parquet", 3)
    schema = pq.read_schema(tmp_path / "web" / "0.parquet")
    assert [(field.name, field.nullable) for field in schema] == [("tokens", False), ("doc_starts", False)]
    assert schema.field("doc_starts").type.value_field.nullable is False


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1 << 20])
def test_documents_are_read_wherever_a_read_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(read, "READ_BYTES", size)
    path = tmp_path / "a.jsonl"
    records = [{"id": str(number), "text": "Zeile é\n" * number} for number in range(6)]
    lines = b"\n".join(orjson.dumps(record) for record in records)
    for ending in (b"", b"\n", b"\n\n"):
        path.write_bytes(lines + ending)
        found = list(read_texts(str(path)))
        assert [id for part in found for id in part.ids] == [str(number) for number in range(6)]
        assert [text for part in found for text in part.texts] == [record["text"] for record in records]
    path.write_bytes(lines + b'\n\n{"id": "x"}\n')
    with pytest.raises(InputError, match=r"a\.jsonl: line 8: not a document"):
        list(read_texts(str(path)))
