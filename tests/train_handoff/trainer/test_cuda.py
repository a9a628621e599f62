"""What only a card can show: nccl, bfloat16 and compiled steps against the plain ones. Skipped without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from llama_data.train_handoff.mix.plan import Mixture  # noqa: E402
from llama_data.train_handoff.trainer import distributed  # noqa: E402
from llama_data.train_handoff.trainer.config import TrainConfig  # noqa: E402
from llama_data.train_handoff.trainer.launch import Cluster, launch  # noqa: E402
from llama_data.train_handoff.trainer.learner import Learner  # noqa: E402
from llama_data.train_handoff.trainer.loader import batches  # noqa: E402

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def config(mix: Path, **changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "name": "test",
        "data": str(mix),
        "model": {"dim": 256, "n_heads": 4, "n_layers": 2, "multiple_of": 64},
        "optim": {"lr": 1e-3, "warmup_steps": 2},
        "batch_tokens": 8 * 32,
        "micro_rows": 4,
        "steps": 6,
        "dtype": "float32",
        "device": "cuda",
        **changes,
    }
    return TrainConfig.model_validate(values)


def losses(mix: Path, **changes: Any) -> list[float]:
    """Of four steps in this process."""
    asked, rows = config(mix, **changes), Mixture(str(mix))
    try:
        learner = Learner(asked, rows.footer, rows.domains, distributed.start(asked))
        learner.model.init_weights(1)
        learner.model.train()
        source = batches(rows, batch_rows=8, start_row=0, first=0, steps=4, rank=0, world=1)
        return [learner.update(batch, 1e-3).loss for batch in source]
    finally:
        distributed.stop()


@pytest.fixture(scope="module")
def exact(mix: Path) -> list[float]:
    """Of the same steps on the CPU."""
    return losses(mix, device="cpu")


def test_a_device_takes_the_steps_that_the_cpu_takes(mix: Path, exact: list[float]) -> None:
    assert losses(mix) == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("states", ["float32", "bfloat16"])
def test_in_bfloat16_they_are_near(mix: Path, exact: list[float], states: str) -> None:
    optim = {"lr": 1e-3, "warmup_steps": 2, "states": states}
    assert losses(mix, dtype="bfloat16", optim=optim) == pytest.approx(exact, rel=2e-2)


@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
def test_compiled_and_computed_again_they_are_the_same(mix: Path, exact: list[float], recompute: str) -> None:
    assert losses(mix, recompute=recompute, loss_tokens=64, compile=True) == pytest.approx(exact, rel=1e-4)


def test_the_kernels_of_the_document_mask_agree(mix: Path) -> None:
    exact = losses(mix, device="cpu", document_mask=True)
    assert losses(mix, document_mask=True, attention="flex") == pytest.approx(exact, rel=1e-4)
    assert losses(mix, document_mask=True, attention="varlen", dtype="bfloat16") == pytest.approx(exact, rel=2e-2)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two CUDA devices: nccl has nobody to talk to")
def test_two_processes_over_nccl_take_the_steps_that_one_takes(mix: Path, tmp_path: Path) -> None:
    found = []
    for nproc in (1, 2):
        output = tmp_path / str(nproc)
        launch(config(mix, output=str(output), async_save="on"), Cluster(nproc))
        lines = (output / "metrics.jsonl").read_text().splitlines()
        found.append([json.loads(line)["loss"] for line in lines])
    assert found[0] == pytest.approx(found[1], rel=1e-4)
