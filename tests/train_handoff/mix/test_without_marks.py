"""Mixes of rows that were packed without BOS or without EOS: where documents begin is known all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from llama_data.train_handoff.mix import plan as plan_module
from llama_data.train_handoff.mix.jobs import mix_jobs
from llama_data.train_handoff.mix.plan import Mixture, plan_mix
from llama_data.train_handoff.shards.file import Shard
from llama_data.train_handoff.shards.verify import verify, verify_folder

MARKS = pytest.mark.parametrize(("bos_id", "eos_id"), [(None, 2), (1, None), (1, 2)])


@pytest.fixture
def make_mix(tmp_path: Path, make_shard: Callable[..., np.ndarray]) -> Callable[..., Path]:
    """A mix of two domains, three files in all; the rows of the smaller domain are drawn more than once."""

    def make(rows: int = 90, *, rows_per_shard: int = 25, held_out: int = 1, **marks: int | None) -> Path:
        tokens, output = tmp_path / "tokens", tmp_path / "mix"
        for seed, (name, count) in enumerate({"web/00000": 40, "web/00001": 30, "books/00000": 17}.items()):
            make_shard(tokens / f"{name}.parquet", count, seed=seed, **marks)
        for number in range(held_out):
            path = tokens / "web" / "validation" / f"{number:05d}.parquet"
            make_shard(path, 6, seed=9 + number, split="validation", domain="web", **marks)
        plan = plan_mix(
            str(tokens), weights={"web": 0.5, "books": 0.5}, present=["web", "books"], tokens=rows * 8, seed=1,
            rows_per_shard=rows_per_shard,
        )  # fmt: skip
        for job in mix_jobs(plan, tokens_folder=str(tokens), output=str(output)):
            for rank in range(job.tasks):
                for step in job.steps:
                    assert list(step.run(None, rank, job.tasks)) == []
        return output

    return make


@MARKS
def test_every_row_of_a_mix_has_the_document_starts_of_the_row_it_is(
    make_mix: Callable[..., Path], tmp_path: Path, bos_id: int | None, eos_id: int | None
) -> None:
    mixture = Mixture(str(make_mix(bos_id=bos_id, eos_id=eos_id)))
    opened = 0
    for index in range(len(mixture)):
        shard, row = mixture.shard(index // 25), index % 25
        origin = Shard(str(tmp_path / "tokens" / shard.column("origin_shard")[row].as_py()))
        place = shard.column("origin_row")[row].as_py()
        found = shard.column("doc_starts")[row].as_py()
        assert found == origin.column("doc_starts")[place].as_py()
        if bos_id is None:
            after = [at + 1 for at, id in enumerate(origin[place].tolist()[:-1]) if id == eos_id]
            # The first row of a file opens its stream: no EOS stands before its first document.
            assert found == ([0] if place == 0 else []) + after
            opened += place == 0
        else:
            assert found == np.flatnonzero(origin[place] == bos_id).tolist()
    assert opened >= (3 if bos_id is None else 0)


@MARKS
def test_verify_finds_such_a_mix_sound_and_a_wrong_start_in_it(
    make_mix: Callable[..., Path], bos_id: int | None, eos_id: int | None
) -> None:
    folder = make_mix(bos_id=bos_id, eos_id=eos_id)
    assert verify_folder(str(folder)) == []
    assert {Shard(str(path)).footer.bos_id for path in folder.glob("*.parquet")} == {bos_id}
    assert {Shard(str(path)).footer.eos_id for path in folder.glob("*.parquet")} == {eos_id}


def test_a_domain_shard_without_bos_is_sound_over_several_row_groups(
    tmp_path: Path, make_shard: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llama_data.train_handoff.shards.file.GROUP_ROWS", 7)
    path = tmp_path / "web" / "00000.parquet"
    rows = make_shard(path, 30, bos_id=None)
    shard = Shard(str(path))
    assert shard.groups == 5
    expected = [[0] * (row == 0) + [at + 1 for at in np.flatnonzero(ids[:-1] == 2)] for row, ids in enumerate(rows)]
    assert shard.column("doc_starts").to_pylist() == expected
    assert verify([str(path)]) == []


@pytest.mark.parametrize("limit", [1, 4])
def test_a_mixture_holds_as_many_shards_open_as_it_may_and_reads_all(
    make_mix: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(plan_module, "OPEN_SHARDS", limit)
    opened: list[int] = []

    class Counted(Shard):
        alive = 0

        def __init__(self, path: str) -> None:
            super().__init__(path)
            opened.append(int(Path(path).stem))
            Counted.alive += 1

        def __del__(self) -> None:
            Counted.alive -= 1

    folder = make_mix(rows=90, rows_per_shard=10, held_out=0, bos_id=1, eos_id=2)
    monkeypatch.setattr(plan_module, "Shard", Counted)
    mixture = Mixture(str(folder))
    most = 0
    for index in range(90):
        assert mixture[index].size == 9
        assert mixture.domains[mixture.domain_of(index)] in ("web", "books")
        most = max(most, Counted.alive)
    assert most == limit
    assert opened == list(range(9))
    # The one in use is not the one that goes.
    mixture[85], mixture[5], mixture[85]
    assert opened[9:] == ([0, 8] if limit == 1 else [0])
    assert Counted.alive == limit
    assert sum(codes.size for codes in (mixture.codes(number) for number in range(9))) == 90


def test_the_shard_that_was_used_longest_ago_is_the_one_that_is_closed(
    make_mix: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "OPEN_SHARDS", 2)
    folder = make_mix(rows=40, rows_per_shard=10, held_out=0, bos_id=1, eos_id=2)
    opened: list[str] = []

    class Named(Shard):
        def __init__(self, path: str) -> None:
            super().__init__(path)
            opened.append(Path(path).stem[-1])

    monkeypatch.setattr(plan_module, "Shard", Named)
    mixture = Mixture(str(folder))
    for number in (0, 1, 0, 2, 0, 1, 1):
        mixture[10 * number]
    assert "".join(opened) == "0121"


@MARKS
def test_held_out_rows_of_several_files_keep_their_document_starts(
    make_mix: Callable[..., Path], tmp_path: Path, bos_id: int | None, eos_id: int | None
) -> None:
    folder = make_mix(held_out=2, bos_id=bos_id, eos_id=eos_id)
    held = Mixture(str(folder)).validation()["web"].column("doc_starts").to_pylist()
    parts = [Shard(str(path)) for path in sorted((tmp_path / "tokens" / "web" / "validation").iterdir())]
    assert held == [starts for part in parts for starts in part.column("doc_starts").to_pylist()]
    assert verify_folder(str(folder)) == []
