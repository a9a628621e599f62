"""Which rows the models of an ablation read, and what of the held-out texts stands in them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer import sampled
from llama_data.train_handoff.trainer.ablate import overlap
from llama_data.train_handoff.trainer.ablate.arms import hashes_of, ranges_of, sample
from llama_data.train_handoff.trainer.ablate.sets import Document, TextSet, without_overlap
from llama_data.train_handoff.trainer.config import SampleConfig
from llama_data.train_handoff.trainer.sampled import SampledMix


@pytest.mark.parametrize(("begin", "rows"), [(0, 512), (400, 300), (511, 1), (0, 64), (7, 1300)])
@pytest.mark.parametrize("part", [64, 100, 8192])
def test_a_sample_is_the_rows_from_its_first_on_in_another_order(
    mix: Path, begin: int, rows: int, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampled, "PART", part)
    whole, found = Mixture(str(mix)), SampledMix(str(mix), SampleConfig(begin=begin, rows=rows, seed=5))
    places = [found.row(index) for index in range(rows)]
    assert Counter(places) == Counter((begin + index) % 512 for index in range(rows))
    size = min(part, 512)
    for first in range(0, rows, size):
        assert len(set(places[first : first + size])) == len(places[first : first + size])
    assert rows < 8 or places != [(begin + index) % 512 for index in range(rows)]
    for index in (0, rows // 2, rows - 1):
        assert np.array_equal(found[index], whole[places[index]])
        assert found.domain_of(index) == whole.domain_of(places[index])
        assert found.place(index) == whole.place(places[index])
    for index in (-1, rows):
        with pytest.raises(IndexError):
            found[index]
    assert len(found) == rows


def test_another_seed_or_place_is_another_run(mix: Path) -> None:
    known = {"begin": 0, "rows": 100, "seed": 1}
    changes: list[dict[str, int]] = [{}, {"begin": 1}, {"rows": 99}, {"seed": 2}]
    all_of = [SampledMix(str(mix), SampleConfig(**{**known, **change})) for change in changes]
    assert len({one.fingerprint for one in all_of} | {Mixture(str(mix)).fingerprint}) == 5
    assert [all_of[0].row(index) for index in range(100)] != [all_of[3].row(index) for index in range(100)]
    assert SampledMix(str(mix), SampleConfig(**known)).fingerprint == all_of[0].fingerprint


@pytest.mark.parametrize(("rows", "needed", "shared"), [(600, 100, 0), (599, 100, 1), (100, 100, 100), (80, 100, 80)])
def test_samples_lie_as_far_from_each_other_as_they_can(rows: int, needed: int, shared: int) -> None:
    taken = [sample(rows, needed, number, 6) for number in range(6)]
    sets = [{row for begin, end in ranges_of(one, rows) for row in range(begin, end)} for one in taken]
    for one, own in zip(taken, sets, strict=True):
        assert own == {(one.begin + index) % rows for index in range(needed)}
    assert max(len(a & b) for a, b in pairwise(sets)) == shared
    assert len({one.seed for one in taken}) == 6
    hashes = np.arange(1, rows + 1).astype(np.uint64)
    assert set(hashes_of(hashes, taken[5]).tolist()) == {row + 1 for row in sets[5]}


def spans_of(ids: list[int]) -> set[tuple[int, ...]]:
    return {tuple(ids[at : at + 32]) for at in range(len(ids) - 31)}


@pytest.mark.parametrize("rows_at_a_time", [1, 3, 4096])
def test_shares_are_those_of_a_plain_search(
    make_shard: Any, tmp_path: Path, rows_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlap, "ROWS", rows_at_a_time)
    chooser = np.random.default_rng(4)
    rows = [chooser.integers(0, 500, 101) for _ in range(7)]

    class Mix:
        rows_per_shard = 4

        def __len__(self) -> int:
            return len(rows)

        def shard(self, number: int) -> Any:
            return Part(rows[number * 4 : number * 4 + 4])

    class Part:
        def __init__(self, own: list[Any]) -> None:
            self.own, self.rows = own, len(own)

        def take(self, places: Any) -> Any:
            return np.stack([self.own[place] for place in places]).astype(np.uint16)

    other = chooser.integers(0, 500, 400)
    documents = [
        rows[2][3:90],  # whole
        np.concatenate([other[:100], rows[5][10:70], other[100:140]]),  # a part
        rows[0][:60],  # of a row that is not read
        rows[6][:60],
        np.concatenate([other[200:300], rows[3][16:47]]),  # one id too few
        np.concatenate([other[200:300], rows[3][16:48]]),  # just enough
        rows[1][:31],  # too short
        other[300:],
    ]
    ranges = ((1, 3), (2, 6))  # from shard to shard, and not to the end
    known = overlap.Known([np.asarray(document, np.int64) for document in documents])
    found = overlap.scan(Mix(), ranges, known)  # type: ignore[arg-type]
    read = [rows[number].tolist() for number in (1, 2, 3, 4, 5)]
    standing = {tuple(row[at : at + 32]) for row in read for at in range(0, len(row) - 31, 16)}
    for document, share in zip(documents, known.shares(found.found), strict=True):
        ids = document.tolist()
        covered = {
            at + more for at in range(len(ids) - 31) if tuple(ids[at : at + 32]) in standing for more in range(32)
        }
        assert share == (None if len(ids) < 32 else pytest.approx(len(covered) / len(ids)))
    assert known.shares(found.found)[0] == pytest.approx(64 / 87)
    assert [number for number, value in enumerate(found.rows) if value] == [1, 2, 3, 4, 5]
    assert len(set(found.rows.tolist())) == 6


def test_a_row_that_stands_twice_has_one_hash() -> None:
    rows = np.random.default_rng(1).integers(0, 500, (4, 65)).astype(np.uint16)
    rows[3] = rows[1]
    whole, spans = overlap.row_hashes(rows)
    assert whole[3] == whole[1]
    assert len(set(whole.tolist())) == 3
    assert spans.shape == (4, 3)
    for at in range(3):
        assert spans[2, at] == overlap.span_hashes(rows[2].astype(np.int64))[16 * at]


def test_documents_that_stand_in_an_arm_are_left_out_for_all() -> None:
    documents = tuple(Document(np.arange(size), size) for size in (100, 100, 200, 20))
    news = TextSet("news", (), 4, documents)
    shares: dict[str, list[float | None]] = {"a": [0.49, 0.0, 0.0, None], "b": [0.0, 0.5, 0.25, None]}
    found = without_overlap(news, shares)
    assert found.documents == (documents[0], documents[2], documents[3])
    assert (found.left_out, found.unsure, found.found) == (1, 1, 4)
    assert dict(found.shares) == pytest.approx({"a": 49 / 420, "b": 100 / 420})
    with pytest.raises(RequestError, match="each of its 4 document"):
        without_overlap(news, {"a": [1.0] * 4})
