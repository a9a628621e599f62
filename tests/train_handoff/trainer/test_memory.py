"""The account of memory against what steps of small models allocate: within 10 % of the peak."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch.testing._internal.distributed.fake_pg")

import plain_allocations as counting  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402

from llama_data.train_handoff.trainer import distributed  # noqa: E402
from llama_data.train_handoff.trainer.config import TrainConfig  # noqa: E402
from llama_data.train_handoff.trainer.memory import moments, peak  # noqa: E402

WITHIN = 0.10

# Peaks at the loss, in a layer, while gradients are summed, and at the end; every setting that the account knows.
CASES: list[dict[str, Any]] = [
    {},
    {"recompute": "selective", "loss_tokens": 128},
    {"dtype": "bfloat16", "loss_tokens": 50, "passes": 2, "seq_len": 32},
    {"dtype": "bfloat16", "optim": {"states": "bfloat16"}, "vocab": 4000, "seq_len": 32, "loss_tokens": None},
    {"world": 2, "dtype": "bfloat16", "recompute": "selective", "seq_len": 64},
    {"world": 4, "recompute": "full", "passes": 2, "loss_tokens": 128},
    {"world": 4, "replicate": 2, "passes": 2, "seq_len": 64},
    {"world": 8, "vocab": 8000, "micro_rows": 1, "model": {"dim": 256, "n_layers": 2}, "loss_tokens": 64},
    {"model": {"n_layers": 12, "n_kv_heads": 2}, "seq_len": 64, "micro_rows": 1, "recompute": "selective"},
    {"model": {"dim": 256, "n_layers": 8}, "seq_len": 16, "micro_rows": 1, "vocab": 300},
    {"world": 4, "model": {"dim": 256, "n_layers": 8}, "seq_len": 16, "micro_rows": 1, "vocab": 300, "passes": 2},
    {"model": {"tied": True}, "vocab": 4000, "micro_rows": 2, "recompute": "full", "loss_tokens": 128},
    {"vocab": 16_000, "model": {"dim": 64, "n_layers": 1}, "seq_len": 32, "micro_rows": 1, "loss_tokens": 16},
    {"vocab": 16_000, "model": {"dim": 64, "n_layers": 1, "tied": True}, "seq_len": 8, "micro_rows": 1, "world": 2},
    {"vocab": 16_000, "model": {"dim": 64, "n_layers": 1, "tied": True}, "seq_len": 8, "micro_rows": 1},
    {"model": {"embedding_norm": True}, "document_mask": True, "seq_len": 128},
    {"document_mask": True, "recompute": "selective", "micro_rows": 2},
]


def counted(seq_len: int = 256, vocab: int = 1000, world: int = 1, **changes: Any) -> tuple[Any, TrainConfig, Any]:
    config = counting.a_run(seq_len=seq_len, world=world, **changes)
    try:
        found, model = counting.count(config, counting.join(world, config.replicate), seq_len, vocab)
    finally:
        distributed.stop()
    return found, config, model


@pytest.mark.parametrize("case", CASES, ids=lambda case: json.dumps(case).translate({ord(c): None for c in '{}" '}))
def test_the_peak_is_as_the_account_says(case: dict[str, Any]) -> None:
    found, config, model = counted(**case)
    world = case.get("world", 1)
    said = peak(config, model, world)
    assert said.total == pytest.approx(found.peak, rel=WITHIN), said
    state = moments(config, model, world)[-1]
    assert found.left == pytest.approx(state.parameters + state.optimiser, rel=0.02)  # and rotary tables


def test_two_real_processes_hold_what_is_said_and_what_gloo_copies() -> None:
    case = {"seq_len": 256, "vocab": 1000, "recompute": "selective"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, str(Path(counting.__file__)), json.dumps(case)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = counting.Counted(*json.loads(done.stdout.splitlines()[-1]))
    config = counting.a_run(world=2, recompute="selective")
    model = config.model.model_copy(update={"vocab_size": 1000, "seq_len": 256})
    assert peak(config, model, 2).total == pytest.approx(found.peak, rel=WITHIN)


def test_counting_sees_every_block_and_when_it_is_let_go() -> None:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        kept = torch.empty(1 << 20)
        other = torch.empty(1 << 20, dtype=torch.bfloat16)
        del other
        more = (kept + 1)[:1]
    found = counting.allocations(profiler)
    assert more.numel() == 1
    assert found.peak == pytest.approx(8 << 20, abs=1000)
    assert found.left == pytest.approx(8 << 20, abs=1000)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: the peak on a device is not measured")
@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
def test_the_peak_on_a_device_is_as_the_account_says(recompute: str) -> None:
    size = {"dim": 1024, "n_layers": 8, "n_heads": 8, "multiple_of": 256}
    config = counting.a_run(
        seq_len=1024, model=size, dtype="bfloat16", device="cuda", recompute=recompute, micro_rows=8
    )  # fmt: skip
    try:
        processes = distributed.start(config)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _, model = counting.count(config, processes, 1024, 32_000)
        found = torch.cuda.max_memory_allocated() - before
    finally:
        distributed.stop()
    assert peak(config, model, 1).total == pytest.approx(found, rel=WITHIN)
