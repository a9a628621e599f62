"""EasyLM's weights: read back by a reader of the format that needs nothing, and by flax where it is installed."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.record import find_checkpoint

torch = pytest.importorskip("torch")

from llama_data.train_handoff.trainer import easylm  # noqa: E402
from llama_data.train_handoff.trainer.huggingface.export import load_model  # noqa: E402

MakeModel = Callable[..., Path]


class Reader:
    """Values of a msgpack stream, by the published table of formats; an extension is (type, bytes)."""

    def __init__(self, data: bytes) -> None:
        self.stream, self.size = io.BytesIO(data), len(data)

    def __iter__(self) -> Reader:
        return self

    def __next__(self) -> Any:
        if self.stream.tell() == self.size:
            raise StopIteration
        return self.value()

    def take(self, size: int) -> bytes:
        data = self.stream.read(size)
        assert len(data) == size, "cut short"
        return data

    def number(self, form: str) -> int:
        return int(struct.unpack(f">{form}", self.take(struct.calcsize(f">{form}")))[0])

    def value(self) -> Any:
        first = self.take(1)[0]
        if first < 0x80:
            return first
        if first < 0x90:
            return {self.value(): self.value() for _ in range(first & 0x0F)}
        if first < 0xA0:
            return [self.value() for _ in range(first & 0x0F)]
        if first < 0xC0:
            return self.take(first & 0x1F).decode()
        if first in (0xC2, 0xC3):
            return first == 0xC3
        if first in (0xC4, 0xC5, 0xC6):
            return self.take(self.number("BHI"[first - 0xC4]))
        if first in (0xC7, 0xC8, 0xC9):
            size = self.number("BHI"[first - 0xC7])
            return self.number("b"), self.take(size)
        if first in (0xCC, 0xCD, 0xCE, 0xCF):
            return self.number("BHIQ"[first - 0xCC])
        assert first == 0xD9, f"{first:#x} is nothing that flax writes"
        return self.take(self.number("B")).decode()


def array(value: Any) -> np.ndarray:
    """A flax array, in one piece or in chunks; bfloat16 widened to float32."""
    if isinstance(value, dict):
        assert value["__msgpack_chunked_array__"] is True
        shape = [value["shape"][str(axis)] for axis in range(len(value["shape"]))]
        return np.concatenate([array(value["chunks"][str(i)]) for i in range(len(value["chunks"]))]).reshape(shape)
    code, data = value
    assert code == 1
    (shape, kind, values), *rest = Reader(data)
    assert not rest
    if kind == "bfloat16":
        return (np.frombuffer(values, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return np.frombuffer(values, kind).reshape(shape)


def weights(file: Path) -> dict[str, np.ndarray]:
    """The stream's arrays by path."""
    return {"/".join(path): array(*Reader(content)) for path, content in Reader(file.read_bytes())}


def expected(run: Path, dtype: Any) -> dict[str, np.ndarray]:
    """What OpenLLaMA's files hold, of the model itself."""
    model, _ = load_model(find_checkpoint(run / "train"))

    def numbers(parameter: Any) -> np.ndarray:
        return parameter.detach().to(dtype).float().numpy()

    found = {
        "transformer/wte/embedding": numbers(model.tok_embeddings.weight),
        "transformer/ln_f/kernel": numbers(model.norm.weight),
        "lm_head/kernel": numbers(model.output.weight).T,
    }
    for index, layer in enumerate(model.layers):
        base = f"transformer/h/{index}"
        found[f"{base}/attention_norm/kernel"] = numbers(layer.attention_norm.weight)
        found[f"{base}/ffn_norm/kernel"] = numbers(layer.ffn_norm.weight)
        for name in ("wq", "wk", "wv", "wo"):
            found[f"{base}/attention/{name}/kernel"] = numbers(getattr(layer.attention, name).weight).T
        for name in ("w1", "w2", "w3"):
            found[f"{base}/feed_forward/{name}/kernel"] = numbers(getattr(layer.feed_forward, name).weight).T
    return found


def assert_equal(found: dict[str, Any], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(np.asarray(found[name], np.float32), value, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("chunk", [1 << 30, 32 * 500 * 4, 32 * 500 * 4 - 1, 7000])
def test_the_stream_holds_the_model(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, chunk: int
) -> None:
    run = make_model(n_kv_heads=2)
    monkeypatch.setattr(easylm, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(easylm, "GROUP_BYTES", 50_000)
    options = easylm.export(find_checkpoint(run / "train"), tmp_path / "jax", None, dtype)
    file = tmp_path / "jax" / "streaming_params"
    assert_equal(weights(file), expected(run, getattr(torch, dtype)))
    assert f"params::{file} --llama.vocab_size=500 --llama.hidden_size=32" in options
    assert "--llama.num_key_value_heads=2" in options
    assert (tmp_path / "jax" / "tokenizer.model").read_bytes() == (run / "tokenizer" / "tokenizer.model").read_bytes()
    head = next(Reader(file.read_bytes()))
    assert head[0] == ["transformer", "wte", "embedding"]
    chunked = isinstance(next(Reader(head[1])), dict)
    assert chunked == (500 * 32 * getattr(torch, dtype).itemsize > chunk)


def easylm_logits(found: dict[str, np.ndarray], ids: np.ndarray, heads: int, kv_heads: int, layers: int) -> np.ndarray:
    """The model as EasyLM computes it: kernels from the right, neighbouring pairs as complex numbers."""

    def normed(x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * found[f"transformer/{name}/kernel"]

    def turned(x: np.ndarray) -> np.ndarray:
        size = x.shape[-1]
        angles = np.outer(np.arange(len(ids)), 10_000.0 ** (-np.arange(0, size, 2) / size))
        pairs = x.reshape(*x.shape[:-1], -1, 2)
        z = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angles)[:, None, :]
        return np.stack([z.real, z.imag], -1).reshape(x.shape)

    x = found["transformer/wte/embedding"][ids].astype(np.float64)
    for layer in range(layers):
        base, y = f"transformer/h/{layer}", normed(x, f"h/{layer}/attention_norm")
        q, k, v = (y @ found[f"{base}/attention/{name}/kernel"] for name in ("wq", "wk", "wv"))
        q, k, v = q.reshape(len(ids), heads, -1), k.reshape(len(ids), kv_heads, -1), v.reshape(len(ids), kv_heads, -1)
        q, k, v = turned(q), turned(k).repeat(heads // kv_heads, 1), v.repeat(heads // kv_heads, 1)
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(q.shape[-1])
        scores = np.where(np.tri(len(ids), dtype=bool), scores, -np.inf)
        weight = np.exp(scores - scores.max(-1, keepdims=True))
        out = np.einsum("hqk,khd->qhd", weight / weight.sum(-1, keepdims=True), v).reshape(len(ids), -1)
        x = x + out @ found[f"{base}/attention/wo/kernel"]
        y = normed(x, f"h/{layer}/ffn_norm")
        w1, w2, w3 = (found[f"{base}/feed_forward/{name}/kernel"] for name in ("w1", "w2", "w3"))
        x = x + (y @ w1 / (1 + np.exp(-(y @ w1))) * (y @ w3)) @ w2
    return normed(x, "ln_f") @ found["lm_head/kernel"]


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_easylms_model_has_our_logits_with_it(make_model: MakeModel, tmp_path: Path, kv_heads: int) -> None:
    run = make_model(n_kv_heads=kv_heads)
    easylm.export(find_checkpoint(run / "train"), tmp_path / "jax", None, "float32")
    ids = np.random.default_rng(0).integers(0, 500, 20)
    model, _ = load_model(find_checkpoint(run / "train"))
    with torch.no_grad():
        ours = model(torch.tensor(ids[None]))[0].numpy()
    theirs = easylm_logits(weights(tmp_path / "jax" / "streaming_params"), ids, 4, kv_heads, 2)
    assert np.ptp(ours) > 1
    np.testing.assert_allclose(theirs, ours, atol=1e-4, rtol=1e-3)


def test_a_tied_head_is_written_too(make_model: MakeModel, tmp_path: Path) -> None:
    easylm.export(find_checkpoint(make_model(tied=True) / "train"), tmp_path / "jax", None, "float32")
    found = weights(tmp_path / "jax" / "streaming_params")
    np.testing.assert_array_equal(found["lm_head/kernel"], found["transformer/wte/embedding"].T)


@pytest.mark.parametrize("size", [1, 127, 128, 255, 256, 65_535, 65_536, 70_000])
def test_heads_say_sizes_at_the_seams(size: int) -> None:
    for value in (torch.arange(size, dtype=torch.int8), torch.zeros(size, 3, dtype=torch.float16)):
        data = b"".join(easylm.pair(("a" * 31, "b" * 32, "c"), value))
        ((path, content),) = Reader(data)
        assert path == ["a" * 31, "b" * 32, "c"]
        np.testing.assert_array_equal(array(*Reader(content)), value.numpy())


def test_what_the_format_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    value = torch.zeros(100)
    size = sum(map(len, easylm.pair(("a",), value))) - len(b"\x92\x91\xa1a\xc5\x00\x00")
    monkeypatch.setattr(easylm, "_LARGEST", size)
    assert easylm.pair(("a",), value)
    monkeypatch.setattr(easylm, "_LARGEST", size - 1)
    with pytest.raises(RequestError, match=r"a/b: 4\d\d bytes, .* shorter --dtype"):
        easylm.pair(("a", "b"), value)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("chunk", [1 << 30, 7000])
def test_flax_reads_it_and_writes_the_same_bytes(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, chunk: int
) -> None:
    serialization = pytest.importorskip("flax.serialization", reason="flax is not installed (pip install flax)")
    msgpack = pytest.importorskip("msgpack")
    monkeypatch.setattr(easylm, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", chunk)
    run = make_model()
    easylm.export(find_checkpoint(run / "train"), tmp_path / "jax", None, dtype)
    file = tmp_path / "jax" / "streaming_params"
    found, again = {}, b""
    with file.open("rb") as stream:
        for path, content in msgpack.Unpacker(stream, max_buffer_size=0):
            value = serialization.from_bytes(None, content)
            assert str(value.dtype) == dtype
            found["/".join(path)] = value
            again += msgpack.packb((tuple(path), serialization.to_bytes(value)))
    assert_equal(found, expected(run, getattr(torch, dtype)))
    assert again == file.read_bytes()


def test_the_command_says_how_easylm_loads_it(make_model: MakeModel, tmp_path: Path) -> None:
    run = make_model()
    command = ["export", str(run / "train"), str(tmp_path / "jax"), "--to", "easylm", "--dtype", "float32"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "--load_checkpoint=params::" in done.output
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, RequestError)
    assert "--overwrite" in str(again.exception)
    assert CliRunner().invoke(app, [*command, "--overwrite"]).exit_code == 0
