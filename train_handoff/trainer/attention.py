"""Attention, and the document mask: attention that does not cross from one document of a packed row into another.

Three kernels, one result. ``sdpa`` takes the mask as a matrix (B, 1, S, S), which is the reference and what the CPU
computes. On CUDA a matrix would rule out the fused kernels: there ``varlen`` is told where the documents begin, and
``flex``, for float32, which blocks of the matrix are not empty.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from llama_data.pipeline.core.errors import RequestError

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask


class Segments(NamedTuple):
    """Documents of a micro-batch whose rows are laid end to end: where each begins, and at last where the last ends.

    ``longest``: tokens that none of them exceeds. (The row's length, so that compiled layers see the same number.)
    """

    starts: Tensor
    longest: int


Mask = Tensor | Segments  # or a BlockMask, which is a type of torch's own; None is causal without documents


def document_ids(ids: Tensor, bos: int) -> Tensor:
    """Number the documents of each row (B, S): a document begins at its BOS token."""
    return (ids == bos).cumsum(dim=1)


def documents_mask(documents: Tensor) -> Tensor:
    """Boolean mask (B, 1, S, S) of numbered documents, True where a token may look: not ahead, only at its own.

    Positions need not start again at each document, since rotary attention sees distances only.
    """
    same = documents[:, :, None] == documents[:, None, :]
    size = documents.shape[1]
    causal = torch.ones(size, size, dtype=torch.bool, device=documents.device).tril()
    return (same & causal)[:, None]


def document_mask(ids: Tensor, bos: int) -> Tensor:
    """Boolean mask (B, 1, S, S) of documents that begin at their BOS token."""
    return documents_mask(document_ids(ids, bos))


def segments(documents: Tensor) -> Segments:
    """Where the documents (B, S) begin. A row begins one, whether or not the document goes on from the row before."""
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    starts = begins.flatten().nonzero().flatten()
    end = starts.new_full((1,), documents.numel())
    return Segments(torch.cat([starts, end]).to(torch.int32), documents.shape[1])


def choose_kernel(asked: str, device: torch.device, dtype: torch.dtype) -> str:
    """The kernel for attention under a document mask; ``asked`` as ``TrainConfig.attention``.

    Raises RequestError when the one that was asked for does not run there.
    """
    cuda, half = device.type == "cuda", dtype in (torch.bfloat16, torch.float16)
    if asked == "auto":
        return ("varlen" if half else "flex") if cuda else "sdpa"
    if asked == "varlen" and not (cuda and half):
        raise RequestError(f"attention varlen runs on CUDA in bfloat16, not on {device.type} in {dtype}; use auto")
    if asked == "flex" and not cuda:
        raise RequestError("attention flex has no backward pass on the CPU; use auto")
    return asked


def mask_for(kernel: str, documents: Tensor, device: torch.device) -> Any:
    """What a kernel has to know of the documents (B, S). They are on the CPU, so that CUDA is not waited for."""
    if kernel == "sdpa":
        return documents_mask(documents.to(device, non_blocking=True))
    if kernel == "flex":
        return block_mask(documents.to(device, non_blocking=True))
    found = segments(documents)
    return Segments(found.starts.to(device, non_blocking=True), found.longest)


def block_mask(documents: Tensor) -> BlockMask:
    """The blocks of the mask that are not empty."""
    from torch.nn.attention.flex_attention import create_block_mask

    def may_look(row: Tensor, head: Tensor, here: Tensor, there: Tensor) -> Tensor:
        return (here >= there) & (documents[row, here] == documents[row, there])

    rows, size = documents.shape
    build = _compiled(create_block_mask) if documents.is_cuda else create_block_mask
    made: BlockMask = build(may_look, rows, None, size, size, device=documents.device)
    return made


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Any, *, grouped: bool) -> Tensor:
    """Causal attention of queries (B, H, S, K), to the keys and values that ``mask`` allows (None: all before).

    ``grouped``: there are fewer heads of keys and values, each for a group of query heads.
    """
    if isinstance(mask, Segments):
        from torch.nn.attention.varlen import varlen_attn

        shape = q.transpose(1, 2).shape
        q, k, v = (x.transpose(1, 2).flatten(0, 1) for x in (q, k, v))
        longest = mask.longest
        out = varlen_attn(
            q, k, v, mask.starts, mask.starts, longest, longest, window_size=(-1, 0), enable_gqa=grouped
        )  # fmt: skip
        assert isinstance(out, Tensor)
        return out.view(shape).transpose(1, 2)
    if mask is None or isinstance(mask, Tensor):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped)
    from torch.nn.attention.flex_attention import flex_attention

    # Not compiled, flex_attention would hold the matrix of scores.
    kernel = _compiled(flex_attention) if q.is_cuda and not torch.compiler.is_compiling() else flex_attention
    found: Tensor = kernel(q, k, v, block_mask=mask, enable_gqa=grouped)
    return found


@cache
def _compiled(function: Any) -> Any:
    return torch.compile(function, dynamic=False)
