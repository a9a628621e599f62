"""LLaMA (arXiv:2302.13971, section 2.2): RMSNorm before each sub-layer, SwiGLU, rotary positions.

The output head is a matrix of its own, as in the paper, or the embedding where the configuration says ``tied``. What
a step needs memory for is decided here too: which activations are computed again, and how many logits there are at a
time.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

from llama_data.train_handoff.trainer.attention import attend
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.draws import key_of, local_slices, normal
from llama_data.train_handoff.trainer.loss import chunked_losses
from llama_data.train_handoff.trainer.past import Past, may_look

# Shapes: B rows of the micro-batch, S tokens, D dim, H heads, K head size, V vocabulary.

_ATEN = torch.ops.aten
# What is expensive to compute, and kept by ``recompute: selective``: linear layers, and attention as any device has it.
KEPT = [
    _ATEN.mm.default,
    _ATEN.bmm.default,
    _ATEN._scaled_dot_product_flash_attention.default,
    _ATEN._scaled_dot_product_flash_attention_for_cpu.default,
    _ATEN._scaled_dot_product_efficient_attention.default,
    _ATEN._scaled_dot_product_cudnn_attention.default,
    torch.ops.higher_order.flex_attention,
]


EMBEDDING_NORM_EPS = 1e-5  # torch's own default, and Open-Llama's


class Compute(NamedTuple):
    """How a step is computed; what comes out is the same. See ``TrainConfig`` for ``recompute`` and ``loss_tokens``.

    ``attention``: the kernel under a document mask. ``backend``: torch.compile's, for each layer and the loss; None:
    nothing is compiled.
    """

    recompute: str = "none"
    loss_tokens: int | None = None
    attention: str = "sdpa"
    backend: str | None = None


def rotary_table(head_dim: int, seq_len: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary angles, float32, each of shape (S, K / 2)."""
    frequencies = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angles = torch.outer(torch.arange(seq_len, dtype=torch.float32), frequencies)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn neighbouring pairs of ``x`` (B, S, H, K) by the angles of their position, in float32."""
    even, odd = x.float().view(*x.shape[:-1], -1, 2).unbind(-1)
    cos, sin = cos[:, None, :], sin[:, None, :]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2).type_as(x)


class Attention(nn.Module):
    """Multi-head causal self-attention without biases; groups of query heads may share a key and value head."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_dim = config.dim // config.n_heads
        self.grouped = config.kv_heads != config.n_heads
        self.wq = nn.Linear(config.dim, config.dim, bias=False)
        self.wk = nn.Linear(config.dim, config.kv_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(config.dim, config.kv_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(config.dim, config.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Any, past: Past | None = None) -> Tensor:
        """``mask``: as ``attend`` takes it; None means causal. ``past``: what stands before ``x``."""
        q, k, v = (proj(x).unflatten(-1, (-1, self.head_dim)) for proj in (self.wq, self.wk, self.wv))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        if past is not None:
            k, v = past.extend(k, v)
        out = attend(q, k, v, mask, grouped=self.grouped)
        projected: Tensor = self.wo(out.transpose(1, 2).flatten(-2))
        return projected


class FeedForward(nn.Module):
    """SwiGLU: ``w2(silu(w1 x) * w3 x)``."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.w1 = nn.Linear(config.dim, config.hidden_dim, bias=False)
        self.w2 = nn.Linear(config.hidden_dim, config.dim, bias=False)
        self.w3 = nn.Linear(config.dim, config.hidden_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.w2(F.silu(self.w1(x)) * self.w3(x))
        return projected


class Block(nn.Module):
    """One layer: attention and feed-forward, each after an RMSNorm and added to the stream."""

    def __init__(self, config: ModelConfig, recompute: str = "none") -> None:
        super().__init__()
        self.recompute = recompute
        self.attention_norm = nn.RMSNorm(config.dim, eps=config.norm_eps)
        self.attention = Attention(config)
        self.ffn_norm = nn.RMSNorm(config.dim, eps=config.norm_eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Any, past: Past | None = None) -> Tensor:
        if self.recompute == "none" or not self.training:
            return self.layer(x, cos, sin, mask, past)
        # Here, inside the module, a compiled layer sees what is computed again and what is kept.
        kept = {"context_fn": partial(create_selective_checkpoint_contexts, KEPT)}
        options: dict[str, Any] = kept if self.recompute == "selective" else {}
        out: Tensor = checkpoint(
            self.layer, x, cos, sin, mask, use_reentrant=False, preserve_rng_state=False, **options
        )  # fmt: skip
        return out

    def layer(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Any, past: Past | None = None) -> Tensor:
        """The layer itself; ``forward`` decides what of it is computed twice."""
        x = x + self.attention(self.attention_norm(x), cos, sin, mask, past)
        out: Tensor = x + self.feed_forward(self.ffn_norm(x))
        return out


class Llama(nn.Module):
    """The whole model. Build it on the meta device, shard it, ``to_empty`` it, then call ``init_weights``.

    (Or ``init_tables`` alone, when the parameters are loaded.)
    """

    def __init__(self, config: ModelConfig, compute: Compute | None = None) -> None:
        super().__init__()
        if config.vocab_size is None or config.seq_len is None:
            raise ValueError("vocab_size and seq_len must be set before the model is built")
        self.config = config
        self.seq_len = config.seq_len
        self.compute = compute or Compute()
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.embedding_norm = nn.LayerNorm(config.dim, eps=EMBEDDING_NORM_EPS) if config.embedding_norm else None
        self.layers = nn.ModuleList(Block(config, self.compute.recompute) for _ in range(config.n_layers))
        self.norm = nn.RMSNorm(config.dim, eps=config.norm_eps)
        self.output = None if config.tied else nn.Linear(config.dim, config.vocab_size, bias=False)
        half = config.dim // config.n_heads // 2
        self.register_buffer("cos", torch.empty(self.seq_len, half, dtype=torch.float32), persistent=False)
        self.register_buffer("sin", torch.empty(self.seq_len, half, dtype=torch.float32), persistent=False)
        self.cos: Tensor
        self.sin: Tensor

    def forward(self, ids: Tensor, mask: Any = None, past: list[Past] | None = None) -> Tensor:
        """Token ids (B, S) to logits (B, S, V). With a ``past`` the ids stand after what it holds, and are added.

        ``mask``: as ``attend`` takes it; None means causal.
        """
        x = self._hidden(ids, mask, past)
        logits: Tensor = F.linear(x, self.tok_embeddings.weight) if self.output is None else self.output(x)
        return logits

    def losses(self, ids: Tensor, targets: Tensor, mask: Any = None) -> Tensor:
        """Cross-entropy (B x S), float32, nats, of the ``targets`` (B, S) that come after the ids (B, S)."""
        hidden = self._hidden(ids, mask, None)
        head = self.tok_embeddings if self.output is None else self.output
        at_a_time, backend = self.compute.loss_tokens, self.compute.backend
        return chunked_losses(
            hidden.flatten(0, 1), head.weight, targets.flatten(), at_a_time=at_a_time, backend=backend
        )

    def _hidden(self, ids: Tensor, mask: Any, past: list[Past] | None) -> Tensor:
        """What the output head reads (B, S, D)."""
        x: Tensor = self.tok_embeddings(ids)
        if self.embedding_norm is not None:
            x = self.embedding_norm(x)
        start, count = past[0].length if past else 0, ids.shape[1]
        cos, sin = self.cos[start : start + count], self.sin[start : start + count]
        if start:
            mask = may_look(start, count, ids.device)
        for layer, before in zip(self.layers, past or repeat(None), strict=False):
            x = layer(x, cos, sin, mask, before)
        out: Tensor = self.norm(x)
        return out

    @torch.no_grad()
    def init_tables(self) -> None:
        """Fill what is not a parameter: the rotary tables."""
        config = self.config
        cos, sin = rotary_table(config.dim // config.n_heads, self.seq_len, config.rope_theta)
        self.cos.copy_(cos)
        self.sin.copy_(sin)

    @torch.no_grad()
    def init_weights(self, seed: int) -> None:
        """Fill the parameters: normal with ``init_std``, residual projections scaled by 1 / sqrt(2 x layers).

        A value depends on the seed, the parameter and its place in it only: each process draws its own shard, on its
        device, and all have the model that one process would have.
        """
        config = self.config
        self.init_tables()
        for index, (name, parameter) in enumerate(self.named_parameters()):
            residual = name.endswith(("attention.wo.weight", "feed_forward.w2.weight"))
            std = config.init_std / math.sqrt(2 * config.n_layers) if residual else config.init_std
            key = key_of(seed, index)
            for values, begin in local_slices(parameter):
                if parameter.dim() == 1:
                    values.fill_(0.0 if name.endswith("bias") else 1.0)
                else:
                    values.copy_(normal(key, begin, values.numel(), values.device).mul_(std))
