"""Shards made by hand, and a small tokenizer to pack with."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llama_data.tokenizer.train import train_model
from llama_data.train_handoff.shards.file import Footer, ShardWriter

MakeShard = Callable[..., np.ndarray]


@pytest.fixture
def make_shard() -> MakeShard:
    """Write a domain shard of random rows; returns the rows."""

    def make(path: Path, rows: int, *, seed: int = 0, **changes: Any) -> np.ndarray:
        known: dict[str, Any] = {
            "kind": "domain",
            "split": "train",
            "domain": path.parent.name,
            "seq_len": 8,
            "vocab_size": 500,
            "tokenizer_sha256": "ab" * 32,
            "bos_id": 1,
            "eos_id": 2,
        }
        footer = Footer(**{**known, **changes})
        rng = np.random.default_rng(seed)
        ids = rng.integers(0, min(footer.vocab_size, 40), (rows, footer.seq_len + 1))
        ids[:, 0][1:] = ids[:-1, -1]
        found = ids.astype(footer.numpy_dtype)
        with ShardWriter(str(path), footer) as writer:
            writer.write(found)
        return found

    return make


@pytest.fixture(scope="session")
def words() -> list[str]:
    chooser = random.Random(11)
    return ["".join(chooser.choices("abcdefghilmnoprstu", k=chooser.randint(1, 9))) for _ in range(500)]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> Path:
    chooser = random.Random(12)
    lines = [" ".join(chooser.choices(words, k=12)).encode() for _ in range(1000)]
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    path.write_bytes(train_model(lines, vocab_size=500, input_sentence_size=10_000))
    return path
