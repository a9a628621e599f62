"""The arithmetic that a token costs, which utilisation is measured against."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from llama_data.train_handoff.trainer.config import load_config
from llama_data.train_handoff.trainer.metrics import flops_per_token


@pytest.mark.parametrize(
    ("name", "parameters", "attention"),
    # 12 x layers x dim x 2,048 positions.
    [("7b", 6_738_415_616, 3_221_225_472), ("13b", 13_015_864_320, 5_033_164_800)],
)
def test_a_token_costs_six_times_the_parameters_and_its_attention(name: str, parameters: int, attention: int) -> None:
    model = load_config(name).model.model_copy(update={"vocab_size": 32_000})
    assert flops_per_token(model, 2048) == 6 * parameters + attention
    assert flops_per_token(model, 1024) == 6 * parameters + attention / 2
