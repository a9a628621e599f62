"""The document mask: attention that does not cross from one document of a packed row into another."""

from __future__ import annotations

import torch
from torch import Tensor


def document_ids(ids: Tensor, bos: int) -> Tensor:
    """Number the documents of each row (B, S): a document begins at its BOS token."""
    return (ids == bos).cumsum(dim=1)


def document_mask(ids: Tensor, bos: int) -> Tensor:
    """The mask of rows whose documents begin at their BOS tokens; see ``mask_of``."""
    return mask_of(document_ids(ids, bos))


def mask_of(documents: Tensor) -> Tensor:
    """Boolean mask (B, 1, S, S), True where a token may look: not ahead, and only at its own of ``documents`` (B, S).

    Positions need not start again at each document, since rotary attention sees distances only.
    """
    same = documents[:, :, None] == documents[:, None, :]
    causal = torch.ones(documents.shape[1], documents.shape[1], dtype=torch.bool, device=documents.device).tril()
    return (same & causal)[:, None]
