"""AdamW, with states in float32 or bfloat16, the learning-rate schedule, and gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from llama_data.train_handoff.trainer.config import OptimConfig
from llama_data.train_handoff.trainer.draws import bits, key_of, local_slices


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


class RoundedAdamW(Optimizer):
    """AdamW on parameters and moments in bfloat16, which are rounded stochastically as they are written back.

    bfloat16 has 8 bits of precision: an update under 1/512 of a value would be lost to the nearest, and all of them
    with it. Rounded up with the probability of what is cut off, a value is right in the mean. A step is computed in
    float32. What is drawn depends on the seed, the step, the parameter and the place in it, so that a step is the same
    on any number of processes, and the same again when it is taken from a checkpoint. Gradients are float32.
    """

    def __init__(self, groups: list[dict[str, Any]], config: OptimConfig, seed: int) -> None:
        super().__init__(groups, {"lr": config.lr, "betas": (config.beta1, config.beta2), "eps": config.eps})
        self._seed = seed
        for parameter in self._parameters():
            parameter.grad_dtype = None  # torch would have the gradient in the parameter's type
            parameter.register_post_accumulate_grad_hook(_to_float32)  # type: ignore[no-untyped-call]

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take a step with the gradients that there are."""
        number = 0
        for group in self.param_groups:
            for parameter in group["params"]:
                number += 1
                if parameter.grad is not None:
                    self._update(parameter, group, number)

    def _update(self, parameter: Tensor, group: dict[str, Any], number: int) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        step, (beta1, beta2) = int(state["step"]), group["betas"]
        key = key_of(self._seed, step, number)
        slope = _local(parameter.grad).view(-1)
        moments = local_slices(state["exp_avg"]), local_slices(state["exp_avg_sq"])
        taken = 0
        for (values, begin), (mean, _), (square, _) in zip(local_slices(parameter), *moments, strict=True):
            gradient = slope[taken : taken + values.numel()].float()
            taken += values.numel()
            drawn = bits(key, torch.arange(begin, begin + values.numel(), device=values.device))
            first = mean.float().lerp_(gradient, 1 - beta1)
            second = square.float().mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            size = (second / (1 - beta2**step)).sqrt_().add_(group["eps"])
            new = values.float().mul_(1 - group["lr"] * group["weight_decay"])
            new.addcdiv_(first, size, value=-group["lr"] / (1 - beta1**step))
            for where, value, shift in ((values, new, 0), (mean, first, 16), (square, second, 32)):
                where.copy_(round_to_bfloat16(value, drawn >> shift))


def round_to_bfloat16(value: Tensor, drawn: Tensor) -> Tensor:
    """Round float32 to one of the two neighbours in bfloat16, by the low 16 bits of ``drawn`` (int64).

    The lower bits of a float32 are the share of the way to the next bfloat16: a draw over it rounds up.
    """
    up = (value.view(torch.int32) + (drawn & 0xFFFF).to(torch.int32)) & -0x10000
    return up.view(torch.float32).to(torch.bfloat16)


def _to_float32(parameter: Tensor) -> None:
    """Have gradients of the micro-batches added up in float32; in bfloat16 the later ones would be lost."""
    if parameter.grad is not None:
        parameter.grad = parameter.grad.float()


def _local(value: Tensor | None) -> Tensor:
    assert value is not None
    return value.to_local() if isinstance(value, DTensor) else value


def make_optimizer(model: nn.Module, config: OptimConfig, seed: int = 1) -> Optimizer:
    """AdamW; norms are not decayed (the paper does not say), everything else is. ``seed``: of stochastic rounding."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if config.states == "bfloat16":
        return RoundedAdamW(groups, config, seed)
    return torch.optim.AdamW(groups, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps, fused=True)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Give all parameter groups the same rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip_gradients(model: nn.Module, limit: float | None) -> float:
    """Clip the global gradient norm to ``limit`` (None: only measure) and return the norm before clipping."""
    norm = nn.utils.clip_grad_norm_(model.parameters(), math.inf if limit is None else limit)
    full = getattr(norm, "full_tensor", None)
    return float(full() if full is not None else norm)
