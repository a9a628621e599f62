"""Parameters and optimiser in bfloat16: rounded right in the mean, the same on every division, resumable."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from llama_data.train_handoff.mix.plan import Mixture  # noqa: E402
from llama_data.train_handoff.trainer import checkpoint, distributed, draws  # noqa: E402
from llama_data.train_handoff.trainer.config import OptimConfig, TrainConfig  # noqa: E402
from llama_data.train_handoff.trainer.draws import bits  # noqa: E402
from llama_data.train_handoff.trainer.learner import Learner  # noqa: E402
from llama_data.train_handoff.trainer.loader import batches  # noqa: E402
from llama_data.train_handoff.trainer.optim import make_optimizer, round_to_bfloat16  # noqa: E402
from llama_data.train_handoff.trainer.record import Record  # noqa: E402

STEPS = 24


@pytest.mark.parametrize("value", [1.001, -1.001, 0.3, 1e-30, -3e5, 1.0, 0.0])
def test_rounding_is_right_in_the_mean_and_to_a_neighbour(value: float) -> None:
    count = 1 << 16
    exact = torch.full((count,), value)
    found = round_to_bfloat16(exact, bits(7, torch.arange(count))).double()
    gap = float(found.max() - found.min())
    assert gap <= abs(value) / 128
    assert found.min() <= float(exact[0]) <= found.max()
    assert abs(float(found.mean()) - float(exact[0])) <= 4 * 0.5 * gap / count**0.5


def test_a_value_that_bfloat16_has_is_left_alone() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(1)).bfloat16()
    for drawn in (0, 0xFFFF, -1):
        assert torch.equal(round_to_bfloat16(values.float(), torch.full((1000,), drawn)), values)


def config(mix: Path, states: str, **changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "name": "test",
        "data": str(mix),
        "model": {"dim": 32, "n_heads": 2, "n_layers": 1, "multiple_of": 32},
        "optim": {"lr": 1e-2, "states": states},
        "batch_tokens": 8 * 32,
        "micro_rows": 2,
        "dtype": "float32",
        "device": "cpu",
        **changes,
    }
    return TrainConfig.model_validate(values)


@pytest.fixture(scope="module")
def processes(mix: Path) -> Iterator[distributed.Processes]:
    yield distributed.start(config(mix, "float32"))
    distributed.stop()


def trained(learner: Learner, mix: Path, first: int, steps: int) -> list[float]:
    rows = Mixture(str(mix))
    source = batches(rows, batch_rows=8, start_row=8 * first, first=first, steps=STEPS, rank=0, world=1)
    learner.model.train()
    return [learner.update(batch, 1e-2).loss for batch in islice(source, steps)]


def learner_of(asked: TrainConfig, mix: Path, processes: distributed.Processes) -> Learner:
    rows = Mixture(str(mix))
    learner = Learner(asked, rows.footer, rows.domains, processes)
    learner.model.init_weights(1)
    return learner


def test_a_model_in_bfloat16_learns_as_one_in_float32(mix: Path, processes: distributed.Processes) -> None:
    losses = {states: trained(learner_of(config(mix, states), mix, processes), mix, 0, STEPS)
              for states in ("float32", "bfloat16")}  # fmt: skip
    assert losses["float32"][-1] < losses["float32"][0] - 1
    for ours, theirs in zip(losses["bfloat16"], losses["float32"], strict=True):
        assert ours == pytest.approx(theirs, abs=0.05)


def test_it_is_held_in_bfloat16_and_goes_on_bit_for_bit(
    mix: Path, processes: distributed.Processes, tmp_path: Path
) -> None:
    asked = config(mix, "bfloat16")
    whole = learner_of(asked, mix, processes)
    losses = trained(whole, mix, 0, 4)
    record = Record(step=4, rows=32, fingerprint="f", seed=1, tokenizer_sha256="t", model={})
    path = checkpoint.save(tmp_path, record, whole.model, whole.optimizer, None)
    other = learner_of(asked, mix, processes)
    other.model.init_weights(2)
    checkpoint.load(path, other.model, other.optimizer)
    assert trained(other, mix, 4, 4) == trained(whole, mix, 4, 4)
    assert losses[0] > losses[-1]
    for one, two in zip(whole.model.parameters(), other.model.parameters(), strict=True):
        states = whole.optimizer.state[one], other.optimizer.state[two]
        assert states[0]["step"] == states[1]["step"] == 8
        for a, b in ((one, two), *((states[0][name], states[1][name]) for name in ("exp_avg", "exp_avg_sq"))):
            assert a.dtype == torch.bfloat16
            assert torch.equal(a.to_local(), b.to_local())
    assert whole.model.cos.dtype == torch.float32


def test_small_updates_are_not_lost_and_another_seed_draws_others() -> None:
    found = []
    for seed in (1, 1, 2):
        model = torch.nn.Linear(64, 64, bias=False).bfloat16()
        with torch.no_grad():
            model.weight.fill_(1.0)
        optimizer = make_optimizer(model, OptimConfig(lr=1e-4, weight_decay=0, states="bfloat16"), seed)
        for _ in range(50):
            model.weight.grad = torch.ones(64, 64)
            optimizer.step()
        found.append(model.weight.detach().float())
    assert float(found[0].mean()) == pytest.approx(1 - 50e-4, abs=3e-4)  # to the nearest it would still be 1
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_step_does_not_depend_on_how_it_is_sliced(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for size in (1 << 16, 37):
        monkeypatch.setattr(draws, "SLICE", size)
        generator = torch.Generator().manual_seed(1)
        model = torch.nn.Linear(20, 20, bias=False).bfloat16()
        with torch.no_grad():
            model.weight.copy_(torch.randn(20, 20, generator=generator))
        optimizer = make_optimizer(model, OptimConfig(states="bfloat16"), 1)
        for _ in range(3):
            model.weight.grad = torch.randn(20, 20, generator=generator)
            optimizer.step()
        found.append(model.weight.detach())
    assert torch.equal(*found)


def test_micro_batches_are_added_up_in_float32() -> None:
    model = torch.nn.Linear(4, 1, bias=False).bfloat16()
    make_optimizer(model, OptimConfig(states="bfloat16"), 1)
    for _ in range(1000):
        model(torch.ones(1, 4, dtype=torch.bfloat16)).sum().backward()
    assert model.weight.grad is not None
    assert model.weight.grad.tolist() == [[1000.0] * 4]  # in bfloat16 it stays at 256
