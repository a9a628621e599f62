"""Checkpoints to Hugging Face's LLaMA layout: weights, config, generation config and tokenizer.

Hugging Face rotates the two halves of a head where LLaMA rotates neighbouring pairs, so the rows of wq and wk are
reordered: pair i of a head becomes rows i and i + K/2.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from torch import Tensor

from llama_data.pipeline.core.errors import InputError
from llama_data.train_handoff.trainer import checkpoint
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.model import Llama
from llama_data.train_handoff.trainer.pieces import Pieces, find_tokenizer
from llama_data.train_handoff.trainer.record import Record, read_record

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
        "vocab_size": model.vocab_size,
        "hidden_size": model.dim,
        "intermediate_size": model.hidden_dim,
        "num_hidden_layers": model.n_layers,
        "num_attention_heads": model.n_heads,
        "num_key_value_heads": model.kv_heads,
        "max_position_embeddings": model.seq_len,
        "rms_norm_eps": model.norm_eps,
        "rope_theta": model.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": model.rope_theta},
        "hidden_act": "silu",
        "initializer_range": model.init_std,
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": bos_id,
        "eos_token_id": eos_id,
        "dtype": dtype,
    }


def load_model(path: Path) -> tuple[Llama, Record]:
    """The model of a checkpoint on the CPU, float32."""
    record = read_record(path)
    with torch.device("meta"):
        model = Llama(record.model_config(path))
    model.to_empty(device="cpu")
    model.init_tables()
    checkpoint.load_weights(path, model)
    return model, record


def export(path: Path, output: Path, tokenizer: Path | None, dtype: str = "bfloat16") -> None:
    """Write a checkpoint as a folder that ``AutoModelForCausalLM.from_pretrained`` loads.

    ``tokenizer`` is the run's tokenizer folder; its files are copied beside the weights.

    Raises:
        InputError: not a checkpoint, or a tokenizer other than the one it was trained with.
    """
    from safetensors.torch import save_file

    model, record = load_model(path)
    rotated = {"wq.weight": model.config.n_heads, "wk.weight": model.config.kv_heads}
    weights = {}
    for name, parameter in model.state_dict().items():
        heads = rotated.get(name[-9:])
        value = parameter if heads is None else to_halves(parameter, heads)
        weights[hf_name(name)] = value.to(getattr(torch, dtype)).contiguous()
    bos, eos = record.bos_id, record.eos_id
    if tokenizer is not None:
        found = find_tokenizer(tokenizer)[1]
        if found != record.tokenizer_sha256:
            raise InputError(
                f"{tokenizer}: tokenizer.model has sha256 {found}, the model was trained with {record.tokenizer_sha256}"
            )
        bos, eos = Pieces(tokenizer).special_ids
    output.mkdir(parents=True, exist_ok=True)
    if tokenizer is not None:
        for item in sorted(tokenizer.iterdir()):
            if item.suffix in (".model", ".json") and item.is_file():
                shutil.copy(item, output / item.name)
    save_file(weights, str(output / "model.safetensors"), metadata={"format": "pt"})
    (output / "config.json").write_text(json.dumps(hf_config(model.config, dtype, bos, eos), indent=2) + "\n")
    generation = {"bos_token_id": bos, "eos_token_id": eos, "do_sample": True}
    (output / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
