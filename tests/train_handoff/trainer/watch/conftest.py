"""A mix with its tokenizer beside it, of which rows of both domains are held out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llama_data.train_handoff.shards.file import Shard, ShardWriter
from llama_data.train_handoff.trainer.config import TrainConfig

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture(scope="module")
def watched_mix(mix: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RUN/mix with 5 held-out rows of arxiv besides those of books, and RUN/tokenizer."""
    run = tmp_path_factory.mktemp("watched")
    shutil.copytree(mix, run / "mix")
    (run / "tokenizer").mkdir()
    shutil.copyfile(tokenizer, run / "tokenizer" / "tokenizer.model")
    books = Shard(str(run / "mix" / "validation" / "books.parquet"))
    ids = np.random.default_rng(5).integers(260, 500, (5, books.footer.seq_len + 1))
    footer = replace(books.footer, domain="arxiv", rows=0, documents=0, content_sha256="")
    with ShardWriter(str(run / "mix" / "validation" / "arxiv.parquet"), footer) as writer:
        writer.write(ids.astype(footer.numpy_dtype))
    record = json.loads((run / "mix" / "mix.json").read_text())
    (run / "mix" / "mix.json").write_text(json.dumps({**record, "validation": ["arxiv", "books"]}))
    return run / "mix"


@pytest.fixture(scope="module")
def make_config(watched_mix: Path) -> MakeConfig:
    """Eight steps of a very small model; ``watch`` as it is given."""

    def make(output: Path, *, watch: dict[str, Any], **changes: Any) -> TrainConfig:
        values: dict[str, Any] = {
            "name": "test",
            "data": str(watched_mix),
            "output": str(output),
            "model": {"dim": 32, "n_heads": 2, "n_layers": 2, "multiple_of": 32},
            "optim": {"lr": 1e-2, "warmup_steps": 2},
            "batch_tokens": 8 * 32,
            "micro_rows": 4,
            "steps": 8,
            "dtype": "float32",
            "device": "cpu",
            "save_every": 4,
            "keep_checkpoints": None,
            "watch": watch,
            **changes,
        }
        return TrainConfig.model_validate(values)

    return make
