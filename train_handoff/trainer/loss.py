"""Cross-entropy of next tokens whose logits are never held together.

At 32,000 pieces the logits of 2,048 tokens are 262 MB in float32, of four rows over 1 GB, and the backward pass wants
them two or three times. So a chunk of tokens is taken at a time, and its logits are computed again in the
backward pass.

torch has ``F.linear_cross_entropy`` for this. In float32 it agrees with ours; in bfloat16 it rounds the losses of the
tokens to bfloat16 and adds the chunks' gradients of the head up in bfloat16 (0.4 % off where one multiplication is
0.2 %), and under torch.compile it falls back to eager. Here losses are float32 and the sum over chunks is too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# N tokens, D dim, V vocabulary.


def chunked_losses(
    hidden: Tensor, weight: Tensor, targets: Tensor, *, at_a_time: int | None, backend: str | None = None
) -> Tensor:
    """Losses (N), float32, nats, of ``targets`` (N) under the logits ``hidden`` (N, D) x ``weight`` (V, D).

    ``at_a_time``: of so many tokens the logits are held (None: of all); where that is enough for all, nothing is
    computed twice. ``backend``: compile what happens to a chunk.
    """
    count = len(targets)
    if at_a_time is None or at_a_time >= count:
        whole: Tensor = _maybe_compiled(_losses, backend)(hidden, weight, targets)
        return whole
    chunks = -(-count // at_a_time)
    found: Tensor = _Chunked.apply(hidden, weight, targets, -(-count // chunks), backend)  # type: ignore[no-untyped-call]
    return found


def _losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(F.linear(hidden, weight).float(), targets, reduction="none")


def _gradients(hidden: Tensor, weight: Tensor, targets: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of a chunk's hidden values and of the weight."""
    slope = F.linear(hidden, weight).float().softmax(1)
    slope.scatter_add_(1, targets[:, None], slope.new_full((len(targets), 1), -1.0))
    slope = (slope * upstream[:, None]).to(weight.dtype)
    return slope @ weight, slope.t() @ hidden


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, size: int, backend: str | None) -> Tensor:
        ctx.save_for_backward(hidden, weight, targets)
        ctx.size, ctx.backend = size, backend
        losses = _maybe_compiled(_losses, backend)
        pieces = zip(torch.split(hidden, size), torch.split(targets, size), strict=True)
        return torch.cat([losses(piece, weight, wanted) for piece, wanted in pieces])

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        hidden, weight, targets = ctx.saved_tensors
        gradients = _maybe_compiled(_gradients, ctx.backend)
        to_hidden = torch.empty_like(hidden)
        to_weight = torch.zeros_like(weight, dtype=torch.float32)
        pieces = (torch.split(x, ctx.size) for x in (to_hidden, hidden, targets, upstream))
        for out, piece, wanted, slope in zip(*pieces, strict=True):
            to_piece, of_weight = gradients(piece, weight, wanted, slope)
            out.copy_(to_piece)
            to_weight += of_weight
        return to_hidden, to_weight.to(weight.dtype), None, None, None


def _maybe_compiled(function: Callable[..., Any], backend: str | None) -> Callable[..., Any]:
    return function if backend is None else _compiled(function, backend)


@cache
def _compiled(function: Callable[..., Any], backend: str) -> Callable[..., Any]:
    return torch.compile(function, backend=backend, dynamic=False)
