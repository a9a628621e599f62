"""What is handed on: the folder it is written to, and the tokenizer that belongs to it. Imports no torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.pieces import Pieces, find_tokenizer
from llama_data.train_handoff.trainer.record import CHECKPOINTS, Record, require_same_tokenizer

_TOKENIZER_FILES = ("tokenizer.*", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


@contextmanager
def new_files(output: Path, earlier: tuple[str, ...], overwrite: bool) -> Iterator[Path]:
    """A folder to write files into, which move to ``output`` when all are written: a half of them is never there.

    ``earlier``: globs of what an earlier export left, which would be taken for a part of this one and is removed.

    Raises:
        RequestError: there is something in ``output`` and ``overwrite`` is not set, or it is no folder.
    """
    output = output.resolve()
    if output.exists() and not output.is_dir():
        raise RequestError(f"{output}: there is a file of that name; name a folder")
    found = min(output.iterdir(), default=None) if output.exists() else None
    if found is not None and not overwrite:
        raise RequestError(
            f"{output}: there is something in it already ({found.name}); give --overwrite, or name another folder"
        )
    partial = output.with_name(f"{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        output.mkdir(exist_ok=True)
        for old in [path for pattern in earlier for path in output.glob(pattern)]:
            old.unlink()
        for path in partial.iterdir():
            path.replace(output / path.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def sizes_as_published(model: ModelConfig) -> dict[str, int | float | None]:
    """The sizes of a model under the names that transformers and EasyLM have for them."""
    return {
        "vocab_size": model.vocab_size,
        "hidden_size": model.dim,
        "intermediate_size": model.hidden_dim,
        "num_hidden_layers": model.n_layers,
        "num_attention_heads": model.n_heads,
        "num_key_value_heads": model.kv_heads,
        "max_position_embeddings": model.seq_len,
        "rms_norm_eps": model.norm_eps,
        "rope_theta": model.rope_theta,
    }


def require_llama(record: Record, path: Path) -> None:
    """Raise RequestError for a model that others' LLaMA cannot be: one with a norm after the embedding."""
    if record.model_config(path).embedding_norm:
        raise RequestError(
            f"{path}: the model has a norm after its embedding (embedding_norm), which neither transformers' "
            "LlamaForCausalLM nor EasyLM has; it stays with `llama-train generate`, `evaluate` and `launch --from`"
        )


def open_tokenizer(checkpoint: Path, record: Record, given: Path | None) -> Pieces:
    """The tokenizer of a checkpoint's model: of the folder ``given``, else of the run or of what was imported.

    Raises:
        InputError: no tokenizer.model in the folder given, or a damaged one.
        RequestError: it is another model's, or none was given and none of the model's own is found.
    """
    if given is not None:
        require_same_tokenizer(record, find_tokenizer(given)[1], given)
        return Pieces(given)
    own = own_tokenizer(checkpoint, record)
    if own is not None:
        return own
    looked = ", ".join(map(str, _places(checkpoint, record))) or "no folder (it belongs to no run)"
    raise RequestError(
        f"{checkpoint}: the model's tokenizer.model (sha256 {record.tokenizer_sha256}) was looked for in {looked}; "
        "give its folder as --tokenizer"
    )


def own_tokenizer(checkpoint: Path, record: Record) -> Pieces | None:
    """The tokenizer of a checkpoint's model, of the run or of what was imported; None when it is not there."""
    for folder in _places(checkpoint, record):
        if (folder / "tokenizer.model").is_file() and find_tokenizer(folder)[1] == record.tokenizer_sha256:
            return Pieces(folder)
    return None


def around_documents(record: Record, pieces: Pieces) -> tuple[int | None, int | None]:
    """BOS and EOS that stood around the model's documents, None where none did: its rows', else its tokenizer's."""
    return (record.bos_id, record.eos_id) if record.fingerprint else pieces.special_ids


def _places(checkpoint: Path, record: Record) -> list[Path]:
    """Where a checkpoint's tokenizer may be: beside the run's mix, beside the run, with the model that was imported."""
    places = []
    checkpoint = checkpoint.resolve()
    if checkpoint.parent.name == CHECKPOINTS:
        run = checkpoint.parent.parent
        try:
            data = json.loads((run / "train.json").read_text()).get("data")
        except (OSError, ValueError, AttributeError):
            data = None  # the run was moved without it; there are other places
        places = [Path(data).parent / "tokenizer"] if data else []
        places.append(run.parent / "tokenizer")
    imported = (record.origin or {}).get("huggingface")
    return list(dict.fromkeys([*places, *([Path(imported)] if imported else [])]))


def copy_tokenizer(pieces: Pieces, folder: Path) -> None:
    """Copy a tokenizer's files, and no other files that lie beside them."""
    for path in tokenizer_files(pieces.path.parent):
        shutil.copyfile(path, folder / path.name)


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of the tokenizer in a folder."""
    return sorted({path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern)})
