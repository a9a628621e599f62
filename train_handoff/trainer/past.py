"""Keys and values of what a model has read, so that each further token is read alone."""

from __future__ import annotations

import torch
from torch import Tensor

from llama_data.train_handoff.trainer.config import ModelConfig


class Past:
    """Keys and values of one layer (B, heads, S, K), of which the first ``length`` positions are filled."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys = keys
        self.values = values
        self.length = 0

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the keys and values of the next positions; returns those of all so far."""
        start, self.length = self.length, self.length + keys.shape[2]
        self.keys[:, :, start : self.length] = keys
        self.values[:, :, start : self.length] = values
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]


def empty_past(config: ModelConfig, like: Tensor) -> list[Past]:
    """A past of each layer for one row of ``config.seq_len`` tokens, on the device and of the type of ``like``."""
    assert config.seq_len is not None
    shape = (1, config.kv_heads, config.seq_len, config.dim // config.n_heads)
    return [Past(like.new_empty(shape), like.new_empty(shape)) for _ in range(config.n_layers)]


def may_look(start: int, count: int, device: torch.device) -> Tensor:
    """Mask (count, start + count) of the positions from ``start`` on: True up to a token's own position."""
    return torch.ones(count, start + count, dtype=torch.bool, device=device).tril(start)
