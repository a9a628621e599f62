"""Checkpoints to EasyLM's streamed weights, the form in which OpenLLaMA's JAX weights are published.

The file is a stream of msgpack pairs: a parameter's path as an array of texts, and the bytes that flax makes of the
array (an extension of type 1 that holds shape, name of the type, and values in C order). Kernels of linear layers are
transposed, since JAX multiplies from the left; heads stay as they are, since EasyLM turns neighbouring pairs as LLaMA
does. The few forms of msgpack that occur are written here: headers with the size ahead, so that values go to the file
as they lie in memory, and no package that nothing else needs.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.handover import (
    copy_tokenizer,
    new_files,
    open_tokenizer,
    require_llama,
    sizes_as_published,
)
from llama_data.train_handoff.trainer.record import read_record
from llama_data.train_handoff.trainer.weights import open_weights

FILE = "streaming_params"
CHUNK_BYTES = 1 << 30  # flax cuts larger arrays: a msgpack object ends at 2 GiB for some readers
GROUP_BYTES = 1 << 30
_NDARRAY = 1  # flax's type of extension for an array
_LARGEST = (1 << 32) - 1

_TOP = {
    "tok_embeddings.weight": ("transformer", "wte", "embedding"),
    "norm.weight": ("transformer", "ln_f", "kernel"),
    "output.weight": ("lm_head", "kernel"),
}

Parts = list[bytes | memoryview]


def export(
    path: Path, output: Path, tokenizer: Path | None, dtype: str = "bfloat16", *, overwrite: bool = False
) -> str:
    """Write a checkpoint's weights and tokenizer; returns the options with which EasyLM loads them.

    Holds at most 1 GiB of them, or one parameter.

    Raises:
        InputError: not a checkpoint, or a damaged one; no tokenizer in the folder given.
        RequestError: a tokenizer other than the one it was trained with, none found; ``output`` is not empty; a
            parameter is larger than the format allows; the model has a norm after its embedding.
    """
    record = read_record(path)
    require_llama(record, path)
    pieces = open_tokenizer(path, record, tokenizer)
    with new_files(output, (FILE,), overwrite) as folder:
        weights = open_weights(path)
        with (folder / FILE).open("wb") as stream:
            for name, value in weights.each(getattr(torch, dtype), GROUP_BYTES):
                linear = value.dim() == 2 and not name.startswith("tok_embeddings")
                stream.writelines(pair(key(name), value.t() if linear else value))
                if weights.config.tied and not linear and value.dim() == 2:
                    stream.writelines(pair(key("output.weight"), value.t()))  # EasyLM's head is always one of its own
        copy_tokenizer(pieces, folder)
    return easylm_options(output / FILE, weights.config)


def key(name: str) -> tuple[str, ...]:
    """EasyLM's path to one of our parameters."""
    if name in _TOP:
        return _TOP[name]
    _, layer, *rest, _ = name.split(".")
    return ("transformer", "h", layer, *rest, "kernel")


def easylm_options(file: Path, model: ModelConfig) -> str:
    """The options of EasyLM's programs that name the weights and the model."""
    sizes = sizes_as_published(model)
    return " ".join([f"--load_checkpoint=params::{file}", *(f"--llama.{name}={size}" for name, size in sizes.items())])


def pair(path: tuple[str, ...], value: Tensor) -> Parts:
    """One record of the stream. Raises RequestError for an array of 4 GiB or more."""
    content = _array(value)
    size = sum(map(len, content))
    if size > _LARGEST:
        raise RequestError(
            f"{'/'.join(path)}: {size:,} bytes, and EasyLM's format ends at {_LARGEST:,}; use a shorter --dtype"
        )
    return [_head(2, 0x90), _head(len(path), 0x90), *map(_text, path), _sized(0xC4, size), *content]


def _array(value: Tensor) -> Parts:
    """What flax makes of an array; one over ``CHUNK_BYTES`` becomes a map of flat chunks and the shape."""
    if value.numel() * value.itemsize <= CHUNK_BYTES:
        return _extension(value)
    chunks = torch.split(value.reshape(-1), CHUNK_BYTES // value.itemsize)
    parts: Parts = [_head(3, 0x80), _text("__msgpack_chunked_array__"), b"\xc3"]
    parts += [_text("shape"), _head(value.dim(), 0x80)]
    for axis, size in enumerate(value.shape):
        parts += [_text(str(axis)), _number(size)]
    parts += [_text("chunks"), _head(len(chunks), 0x80)]
    for index, chunk in enumerate(chunks):
        parts += [_text(str(index)), *_extension(chunk)]
    return parts


def _extension(value: Tensor) -> Parts:
    data = value.contiguous().reshape(-1).view(torch.uint8).numpy().data
    about = [_head(3, 0x90), _head(value.dim(), 0x90), *map(_number, value.shape)]
    about += [_text(str(value.dtype).removeprefix("torch.")), _sized(0xC4, len(data))]
    head = b"".join(about)
    return [_sized(0xC7, len(head) + len(data)) + bytes([_NDARRAY]), head, data]


def _head(count: int, kind: int) -> bytes:
    """Head of a short array (0x90) or map (0x80)."""
    assert count < 16
    return bytes([kind | count])


def _text(text: str) -> bytes:
    data = text.encode()
    return (bytes([0xA0 | len(data)]) if len(data) < 32 else b"\xd9" + bytes([len(data)])) + data


def _number(number: int) -> bytes:
    return bytes([number]) if number < 128 else _sized(0xCC, number)


def _sized(kind: int, number: int) -> bytes:
    """A number (0xCC), or the size that bytes (0xC4) or an extension (0xC7) begin with, in 1, 2, 4 or 8 bytes."""
    power = next(power for power in range(4) if number < 1 << (8 << power))
    return bytes([kind + power]) + number.to_bytes(1 << power, "big")
