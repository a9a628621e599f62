"""The chunked loss: the values and gradients of the whole one, and never the whole one's logits."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from llama_data.train_handoff.trainer.attention import document_ids  # noqa: E402
from llama_data.train_handoff.trainer.config import ModelConfig  # noqa: E402
from llama_data.train_handoff.trainer.learner import token_losses  # noqa: E402
from llama_data.train_handoff.trainer.loss import chunked_losses  # noqa: E402
from llama_data.train_handoff.trainer.model import Compute, Llama  # noqa: E402

TOKENS, DIM, VOCAB = 60, 16, 300
TINY = ModelConfig(dim=16, n_heads=2, n_layers=1, vocab_size=VOCAB, seq_len=30, multiple_of=16)


class Largest(TorchDispatchMode):
    """The largest tensor that anything made."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        sizes = [value.untyped_storage().nbytes() // 4 for value in tree_leaves(out) if isinstance(value, torch.Tensor)]
        self.elements = max([self.elements, *sizes])
        return out


def inputs(dtype: Any) -> tuple[Any, Any, Any, Any]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(TOKENS, DIM, generator=generator).to(dtype)
    weight = torch.randn(VOCAB, DIM, generator=generator).mul(0.3).to(dtype)
    targets = torch.randint(0, VOCAB, (TOKENS,), generator=generator)
    return hidden, weight, targets, torch.rand(TOKENS, generator=generator)


def exact(hidden: Any, weight: Any, targets: Any, upstream: Any) -> tuple[Any, ...]:
    """Losses and gradients in float64, by torch's own cross-entropy."""
    hidden, weight = hidden.double().requires_grad_(), weight.double().requires_grad_()
    losses = F.cross_entropy(hidden @ weight.t(), targets, reduction="none")
    (losses * upstream).sum().backward()
    return losses.detach(), hidden.grad, weight.grad


@pytest.mark.parametrize(
    ("at_a_time", "backend"),
    [(1, None), (7, None), (59, None), (60, None), (61, None), (None, None), (7, "aot_eager"), (None, "aot_eager")],
)
def test_losses_and_gradients_are_those_of_the_whole(at_a_time: int | None, backend: str | None) -> None:
    hidden, weight, targets, upstream = inputs(torch.float32)
    expected = exact(hidden, weight, targets, upstream)
    hidden, weight = hidden.requires_grad_(), weight.requires_grad_()
    losses = chunked_losses(hidden, weight, targets, at_a_time=at_a_time, backend=backend)
    (losses * upstream).sum().backward()
    for found, wanted in zip((losses.detach(), hidden.grad, weight.grad), expected, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)


def test_in_bfloat16_it_is_as_exact_as_the_whole_loss() -> None:
    hidden, weight, targets, upstream = inputs(torch.bfloat16)
    expected = exact(hidden, weight, targets, upstream)
    errors = []
    for at_a_time in (None, 4):
        one, two = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        losses = chunked_losses(one, two, targets, at_a_time=at_a_time)
        assert losses.dtype == torch.float32
        (losses * upstream).sum().backward()
        found = (losses.detach(), one.grad, two.grad)
        errors.append([float((a.double() - b).norm() / b.norm()) for a, b in zip(found, expected, strict=True)])
    whole, chunked = errors
    for ours, theirs in zip(chunked, whole, strict=True):
        assert ours < 1.2 * theirs


@pytest.mark.parametrize("tied", [False, True])
def test_logits_of_the_whole_micro_batch_are_never_there(tied: bool) -> None:
    ids = torch.randint(0, VOCAB, (2, 31), generator=torch.Generator().manual_seed(1))
    largest = {}
    for at_a_time in (None, 6):
        model = Llama(TINY.model_copy(update={"tied": tied}), Compute(loss_tokens=at_a_time))
        model.init_weights(1)
        with Largest() as seen:
            token_losses(model, ids).sum().backward()
        largest[at_a_time] = seen.elements
    assert largest[None] >= TOKENS * VOCAB
    assert largest[6] == VOCAB * DIM  # the head's weight and its gradient


def test_targets_have_weights_and_documents_may_be_given() -> None:
    model = Llama(TINY, Compute(loss_tokens=7))
    model.init_weights(1)
    ids = torch.randint(3, VOCAB, (2, 31), generator=torch.Generator().manual_seed(1))
    ids[0, 10] = ids[1, 20] = 1
    with torch.no_grad():
        plain, masked = token_losses(model, ids), token_losses(model, ids, 1)
        weights = torch.zeros(2, 30)
        weights[1, 5:] = 0.5
        torch.testing.assert_close(token_losses(model, ids, weights=weights), plain * weights)
        given = token_losses(model, ids, documents=document_ids(ids[:, :-1], 1))
        torch.testing.assert_close(given, masked)
        other = token_losses(model, ids, 1, documents=torch.zeros(2, 30, dtype=torch.int64))
        torch.testing.assert_close(other, plain)
    assert not torch.allclose(masked, plain)
