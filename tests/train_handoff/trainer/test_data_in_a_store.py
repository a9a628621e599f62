"""Training on a mix in an object store: its rows are fetched once a node, whatever the number of processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner
from workshop import Workshop

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.shards.cache import ShardCache
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.launch import Cluster, launch

pytest.importorskip("torch")
pytest.importorskip("aiohttp", reason="fsspec needs it for http")


def test_a_mix_in_a_store_has_the_same_rows(mix: Path, tmp_path: Path, serve) -> None:
    store = serve(mix)
    there, here = Mixture(store.url, ShardCache(str(tmp_path))), Mixture(str(mix))
    for row in [*range(0, len(here), 37), len(here) - 1, 0]:
        assert np.array_equal(there[row], here[row])
        assert there.domain_of(row) == here.domain_of(row)
    assert there.footer.agreement() == here.footer.agreement()
    assert there.place(201) == f"{store.url}/00001.parquet, row 1"
    held, wanted = there.validation(), here.validation()
    assert held.keys() == wanted.keys() == {"books"}
    assert np.array_equal(held["books"][0], wanted["books"][0])
    for path in mix.rglob("*.parquet"):
        assert store.sent[path.name] == path.stat().st_size


def test_processes_of_a_run_fetch_each_byte_once(mix: Path, tmp_path: Path, serve, workshop: Workshop) -> None:
    store, lines = serve(mix), []
    for name, data, nproc in (("there", store.url, 2), ("here", str(mix), 1)):
        values: dict[str, Any] = {
            "name": "test", "data": data, "output": str(tmp_path / name), "cache_dir": str(tmp_path / "cache"),
            "model": {"dim": 32, "n_heads": 2, "n_layers": 1, "multiple_of": 32}, "dtype": "float32", "device": "cpu",
            "batch_tokens": 60 * 32, "micro_rows": 20, "steps": 8, "save_every": None,
        }  # fmt: skip
        config = TrainConfig.model_validate(values)
        with workshop.instead():
            launch(config, Cluster(nproc=nproc))
        lines.append([json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()])
    np.testing.assert_allclose([a["loss"] for a in lines[0]], [b["loss"] for b in lines[1]], rtol=2e-5)
    for path in mix.glob("*.parquet"):
        assert store.sent[path.name] == path.stat().st_size


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "s3://bucket/mix"], "name a folder or URL for the run as --output"),
        (["--data", "mix", "--output", "nowhere://bucket/train"], "this kind of address cannot be opened"),
        (["--data", "mix", "--cache-bytes", "many"], "--cache-bytes many: expected a size"),
    ],
)
def test_what_is_not_possible_is_said(arguments: list[str], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        CliRunner().invoke(app, ["launch", *arguments], catch_exceptions=False)
