"""Attention under a document mask: what the kernels are told, and that they agree."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from llama_data.pipeline.core.errors import RequestError

torch = pytest.importorskip("torch")

from llama_data.train_handoff.trainer.attention import (  # noqa: E402
    attend,
    block_mask,
    choose_kernel,
    document_ids,
    documents_mask,
    mask_for,
    segments,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
BOS = 1


@pytest.mark.parametrize(
    ("rows", "starts"),
    [
        ([[1, 5, 5, 1, 5, 5]], [0, 3, 6]),
        ([[5, 5, 5, 1, 5, 5]], [0, 3, 6]),  # the first document goes on from the row before
        ([[1, 1, 5, 5, 5, 1]], [0, 1, 5, 6]),  # documents of one token, at the row's end too
        ([[5, 5, 5, 5, 5, 5]], [0, 6]),
        ([[5, 5, 1], [5, 1, 5]], [0, 2, 3, 4, 6]),  # a row begins a document although its first id is no BOS
        ([[1, 5, 5], [1, 5, 5]], [0, 3, 6]),
        ([[1], [1]], [0, 1, 2]),
    ],
)
def test_documents_begin_at_bos_and_at_the_row(rows: list[list[int]], starts: list[int]) -> None:
    found = segments(document_ids(torch.tensor(rows), BOS))
    assert found.starts.tolist() == starts
    assert found.starts.dtype == torch.int32
    assert found.longest == len(rows[0])


def test_documents_may_have_any_numbers() -> None:
    assert segments(torch.tensor([[7, 7, 3, 3], [3, 3, 7, 3]])).starts.tolist() == [0, 2, 4, 6, 7, 8]


def test_the_segments_allow_what_the_matrix_does() -> None:
    ids = torch.randint(1, 6, (3, 40), generator=torch.Generator().manual_seed(3))
    documents = document_ids(ids, BOS)
    allowed = torch.zeros(120, 120, dtype=torch.bool)
    starts = segments(documents).starts.tolist()
    for begin, end in pairwise(starts):
        allowed[begin:end, begin:end] = torch.ones(end - begin, end - begin, dtype=torch.bool).tril()
    expected = torch.block_diag(*documents_mask(documents)[:, 0].int()).bool()
    assert torch.equal(allowed, expected)


def test_every_device_has_its_kernel() -> None:
    assert choose_kernel("auto", CPU, torch.bfloat16) == "sdpa"
    assert choose_kernel("auto", CUDA, torch.bfloat16) == "varlen"
    assert choose_kernel("auto", CUDA, torch.float32) == "flex"
    assert choose_kernel("sdpa", CUDA, torch.bfloat16) == "sdpa"
    for asked, device, dtype, why in (
        ("varlen", CPU, torch.bfloat16, "varlen runs on CUDA in bfloat16, not on cpu in torch.bfloat16"),
        ("varlen", CUDA, torch.float32, "varlen runs on CUDA in bfloat16, not on cuda in torch.float32"),
        ("flex", CPU, torch.float32, "flex has no backward pass on the CPU"),
    ):
        with pytest.raises(RequestError, match=why):
            choose_kernel(asked, device, dtype)


def heads(device: Any, dtype: Any) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(5)
    shapes = ((2, 4, 200, 32), (2, 2, 200, 32), (2, 2, 200, 32))
    return tuple(torch.randn(shape, generator=generator).to(device, dtype).requires_grad_() for shape in shapes)


def packed_documents() -> Any:
    ids = torch.randint(1, 60, (2, 200), generator=torch.Generator().manual_seed(6))
    return document_ids(ids, BOS)


@pytest.mark.filterwarnings("ignore:.*flex_attention called without torch.compile")
def test_flex_computes_what_the_matrix_does() -> None:
    documents = packed_documents()
    q, k, v = (x.detach() for x in heads(CPU, torch.float32))
    expected = attend(q, k, v, documents_mask(documents), grouped=True)
    found = attend(q, k, v, block_mask(documents), grouped=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize(("kernel", "dtype"), [("varlen", "bfloat16"), ("flex", "float32")])
def test_on_cuda_the_kernels_compute_what_the_matrix_does(kernel: str, dtype: str) -> None:
    documents = packed_documents()
    found = []
    for name in ("sdpa", kernel):
        q, k, v = heads(CUDA, getattr(torch, dtype))
        out = attend(q, k, v, mask_for(name, documents, CUDA), grouped=True)
        out.float().square().sum().backward()
        found.append([x.float() for x in (out, q.grad, k.grad, v.grad)])
    for expected, value in zip(*found, strict=True):
        error = float((value - expected).norm() / expected.norm())
        assert error < (1e-2 if dtype == "bfloat16" else 1e-3)
