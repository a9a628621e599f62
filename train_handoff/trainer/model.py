"""LLaMA (arXiv:2302.13971, section 2.2): RMSNorm before each sub-layer, SwiGLU, rotary positions.

The output head is a matrix of its own, as in the paper, or the embedding where the configuration says ``tied``.
"""

from __future__ import annotations

import math
from itertools import repeat

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.past import Past, may_look

# Shapes: B rows of the micro-batch, S tokens, D dim, H heads, K head size, V vocabulary.


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

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, past: Past | None = None) -> Tensor:
        """``mask`` (B, 1, S, S), True where a token may look; None means causal. ``past``: what stands before ``x``."""
        q, k, v = (proj(x).unflatten(-1, (-1, self.head_dim)) for proj in (self.wq, self.wk, self.wv))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        if past is not None:
            k, v = past.extend(k, v)
        causal = mask is None
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=self.grouped)
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

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.dim, eps=config.norm_eps)
        self.attention = Attention(config)
        self.ffn_norm = nn.RMSNorm(config.dim, eps=config.norm_eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, past: Past | None = None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, mask, past)
        out: Tensor = x + self.feed_forward(self.ffn_norm(x))
        return out


class Llama(nn.Module):
    """The whole model. Build it on the meta device, shard it, ``to_empty`` it, then call ``init_weights``.

    (Or ``init_tables`` alone, when the parameters are loaded.)
    """

    def __init__(self, config: ModelConfig, recompute: str = "none") -> None:
        super().__init__()
        if config.vocab_size is None or config.seq_len is None:
            raise ValueError("vocab_size and seq_len must be set before the model is built")
        self.config = config
        self.seq_len = config.seq_len
        self.recompute = recompute
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = nn.RMSNorm(config.dim, eps=config.norm_eps)
        self.output = None if config.tied else nn.Linear(config.dim, config.vocab_size, bias=False)
        half = config.dim // config.n_heads // 2
        self.register_buffer("cos", torch.empty(self.seq_len, half, dtype=torch.float32), persistent=False)
        self.register_buffer("sin", torch.empty(self.seq_len, half, dtype=torch.float32), persistent=False)
        self.cos: Tensor
        self.sin: Tensor

    def forward(self, ids: Tensor, mask: Tensor | None = None, past: list[Past] | None = None) -> Tensor:
        """Token ids (B, S) to logits (B, S, V). With a ``past`` the ids stand after what it holds, and are added."""
        x = self.tok_embeddings(ids)
        start, count = past[0].length if past else 0, ids.shape[1]
        cos, sin = self.cos[start : start + count], self.sin[start : start + count]
        if start:
            mask = may_look(start, count, ids.device)
        for layer, before in zip(self.layers, past or repeat(None), strict=False):
            if self.recompute != "none" and self.training:
                x = checkpoint(layer, x, cos, sin, mask, use_reentrant=False)
            else:
                x = layer(x, cos, sin, mask, before)
        x = self.norm(x)
        logits: Tensor = F.linear(x, self.tok_embeddings.weight) if self.output is None else self.output(x)
        return logits

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

        Each parameter is drawn whole from a generator of its own on the CPU, so that the values depend on the
        seed only, not on how many processes share them or on what device.
        """
        config = self.config
        self.init_tables()
        for index, (name, parameter) in enumerate(self.named_parameters()):
            if parameter.dim() == 1:
                parameter.fill_(1.0)
                continue
            residual = name.endswith(("attention.wo.weight", "feed_forward.w2.weight"))
            std = config.init_std / math.sqrt(2 * config.n_layers) if residual else config.init_std
            generator = torch.Generator().manual_seed(seed * 1_000_003 + index)
            _copy_shard(parameter, torch.empty(parameter.shape).normal_(0.0, std, generator=generator))


def _copy_shard(parameter: Tensor, full: Tensor) -> None:
    """Copy ``full`` into a parameter, or into this process's shard of a distributed one."""
    from torch.distributed.tensor import DTensor, Shard

    if not isinstance(parameter, DTensor):
        parameter.copy_(full)
        return
    local, mesh = full, parameter.device_mesh
    for mesh_dim, placement in enumerate(parameter.placements):
        if isinstance(placement, Shard):
            pieces = list(local.chunk(mesh.size(mesh_dim), dim=placement.dim))
            rank = mesh.get_local_rank(mesh_dim)
            local = pieces[rank] if rank < len(pieces) else local.narrow(placement.dim, 0, 0)
    parameter.to_local().copy_(local)
