"""AdamW, the learning-rate schedule, and gradient clipping."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from llama_data.train_handoff.trainer.config import OptimConfig

if TYPE_CHECKING:
    from torch.optim import Optimizer


def learning_rate(step: int, total: int, config: OptimConfig) -> float:
    """Rate of a step (from 0): linear warm-up, then a cosine that ends at ``min_lr_ratio`` x lr on the last step."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    span = max(1, total - 1 - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / span)
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
