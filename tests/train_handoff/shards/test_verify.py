"""verify finds what is wrong with a shard or a folder of them."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from llama_data.train_handoff.mix.jobs import mix_jobs
from llama_data.train_handoff.mix.plan import plan_mix
from llama_data.train_handoff.shards.file import Shard
from llama_data.train_handoff.shards.verify import verify, verify_folder


@pytest.fixture
def shard(tmp_path: Path, make_shard) -> Path:
    make_shard(tmp_path / "web" / "00000.parquet", 60)
    return tmp_path / "web" / "00000.parquet"


@pytest.fixture
def mix(tmp_path: Path, make_shard) -> Path:
    for domain in ("web", "books"):
        make_shard(tmp_path / "tokens" / domain / "00000.parquet", 60)
    make_shard(tmp_path / "tokens" / "books" / "validation" / "00000.parquet", 5, split="validation", domain="books")
    plan = plan_mix(
        str(tmp_path / "tokens"),
        weights={"web": 0.5, "books": 0.5},
        present=["web", "books"],
        rows_per_shard=20,
        tokens=480,
    )
    for job in mix_jobs(plan, tokens_folder=str(tmp_path / "tokens"), output=str(tmp_path / "mix")):
        for rank in range(job.tasks):
            for step in job.steps:
                list(step.run(None, rank, job.tasks))
    return tmp_path / "mix"


def test_a_sound_shard_has_no_problems(shard: Path) -> None:
    assert verify([str(shard)], tokenizer_sha256="ab" * 32, vocab_size=500) == []


def test_every_flipped_byte_is_found(shard: Path) -> None:
    data = shard.read_bytes()
    chooser = random.Random(0)
    places = {0, 3, 4, 20, len(data) - 1, len(data) - 5, len(data) - 9, len(data) - 40}
    places |= set(chooser.sample(range(len(data)), 150))
    for place in sorted(places):
        damaged = bytearray(data)
        damaged[place] ^= 1 << chooser.randrange(8)
        shard.write_bytes(damaged)
        assert verify([str(shard)]), f"byte {place} of {len(data)}"


@pytest.mark.parametrize("kept", [0, 5, 100, -100, -1])
def test_a_shortened_file_is_found(shard: Path, kept: int) -> None:
    shard.write_bytes(shard.read_bytes()[:kept] if kept else b"")
    assert verify([str(shard)])


def test_another_tokenizer_and_another_vocabulary_are_found(shard: Path) -> None:
    assert "made with tokenizer ababab" in str(verify([str(shard)], tokenizer_sha256="cd" * 32)[0])
    assert "made for 500 pieces, the tokenizer has 32000" in str(verify([str(shard)], vocab_size=32000)[0])


def test_rows_written_with_ids_beyond_the_vocabulary_are_found(tmp_path: Path, make_shard, monkeypatch) -> None:
    monkeypatch.setattr(
        np.random, "default_rng", lambda seed: type("R", (), {"integers": lambda s, a, b, n: np.full(n, 77)})()
    )
    make_shard(tmp_path / "web" / "0.parquet", 4, vocab_size=70)
    assert "id 77 of 70 pieces" in str(verify([str(tmp_path / "web" / "0.parquet")])[0])


def test_a_damaged_page_is_named(shard: Path) -> None:
    data = bytearray(shard.read_bytes())
    data[Shard(str(shard)).offsets(np.array([30]))[0]] ^= 1
    shard.write_bytes(data)
    what = " ".join(str(problem) for problem in verify([str(shard)]))
    assert "row group 0: a page is damaged" in what
    assert "CRC-32 of the file" in what
    assert "content hash" in what


def test_a_sound_mix_has_no_problems(mix: Path) -> None:
    assert verify_folder(str(mix), tokenizer_sha256="ab" * 32, vocab_size=500) == []


def test_missing_surplus_and_foreign_shards_are_found(mix: Path) -> None:
    shutil.copy(mix / "00000.parquet", mix / "00009.parquet")
    shutil.copy(mix / "00000.parquet", mix / "00001.parquet")
    (mix / "00002.parquet").unlink()
    (mix / "validation" / "books.parquet").unlink()
    found = {(Path(problem.path).name, problem.what.split(":")[0]) for problem in verify_folder(str(mix))}
    assert found == {
        ("00009.parquet", "surplus"),
        ("00002.parquet", "missing"),
        ("books.parquet", "missing"),
        ("00001.parquet", "its rows are not those that were listed"),
    }


def test_a_folder_without_its_list_or_with_a_broken_one_is_found(mix: Path) -> None:
    (mix / "mix.json").write_text(json.dumps({"format": 1}))
    assert "not readable" in str(verify_folder(str(mix))[0])
    (mix / "mix.json").unlink()
    assert "never finished" in str(verify_folder(str(mix))[0])
