"""A step whose loss or gradient is not what it should be leaves the model as it was."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from llama_data.pipeline.core.errors import RunError  # noqa: E402
from llama_data.train_handoff.mix.plan import Mixture  # noqa: E402
from llama_data.train_handoff.trainer import distributed, learner  # noqa: E402
from llama_data.train_handoff.trainer.config import TrainConfig  # noqa: E402
from llama_data.train_handoff.trainer.learner import Learner  # noqa: E402
from llama_data.train_handoff.trainer.loader import Batch, batches  # noqa: E402
from llama_data.train_handoff.trainer.loop import Stop, Trainer  # noqa: E402
from llama_data.train_handoff.trainer.record import SIGNALS, checkpoints, read_record  # noqa: E402

WINDOW, FACTOR = 3, 4.0


def config(mix: Path, output: Path, **spikes: Any) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "name": "test",
            "data": str(mix),
            "output": str(output),
            "model": {"dim": 32, "n_heads": 2, "n_layers": 1, "multiple_of": 32},
            "optim": {"lr": 1e-3, "warmup_steps": 0, "clip": None},
            "batch_tokens": 8 * 32,
            "micro_rows": 8,
            "steps": 12,
            "dtype": "float32",
            "device": "cpu",
            "save_every": 2,
            "keep_checkpoints": None,
            "spikes": {"window": WINDOW, "factor": FACTOR, "in_a_row": 3, **spikes},
        }
    )


@pytest.fixture
def processes(mix: Path, tmp_path: Path) -> Iterator[distributed.Processes]:
    yield distributed.start(config(mix, tmp_path))
    distributed.stop()


@pytest.fixture
def stop() -> Iterator[Stop]:
    """The signals of this process are its own again afterwards."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield Stop()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """Factors of the loss by call; the gradients follow it."""
    factors: dict[int, float] = {}
    calls = iter(range(1000))
    true = learner.token_losses

    def spoilt(*arguments: Any, **named: Any) -> Any:
        return true(*arguments, **named) * factors.get(next(calls), 1.0)

    monkeypatch.setattr(learner, "token_losses", spoilt)
    return factors


def learner_and_batches(
    mix: Path, tmp_path: Path, processes: distributed.Processes, **spikes: Any
) -> tuple[Learner, Iterator[Batch]]:
    rows = Mixture(str(mix))
    made = Learner(config(mix, tmp_path, **spikes), rows.footer, rows.domains, processes)
    made.model.init_weights(1)
    return made, batches(rows, batch_rows=8, start_row=0, first=0, steps=12, rank=0, world=1)


def state(made: Learner) -> list[torch.Tensor]:
    parameters = [p.full_tensor().detach().clone() for p in made.model.parameters()]  # type: ignore[attr-defined]
    moments = [
        value.full_tensor().clone() for held in made.optimizer.state.values() for value in held.values() if value.dim()
    ]
    return parameters + moments


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_what_is_not_finite_changes_nothing(
    mix: Path, tmp_path: Path, processes: distributed.Processes, spoil: dict[int, float], factor: float
) -> None:
    made, source = learner_and_batches(mix, tmp_path, processes)
    made.update(next(source), 1e-3)
    before, norms = state(made), list(made.norms)
    spoil[1] = factor
    assert made.update(next(source), 1e-3).skipped == "not_finite"
    assert all(torch.equal(a, b) for a, b in zip(before, state(made), strict=True))
    assert list(made.norms) == norms
    assert made.update(next(source), 1e-3).skipped is None
    assert not all(torch.equal(a, b) for a, b in zip(before, state(made), strict=True))


def test_a_norm_over_the_factor_is_a_spike_once_the_window_is_full(
    mix: Path, tmp_path: Path, processes: distributed.Processes, spoil: dict[int, float]
) -> None:
    made, source = learner_and_batches(mix, tmp_path, processes)
    spoil[1] = 1e4  # the window is not full: it is taken, and is in the window from then on
    taken = [made.update(next(source), 0.0) for _ in range(WINDOW)]
    assert [done.skipped for done in taken] == [None] * WINDOW
    middle = sorted(done.norm for done in taken)[1]
    for norm in (float("inf"), float("nan")):
        assert made.judge(1.0, norm) == "not_finite"
    assert made.judge(1.0, FACTOR * middle) is None
    assert made.judge(1.0, FACTOR * middle * 1.001) == "spike"
    spoil[WINDOW] = 1e3
    assert made.update(next(source), 0.0).skipped == "spike"
    assert len(made.norms) == WINDOW


def test_without_a_factor_only_what_is_not_finite_is_left_out(
    mix: Path, tmp_path: Path, processes: distributed.Processes, spoil: dict[int, float]
) -> None:
    made, source = learner_and_batches(mix, tmp_path, processes, factor=None)
    spoil[WINDOW] = 1e6
    assert [made.update(next(source), 0.0).skipped for _ in range(WINDOW + 1)] == [None] * (WINDOW + 1)


def test_after_so_many_in_a_row_the_run_ends_and_says_how_to_go_back(
    mix: Path,
    tmp_path: Path,
    processes: distributed.Processes,
    spoil: dict[int, float],
    stop: Stop,
    capfd: pytest.CaptureFixture[str],
) -> None:
    spoil |= {3: float("nan"), 4: float("nan"), **{call: float("nan") for call in (6, 7, 8)}}
    trainer = Trainer(config(mix, tmp_path), processes, stop)
    expected = (
        r"3 steps in a row were left out, the last step 8 \(rows 64 to 71 of the mix\): .*before the first, step 6"
    )
    with pytest.raises(RunError, match=expected):
        trainer.train()
    assert (
        "step 3 (rows 24 to 31 of the mix): loss nan, gradient norm nan: not_finite; left out" in capfd.readouterr().err
    )
    assert [read_record(path).rows for path in checkpoints(tmp_path)] == [16, 32, 48, 64]
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert ['"skipped": "not_finite"' in line for line in lines] == [False] * 3 + [True, True, False, True, True, True]


def test_the_window_goes_on_where_the_run_was_stopped(
    mix: Path, tmp_path: Path, processes: distributed.Processes, stop: Stop
) -> None:
    first = Trainer(config(mix, tmp_path), processes, stop)
    first.train()
    again = Trainer(config(mix, tmp_path), processes, stop)
    assert list(again.learner.norms) == list(first.learner.norms)
    assert len(again.learner.norms) == WINDOW


def test_a_few_rows_are_learned_by_heart(mix: Path, tmp_path: Path, processes: distributed.Processes) -> None:
    """The same batch two hundred times: below 0.1 nats a token, by the steps that a run takes."""
    rows = Mixture(str(mix))
    model = {"dim": 64, "n_heads": 4, "n_layers": 2, "multiple_of": 32}
    changes = {"model": model, "optim": {"clip": 1.0, "warmup_steps": 0}}
    asked = TrainConfig.model_validate({**config(mix, tmp_path, factor=None).model_dump(), **changes})
    made = Learner(asked, rows.footer, rows.domains, processes)
    made.model.init_weights(1)
    batch = next(batches(rows, batch_rows=8, start_row=0, first=0, steps=1, rank=0, world=1))
    losses = [made.update(batch, 5e-3).loss for _ in range(200)]
    assert losses[0] > 6  # the logarithm of 500 pieces, before anything is known
    assert losses[-1] < 0.1
