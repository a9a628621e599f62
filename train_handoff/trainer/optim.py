"""AdamW, the learning-rate schedule, and gradient clipping."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from llama_data.train_handoff.trainer.config import OptimConfig

if TYPE_CHECKING:
    from torch.optim import Optimizer


def learning_rate(row: int, total: int, batch_rows: int, warmup_rows: int, config: OptimConfig) -> float:
    """Rate of the step that begins at ``row``: linear warm-up, then a cosine that ends at ``min_lr_ratio`` x lr.

    Counted in rows of the mix, of which the schedule has ``total`` and the warm-up ``warmup_rows``, so that a run that
    goes on with another batch stays on it. The last batch, of ``batch_rows``, has the lowest rate.
    """
    if row < warmup_rows:
        return config.lr * min(1.0, (row + batch_rows) / warmup_rows)
    span = max(batch_rows, total - batch_rows - warmup_rows)
    progress = min(1.0, (row - warmup_rows) / span)
    low = config.min_lr_ratio
    return config.lr * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress)))


def make_optimizer(model: nn.Module, config: OptimConfig) -> Optimizer:
    """AdamW; norms are not decayed (the paper does not say), everything else is."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Give all parameter groups the same rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip_gradients(model: nn.Module, limit: float | None) -> float:
    """Clip the global gradient norm to ``limit`` (None: only measure) and return the norm before clipping."""
    norm = nn.utils.clip_grad_norm_(model.parameters(), math.inf if limit is None else limit)
    full = getattr(norm, "full_tensor", None)
    return float(full() if full is not None else norm)
