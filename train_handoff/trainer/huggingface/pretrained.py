"""A Hugging Face LLaMA folder (config.json and safetensors) as a checkpoint of parameters."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import sha256_of
from llama_data.train_handoff.trainer import checkpoint
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.huggingface.export import INDEX, SINGLE, hf_name, to_pairs
from llama_data.train_handoff.trainer.huggingface.weights import Stated, layers_of, read_header, read_json
from llama_data.train_handoff.trainer.model import Llama
from llama_data.train_handoff.trainer.pieces import Pieces
from llama_data.train_handoff.trainer.record import Record

SPECIAL_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
# Of any size in config.json: a table of that many positions is made, and their product must be one that can be.
_LARGEST = 1 << 24
FLOATS = (torch.float32, torch.bfloat16, torch.float16)

# What a LLaMA config.json may say that the trainer's model has no other choice for.
FIXED: dict[str, tuple[Any, ...]] = {
    "model_type": ("llama",),
    "hidden_act": ("silu", None),
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "partial_rotary_factor": (1, None),
    "rope_scaling": (None,),
    "quantization_config": (None,),
    "sliding_window": (None,),
}


def import_huggingface(folder: Path, output: Path, tokenizer: Path | None = None, *, keep_tied: bool = False) -> Record:
    """Write the model in ``folder`` to ``output`` as a checkpoint at step 0. Memory: 4 bytes a parameter.

    ``tokenizer`` is a folder (or the folder itself has it) whose tokenizer.model the model reads. ``keep_tied``: an
    output head that is tied to the embedding stays so, instead of becoming one of its own with the same values.

    Raises:
        InputError: a file is missing, damaged, or describes a model that the trainer does not have.
        RequestError: ``output`` is there already.
    """
    if output.exists():
        raise RequestError(f"{output}: there is something already; name a folder that does not exist")
    config = read_config(folder, keep_tied)
    pieces = _tokenizer(tokenizer or folder, config)
    bos, eos = pieces.special_ids
    files = weight_files(folder)
    model = load_huggingface(folder, keep_tied)
    stated = read_json(folder / "config.json")
    record = Record(
        step=0,
        rows=0,
        fingerprint="",
        seed=0,
        tokenizer_sha256=pieces.sha256,
        model=config.model_dump(),
        bos_id=bos,
        eos_id=eos,
        origin={
            "huggingface": str(folder),
            "files": {file.name: sha256_of(file) for file in files},
            "special_ids": {name: stated[name] for name in SPECIAL_IDS if name in stated},
        },
    )
    checkpoint.save_weights(output, record, model)
    return record


def _tokenizer(folder: Path, config: ModelConfig) -> Pieces:
    """The model's tokenizer: its sha256 tells which rows and texts the model can read. Raises InputError."""
    if not (folder / "tokenizer.model").is_file():
        raise InputError(
            f"{folder / 'tokenizer.model'}: no such file; give --tokenizer, a folder with the model's SentencePiece "
            "tokenizer.model: its sha256 tells which rows and texts the model can read"
        )
    pieces = Pieces(folder)
    if pieces.model.vocab_size() > (config.vocab_size or 0):
        raise InputError(
            f"{pieces.path}: {pieces.model.vocab_size():,} pieces, but config.json's vocab_size is "
            f"{config.vocab_size:,}: it is another model's tokenizer"
        )
    return pieces


def load_huggingface(folder: Path, keep_tied: bool = False) -> Llama:
    """The model of a Hugging Face folder, float32, on the CPU.

    A tied output head becomes one of its own with the same values, unless ``keep_tied``. Raises InputError.
    """
    described = read_json(folder / "config.json")
    _require_fit(folder, read_config(folder, keep_tied), stated_tensors(weight_files(folder)))
    with torch.device("meta"):
        model = Llama(read_config(folder, keep_tied))
    model.to_empty(device="cpu")
    model.init_tables()
    with ExitStack() as stack, torch.no_grad():
        tensors = _open(weight_files(folder), stack)
        if described.get("tie_word_embeddings", False):
            tensors.pop(HEAD, None)  # some files hold it twice
            if not keep_tied and EMBEDDING in tensors:
                tensors[HEAD] = tensors[EMBEDDING]
        names = {hf_name(name): name for name, _ in model.named_parameters()}
        _require_all(folder, set(names), set(tensors))
        parameters = dict(model.named_parameters())
        for theirs, ours in names.items():
            file, opened, name = tensors[theirs]
            value = _tensor(file, opened, name, parameters[ours].shape)
            heads = {"wq.weight": model.config.n_heads, "wk.weight": model.config.kv_heads}.get(ours[-9:])
            parameters[ours].copy_(value if heads is None else to_pairs(value, heads))
    return model


def read_config(folder: Path, keep_tied: bool = False) -> ModelConfig:
    """The model that config.json describes. Raises InputError naming the field that the trainer cannot follow."""
    path = folder / "config.json"
    found = read_json(path)
    if keep_tied and not found.get("tie_word_embeddings", False):
        raise InputError(f"{path}: tie_word_embeddings is not true: there is no tied output head to keep")
    for name, allowed in FIXED.items():
        value = found.get(name)
        if name == "rope_scaling" and isinstance(value, dict) and _rope_type(value) == "default":
            continue
        if value not in allowed:
            wanted = " or ".join("nothing" if item is None else json.dumps(item) for item in allowed)
            raise InputError(f"{path}: {name} is {json.dumps(value)[:80]}; the trainer's model needs {wanted}")
    rope = found.get("rope_parameters") or {}
    if not isinstance(rope, dict) or _rope_type(rope) != "default":
        raise InputError(
            f"{path}: rope_parameters is {json.dumps(rope)[:80]}; the trainer's model needs rope_type default"
        )
    dim, heads = _number(path, found, "hidden_size"), _number(path, found, "num_attention_heads")
    kv_heads = _number(path, found, "num_key_value_heads", heads)
    inner = _number(path, found, "intermediate_size")
    if dim % heads or _number(path, found, "head_dim", dim // heads) != dim // heads:
        raise InputError(
            f"{path}: head_dim: hidden_size {dim} must be num_attention_heads {heads} times it, in the trainer's model"
        )
    try:
        config = ModelConfig(
            dim=dim,
            n_layers=_number(path, found, "num_hidden_layers"),
            n_heads=heads,
            n_kv_heads=None if kv_heads == heads else kv_heads,
            vocab_size=_number(path, found, "vocab_size"),
            seq_len=_number(path, found, "max_position_embeddings"),
            multiple_of=inner,  # 2/3 of 4 x dim rounded up to this is this
            norm_eps=_float(path, found, "rms_norm_eps", 1e-6),
            rope_theta=_float(path, {**rope, **found}, "rope_theta", 10_000.0),
            tied=keep_tied,
        )
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    if config.hidden_dim != inner:
        raise InputError(
            f"{path}: intermediate_size is {inner}; the trainer's model needs at least 2/3 of 4 x hidden_size {dim}"
        )
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of a model, single or sharded. Raises InputError when one is missing."""
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    index = folder / INDEX
    if not index.is_file():
        other = sorted(path.name for path in folder.glob("*.bin"))
        hint = f" (there is {other[0]}: save the model again with safe_serialization)" if other else ""
        raise InputError(f"{folder}: no weights: expected {SINGLE} or {INDEX}{hint}")
    placed = read_json(index).get("weight_map")
    if not isinstance(placed, dict) or not placed:
        raise InputError(f"{index}: weight_map: expected the file of each tensor")
    for name in placed.values():
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".", ".."):
            raise InputError(f"{index}: weight_map names {str(name)[:80]!r}; expected the name of a file beside it")
    files = [folder / name for name in sorted(set(placed.values()))]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise InputError(
            f"{missing[0]}: no such file, but {INDEX} names it; {len(missing)} of {len(files)} are missing"
        )
    return files


def stated_tensors(files: list[Path]) -> dict[str, Stated]:
    """What the headers of some files state, by name. Raises InputError: one is damaged, or a tensor is there twice."""
    stated: dict[str, Stated] = {}
    for file in files:
        header = read_header(file)
        twice = sorted(stated.keys() & header.keys())
        if twice:
            raise InputError(f"{file}: {twice[0]} is in another file too; expected each tensor once")
        stated |= header
    return stated


def _require_fit(folder: Path, config: ModelConfig, stated: dict[str, Stated]) -> None:
    """Refuse sizes that the files do not have, before anything is made by them. Raises InputError."""
    path, layers = folder / "config.json", layers_of(stated)
    if config.n_layers != layers:
        raise InputError(f"{path}: num_hidden_layers is {config.n_layers:,}; the weights have {layers:,} layers")
    if EMBEDDING in stated and stated[EMBEDDING].shape != (config.vocab_size, config.dim):
        raise InputError(
            f"{folder}: {EMBEDDING} has shape {list(stated[EMBEDDING].shape)}; by config.json it is "
            f"{[config.vocab_size, config.dim]}"
        )
    held = sum(math.prod(one.shape) for one in stated.values())
    if config.parameters() > held + config.dim * (config.vocab_size or 0):
        raise InputError(f"{path}: by it the model has {config.parameters():,} parameters; the weights hold {held:,}")


def _open(files: list[Path], stack: ExitStack) -> dict[str, Any]:
    """Each tensor's file and its name there; the files are only mapped."""
    from safetensors import SafetensorError, safe_open

    tensors: dict[str, Any] = {}
    for file in files:
        try:
            opened = stack.enter_context(safe_open(str(file), framework="pt"))
        except (SafetensorError, OSError) as error:
            raise InputError(f"{file}: cut short or damaged: {error}; fetch it again") from None
        tensors |= {name: (file, opened, name) for name in opened.keys()}  # noqa: SIM118
    return tensors


def _require_all(folder: Path, wanted: set[str], found: set[str]) -> None:
    missing = sorted(wanted - found)
    extra = sorted(name for name in found - wanted if not name.endswith("rotary_emb.inv_freq"))
    for what, names in (("missing", missing), ("unknown to LLaMA", extra)):
        if names:
            raise InputError(f"{folder}: {len(names)} tensor(s) are {what}, the first is {names[0]}")


def _tensor(file: Path, opened: Any, name: str, shape: torch.Size) -> Tensor:
    value: Tensor = opened.get_tensor(name)
    if value.shape != shape:
        raise InputError(f"{file}: {name} has shape {list(value.shape)}; by config.json it is {list(shape)}")
    if value.dtype not in FLOATS:
        raise InputError(f"{file}: {name} is {value.dtype}; expected float32, bfloat16 or float16 (not quantised)")
    return value.float()


def _rope_type(rope: dict[str, Any]) -> Any:
    return rope.get("rope_type", rope.get("type", "default"))


def _number(path: Path, found: dict[str, Any], name: str, default: int | None = None) -> int:
    value = found.get(name)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST:
        raise InputError(f"{path}: {name} is {json.dumps(value)[:80]}; expected a whole number from 1 to {_LARGEST:,}")
    return value


def _float(path: Path, found: dict[str, Any], name: str, default: float) -> float:
    value = found.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise InputError(f"{path}: {name} is {json.dumps(value)[:80]}; expected a number above 0")
    return float(value)
