"""Recomputation and compilation: the same gradients, other memory, other work."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.errors import RecipeError
from llama_data.train_handoff.trainer.config import ModelConfig, load_config

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from llama_data.train_handoff.trainer.attention import document_mask  # noqa: E402
from llama_data.train_handoff.trainer.model import Compute, Llama  # noqa: E402

SMALL = ModelConfig(dim=32, n_heads=4, n_kv_heads=2, n_layers=3, vocab_size=64, seq_len=48, multiple_of=32)
IDS = torch.randint(0, 64, (2, 49), generator=torch.Generator().manual_seed(0))
TRACING = pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # dynamo asks for it and hides it itself
NAMES = ("none", "selective", "full")


class Held(TorchDispatchMode):
    """How often each operation is called, and the bytes of what was made and is still there."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self._made: dict[int, tuple[Any, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.calls[str(func)] += 1
        for value in tree_leaves(out):
            if isinstance(value, torch.Tensor):
                storage = value.untyped_storage()
                self._made[storage._cdata] = (weakref.ref(storage), storage.nbytes())
        return out

    def bytes(self) -> int:
        gc.collect()
        return sum(size for storage, size in self._made.values() if storage() is not None)


def small_model(compute: Compute) -> Llama:
    model = Llama(SMALL, compute)
    model.init_weights(1)
    if compute.backend is not None:
        for layer in model.layers:
            layer.compile(backend=compute.backend)
    return model.train()


def gradients(model: Llama, mask: Any) -> list[Any]:
    model.losses(IDS[:, :-1], IDS[:, 1:], mask).mean().backward()
    return [parameter.grad for parameter in model.parameters()]


@TRACING
@pytest.mark.parametrize("backend", [None, "aot_eager"])
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_the_same(backend: str | None, masked: bool) -> None:
    mask = document_mask(IDS[:, :-1], 5) if masked else None
    plain = gradients(small_model(Compute()), mask)
    for name in NAMES:
        found = gradients(small_model(Compute(recompute=name, loss_tokens=17, backend=backend)), mask)
        for ours, expected in zip(found, plain, strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-7)


def test_selective_keeps_less_than_all_and_multiplies_no_more() -> None:
    held, products, attention = {}, {}, {}
    for name in NAMES:
        model = small_model(Compute(recompute=name))
        with Held() as seen:
            losses = model.losses(IDS[:, :-1], IDS[:, 1:])
            held[name] = seen.bytes()
            losses.mean().backward()
        products[name] = seen.calls["aten.mm.default"]
        attention[name] = seen.calls["aten._scaled_dot_product_flash_attention_for_cpu.default"]
    assert held["full"] < 0.5 * held["selective"]
    assert held["selective"] < 0.8 * held["none"]
    assert products["selective"] == products["none"] < products["full"]
    assert attention["selective"] == attention["none"] == SMALL.n_layers
    assert attention["full"] == 2 * SMALL.n_layers


def test_a_model_that_does_not_train_computes_nothing_twice() -> None:
    model = small_model(Compute(recompute="full")).eval()
    with Held() as seen:
        model.losses(IDS[:, :-1], IDS[:, 1:]).mean().backward()
    assert seen.calls["aten._scaled_dot_product_flash_attention_for_cpu.default"] == SMALL.n_layers


@TRACING
def test_layers_of_one_shape_are_compiled_once() -> None:
    compiled = []

    def count(graph: Any, inputs: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    model = Llama(SMALL)
    model.init_weights(1)
    for layer in model.layers:
        layer.compile(backend=count)
    model(IDS[:, :-1])
    assert len(compiled) == 1


@pytest.mark.parametrize(("old", "new"), [("true", "full"), ("false", "none")])
def test_what_was_a_switch_is_named(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\nmodel: {{dim: 8, n_heads: 2, n_layers: 1}}\nrecompute: {old}\n")
    with pytest.raises(RecipeError, match=rf"mine\.yaml:3: recompute: write {new} for what was {old}, or selective"):
        load_config(str(file))
