"""The document mask: attention that does not cross from one document of a packed row into another."""

from __future__ import annotations

import torch
from torch import Tensor


def document_ids(ids: Tensor, bos: int) -> Tensor:
    """Number the documents of each row (B, S): a document begins at its BOS token."""
    return (ids == bos).cumsum(dim=1)


def document_mask(ids: Tensor, bos: int) -> Tensor:
    """Boolean mask (B, 1, S, S), True where a token may look: not ahead, and only at its own document.

    Positions need not start again at each document, since rotary attention sees distances only.
    """
    documents = document_ids(ids, bos)
    same = documents[:, :, None] == documents[:, None, :]
    causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
    return (same & causal)[:, None]
