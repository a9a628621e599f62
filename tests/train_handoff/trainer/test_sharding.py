"""What a process holds while it works: shards of the gradient, rotary tables in float32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from llama_data.train_handoff.mix.plan import Mixture  # noqa: E402
from llama_data.train_handoff.trainer import distributed  # noqa: E402
from llama_data.train_handoff.trainer import learner as learners  # noqa: E402
from llama_data.train_handoff.trainer import model as models  # noqa: E402
from llama_data.train_handoff.trainer.config import TrainConfig  # noqa: E402
from llama_data.train_handoff.trainer.learner import Learner  # noqa: E402
from llama_data.train_handoff.trainer.loader import batches  # noqa: E402


def config(mix: Path, **changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "name": "test",
        "data": str(mix),
        "model": {"dim": 32, "n_heads": 2, "n_layers": 1, "multiple_of": 32},
        "batch_tokens": 8 * 32,
        "micro_rows": 2,
        "dtype": "float32",
        "device": "cpu",
        **changes,
    }
    return TrainConfig.model_validate(values)


@pytest.fixture
def processes(mix: Path) -> Iterator[distributed.Processes]:
    yield distributed.start(config(mix))
    distributed.stop()


def learner_of(asked: TrainConfig, mix: Path, processes: distributed.Processes) -> tuple[Learner, Any]:
    rows = Mixture(str(mix))
    learner = Learner(asked, rows.footer, rows.domains, processes)
    learner.model.init_weights(1)
    return learner, next(batches(rows, batch_rows=8, start_row=0, first=0, steps=1, rank=0, world=1))


def test_no_process_holds_the_whole_gradient_between_micro_batches(
    mix: Path, processes: distributed.Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, batch = learner_of(config(mix), mix, processes)
    held: list[bool] = []
    summed: list[set[tuple[bool, bool]]] = []  # over shards, and over copies
    hidden = models.Llama._hidden

    def look(self: Any, *arguments: Any) -> Any:
        groups = [
            module._get_fsdp_state()._fsdp_param_group
            for module in self.modules()
            if hasattr(module, "_get_fsdp_state")
        ]
        summed.append({(group.reduce_grads, group.all_reduce_grads) for group in groups if group is not None})
        parameters = [parameter for group in groups if group is not None for parameter in group.fsdp_params]
        assert parameters
        whole = [
            (parameter.unsharded_accumulated_grad, parameter._unsharded_param.grad)
            for parameter in parameters
            if hasattr(parameter, "_unsharded_param")
        ]
        held.append(any(gradient is not None for pair in whole for gradient in pair))
        assert whole or not held[1:]
        return hidden(self, *arguments)

    monkeypatch.setattr(models.Llama, "_hidden", look)
    learner.update(batch, 1e-3)
    assert held == [False] * 4
    assert summed == [*[{(True, False)}] * 3, {(True, True)}]


def test_rotary_tables_stay_float32_when_the_rest_is_bfloat16(
    mix: Path, processes: distributed.Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, batch = learner_of(config(mix, dtype="bfloat16"), mix, processes)
    seen: list[tuple[Any, ...]] = []
    rotate = models.rotate

    def look(x: Any, cos: Any, sin: Any) -> Any:
        seen.append((x.dtype, cos.dtype, sin.dtype))
        return rotate(x, cos, sin)

    monkeypatch.setattr(models, "rotate", look)
    learner.update(batch, 1e-3)
    assert set(seen) == {(torch.bfloat16, torch.float32, torch.float32)}


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # dynamo asks for it and hides it itself
@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
def test_a_compiled_step_is_the_step(
    recompute: str, mix: Path, processes: distributed.Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learners, "BACKEND", "aot_eager")
    found = []
    for compiled in (False, True):
        chosen = {"recompute": recompute if compiled else "none", "loss_tokens": 24 if compiled else None}
        asked = config(mix, compile=compiled, document_mask=True, **chosen)
        learner, batch = learner_of(asked, mix, processes)
        learner.model.train()
        found.append([learner.update(batch, 1e-3) for _ in range(3)])
    for ours, expected in zip(*found, strict=True):
        assert ours.loss == pytest.approx(expected.loss, rel=1e-6)
        assert ours.norm == pytest.approx(expected.norm, rel=1e-5)
