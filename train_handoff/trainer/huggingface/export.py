"""Checkpoints to Hugging Face's LLaMA layout: weights, config, generation config and tokenizer.

Hugging Face rotates the two halves of a head where LLaMA rotates neighbouring pairs, so the rows of wq and wk are
reordered: pair i of a head becomes rows i and i + K/2.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llama_data.train_handoff.trainer import checkpoint
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.handover import (
    copy_tokenizer,
    new_files,
    open_tokenizer,
    require_llama,
    sizes_as_published,
)
from llama_data.train_handoff.trainer.model import Llama
from llama_data.train_handoff.trainer.record import Record, read_record
from llama_data.train_handoff.trainer.template import Template
from llama_data.train_handoff.trainer.weights import Weights, open_weights

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
CHAT_TEMPLATE = "chat_template.jinja"
WEIGHT_FILES = (SINGLE, INDEX, "model-*-of-*.safetensors")
SHARD_BYTES = 5_000_000_000

_LAYER = {
    "attention_norm.weight": "input_layernorm.weight",
    "attention.wq.weight": "self_attn.q_proj.weight",
    "attention.wk.weight": "self_attn.k_proj.weight",
    "attention.wv.weight": "self_attn.v_proj.weight",
    "attention.wo.weight": "self_attn.o_proj.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "feed_forward.w1.weight": "mlp.gate_proj.weight",
    "feed_forward.w2.weight": "mlp.down_proj.weight",
    "feed_forward.w3.weight": "mlp.up_proj.weight",
}
_TOP = {
    "tok_embeddings.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}


def hf_name(name: str) -> str:
    """Hugging Face's name of one of our parameters."""
    if name in _TOP:
        return _TOP[name]
    _, layer, rest = name.split(".", 2)
    return f"model.layers.{layer}.{_LAYER[rest]}"


def to_halves(weight: Tensor, n_heads: int) -> Tensor:
    """Rows of wq or wk (heads x K, D) from neighbouring pairs to halves."""
    dim = weight.shape[1]
    return weight.view(n_heads, -1, 2, dim).transpose(1, 2).reshape(-1, dim)


def to_pairs(weight: Tensor, n_heads: int) -> Tensor:
    """Inverse of ``to_halves``."""
    dim = weight.shape[1]
    return weight.view(n_heads, 2, -1, dim).transpose(1, 2).reshape(-1, dim)


def hf_config(model: ModelConfig, dtype: str, bos_id: int | None, eos_id: int | None) -> dict[str, object]:
    """The contents of config.json; ``bos_id``, ``eos_id``: of the tokenizer, None where it has none."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **sizes_as_published(model),
        "rope_parameters": {"rope_type": "default", "rope_theta": model.rope_theta},
        "hidden_act": "silu",
        "initializer_range": model.init_std,
        "tie_word_embeddings": model.tied,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": bos_id,
        "eos_token_id": eos_id,
        "dtype": dtype,
    }


def load_model(path: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> tuple[Llama, Record]:
    """The model of a checkpoint; its rotary tables stay float32. Raises InputError."""
    record = read_record(path)
    with torch.device("meta"):
        model = Llama(record.model_config(path))
    for child in model.children():
        child.to(dtype)
    model.to_empty(device=device)
    model.init_tables()
    checkpoint.load_weights(path, model)
    return model, record


def export(
    path: Path,
    output: Path,
    tokenizer: Path | None,
    dtype: str = "bfloat16",
    *,
    shard_bytes: int = SHARD_BYTES,
    overwrite: bool = False,
    template: Template | None = None,
) -> None:
    """Write a checkpoint as a folder that ``AutoModelForCausalLM.from_pretrained`` loads; holds one shard at a time.

    ``tokenizer`` is its folder, None for the one in the run; its files are copied beside the weights. ``template``,
    else the one that the model was tuned with, becomes its chat template.

    Raises:
        InputError: not a checkpoint, or a damaged one; no tokenizer in the folder given.
        RequestError: a tokenizer other than the one it was trained with, none found; ``output`` is not empty; the
            model has a norm after its embedding.
    """
    record = read_record(path)
    require_llama(record, path)
    pieces = open_tokenizer(path, record, tokenizer)
    bos, eos = pieces.special_ids
    # A model that was imported keeps what its own config.json said.
    ids = {"bos_token_id": bos, "eos_token_id": eos, **(record.origin or {}).get("special_ids", {})}
    with new_files(output, (*WEIGHT_FILES, CHAT_TEMPLATE), overwrite) as folder:
        weights = open_weights(path)
        _write_shards(weights, folder, getattr(torch, dtype), shard_bytes)
        copy_tokenizer(pieces, folder)
        write_json(folder / "config.json", {**hf_config(weights.config, dtype, bos, eos), **ids})
        write_json(folder / "generation_config.json", {**ids, "do_sample": True})
        if template is None and record.template is not None:
            template = Template(record.template)
        if template is not None:
            (folder / CHAT_TEMPLATE).write_text(template.jinja)


def _write_shards(weights: Weights, folder: Path, dtype: torch.dtype, shard_bytes: int) -> None:
    """One safetensors file, or several with the index that says what is where."""
    groups = weights.groups(dtype, shard_bytes)
    placed: dict[str, str] = {}
    for number, names in enumerate(groups, 1):
        file = SINGLE if len(groups) == 1 else f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        _write_shard(weights, names, dtype, folder / file)
        placed |= dict.fromkeys(map(hf_name, names), file)
    if len(groups) > 1:
        parameters = sum(shape.numel() for shape in weights.shapes.values())
        sizes = {"total_parameters": parameters, "total_size": parameters * dtype.itemsize}
        write_json(folder / INDEX, {"metadata": sizes, "weight_map": dict(sorted(placed.items()))})


def _write_shard(weights: Weights, names: list[str], dtype: torch.dtype, file: Path) -> None:
    from safetensors.torch import save_file

    rotated = {"wq.weight": weights.config.n_heads, "wk.weight": weights.config.kv_heads}
    tensors = weights.read(names, dtype)
    for name in names:
        value, heads = tensors.pop(name), rotated.get(name[-9:])
        tensors[hf_name(name)] = value if heads is None else to_halves(value, heads)
    file.touch()
    mode = file.stat().st_mode  # safetensors makes files that nobody else may read
    save_file(tensors, str(file), metadata={"format": "pt"})
    file.chmod(mode)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an object as people read it."""
    path.write_text(json.dumps(content, indent=2) + "\n")
