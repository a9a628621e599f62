"""Measuring: the figures belong together, on random rows and on a mix, and the steps are those of a run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import InputError, RecipeError, RequestError
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import BenchConfig, TrainConfig, load_config
from llama_data.train_handoff.trainer.launch import BENCH, Cluster, FailedError, ask, bench_config
from llama_data.train_handoff.trainer.loader import batches

torch = pytest.importorskip("torch")

from llama_data.train_handoff.trainer import distributed  # noqa: E402
from llama_data.train_handoff.trainer.learner import Learner  # noqa: E402
from llama_data.train_handoff.trainer.measure import bench, tables  # noqa: E402
from llama_data.train_handoff.trainer.metrics import PEAK_FLOPS, flops_per_token, peak_flops  # noqa: E402

YAML = "name: small\nmodel: {dim: 32, n_heads: 4, n_layers: 2, multiple_of: 32}\nmicro_rows: 2\ndtype: float32\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(YAML)
    return path


def measured(tmp_path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    done = CliRunner().invoke(app, ["bench", "--device", "cpu", *arguments, "--json", str(tmp_path / "figures.json")])
    if done.exception is not None:
        raise done.exception
    found: dict[str, Any] = json.loads((tmp_path / "figures.json").read_text())
    return found, done.output


def test_the_figures_of_two_processes_belong_together_and_the_first_node_has_them(small: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        *("--model", str(small), "--steps", "3", "--warmup", "1", "--seq-len", "64", "--vocab", "300"),
        *("--nproc", "1", "--nnodes", "2", "--rendezvous", f"127.0.0.1:{port}"),
    ]
    command = [sys.executable, "-m", "llama_data.train_handoff.trainer.cli", "bench", "--device", "cpu", *arguments]
    other = subprocess.Popen(
        [*command, "--node-rank", "1", "--json", str(tmp_path / "1.json")],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found, text = measured(tmp_path, *arguments, "--node-rank", "0")
    assert other.communicate()[0].strip() == "the first node (--node-rank 0) has the figures"
    assert other.returncode == 0
    assert not (tmp_path / "1.json").exists()
    assert (found["processes"], found["batch_rows"], found["seq_len"], found["steps"]) == (2, 4, 64, 3)
    mean = found["step_seconds"]["mean"]
    assert found["step_seconds"]["median"] <= found["step_seconds"]["max"]
    assert found["tokens_per_second"] == pytest.approx(4 * 64 / mean)
    assert found["tokens_per_second_per_process"] == found["tokens_per_second"] / 2
    model = load_config(str(small)).model.model_copy(update={"vocab_size": 300})
    flops = flops_per_token(model, 64) * found["tokens_per_second_per_process"]
    assert found["tflops_per_process"] == pytest.approx(flops / 1e12)
    split = found["split_seconds"]
    assert split["data"] + split["forward_backward"] + split["optimizer"] == pytest.approx(mean)
    assert split["communication"] > 0
    assert found["mfu"] is None
    assert found["peak_memory_bytes"] > 50e6
    assert found["data"] == "synthetic"
    assert f"{found['tokens_per_second']:,.0f}" in text
    assert "communication" in text
    assert "n/a" in text


def test_what_a_process_says_of_a_failure_is_known(tmp_path: Path) -> None:
    request = BenchConfig(run=load_config("tiny", {"device": "cpu", "replicate": 2}), steps=1, seq_len=16)
    with pytest.raises(FailedError, match="the measurement stopped with exit code 2") as failed:
        ask(Cluster(), BENCH, request, "the measurement")
    assert failed.value.reason == "replicate 2: must divide the 1 processes"


def test_a_mix_is_measured_with_its_rows(small: Path, mix: Path, tmp_path: Path) -> None:
    changes = {"data": str(mix), "batch_tokens": 128, "micro_rows": 1, "recompute": "full", "device": "cpu"}
    request = bench_config(str(small), changes, Cluster(), steps=2, warmup=0, seq_len=2048, vocab_size=9)
    try:
        found = bench.bench(request)
    finally:
        distributed.stop()
    text = tables.measurement(found)
    assert (found["seq_len"], found["batch_rows"], found["micro_rows"]) == (32, 4, 1)
    assert (found["data"], found["recompute"], found["compile"]) == (str(mix), "full", False)
    assert found["split_seconds"]["communication"] is None
    assert "communication" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_laps_do_not_change_the_step(mix: Path) -> None:
    rows = Mixture(str(mix))
    model = {"dim": 32, "n_heads": 4, "n_layers": 2, "multiple_of": 32}
    config = TrainConfig.model_validate(
        {"name": "t", "model": model, "batch_tokens": 256, "micro_rows": 3, "dtype": "float32", "device": "cpu"}
    )
    results, names = [], []
    try:
        processes = distributed.start(config)
        for lap in (None, names.append):
            learner = Learner(config, rows.footer, rows.domains, processes)
            learner.model.init_weights(1)
            source = batches(rows, batch_rows=8, start_row=0, first=0, steps=3, rank=0, world=1)
            results.append([learner.update(batch, 1e-2, lap) for batch in source])
    finally:
        distributed.stop()
    assert results[0] == results[1]
    assert names == ["forward_backward", "optimizer"] * 3
    assert set(results[0][0].by_domain) == {"books", "arxiv"}


def test_a_full_device_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(bench, "measure", full)
    sizes = {"steps": 1, "warmup": 0, "seq_len": 16, "vocab_size": 50}
    try:
        with pytest.raises(RequestError, match="cpu: out of memory with --micro-rows 4; take fewer rows"):
            bench.bench(bench_config("tiny", {"device": "cpu"}, Cluster(), **sizes))
    finally:
        distributed.stop()


def test_random_rows_are_the_same_for_everyone() -> None:
    one, two = bench.SyntheticRows(8, 16, 70_000), bench.SyntheticRows(8, 16, 70_000)
    np.testing.assert_array_equal(one[5], two[5])
    assert not np.array_equal(one[5], one[6])
    assert one[5].shape == (17,)
    assert one[5].max() < 70_000


def test_utilisation_is_only_given_where_the_peak_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    device = torch.device("cuda", 0)
    for name, expected in (("NVIDIA H200", 989e12), ("NVIDIA A100-SXM4-80GB", 312e12), ("NVIDIA Unheard Of", None)):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _, name=name: name)
        assert peak_flops(device, "bfloat16") == expected
        assert peak_flops(device, "float32") is None
    assert peak_flops(torch.device("cpu"), "bfloat16") is None
    assert PEAK_FLOPS["H200"] == 989e12


def test_a_step_is_one_micro_batch_a_process_unless_it_is_given(mix: Path) -> None:
    sizes = {"steps": 1, "warmup": 0, "seq_len": 128, "vocab_size": 500}
    run = bench_config("tiny", {}, Cluster(nproc=2, nnodes=3, rendezvous="head:1"), **sizes).run
    assert run.batch_tokens == 4 * 6 * 128
    with pytest.raises(RequestError, match="a global batch of 4 rows does not divide among 3 processes"):
        bench_config("tiny", {"batch_tokens": 512}, Cluster(nproc=3), **sizes)
    with pytest.raises(RequestError, match="12 steps of 64 rows need 768 rows, and the mix has 512"):
        bench_config("tiny", {"data": str(mix), "batch_tokens": 2048}, Cluster(), **{**sizes, "steps": 12})
    with pytest.raises(RecipeError, match="batch_tokens 500 is not a multiple of the rows' 128 tokens"):
        bench_config("tiny", {"batch_tokens": 500}, Cluster(), **sizes)


def test_wrong_requests_are_named(small: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="9b: no such model"):
        measured(tmp_path, "--model", "9b")
    with pytest.raises(InputError, match=r"nowhere/mix\.json: no such file"):
        measured(tmp_path, "--model", "tiny", "--data", "nowhere")
    with pytest.raises(RequestError, match="--dtype int8: expected bfloat16 or float32"):
        measured(tmp_path, "--dtype", "int8")
    small.write_text(YAML.replace("n_layers: 2", "n_layers: 2, vocab_size: 64"))
    with pytest.raises(RequestError, match=r"model\.vocab_size is 64, but the training rows have 32000"):
        measured(tmp_path, "--model", str(small))
