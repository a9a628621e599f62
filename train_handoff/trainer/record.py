"""What a checkpoint says besides its tensors, and where checkpoints are. Imports no torch."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.settings import validate
from llama_data.train_handoff.trainer.config import ModelConfig

RECORD = "record.json"
_NAME = re.compile(r"step-(\d{8})")


@dataclass(frozen=True)
class Record:
    """``model`` is the model's configuration; ``rows`` of the mix ``fingerprint`` are consumed. ``bos_id``, ``eos_id``:
    of the tokenizer, where rows or tokenizer said so; older records say nothing.

    ``origin``: what the parameters were before row 0, None for drawn from the seed. Of an imported checkpoint the
    Hugging Face files and their sha256; of a run that started from a checkpoint, that one and its record's sha256.
    """

    step: int
    rows: int
    fingerprint: str
    seed: int
    tokenizer_sha256: str
    model: dict[str, Any]
    bos_id: int | None = None
    eos_id: int | None = None
    origin: dict[str, Any] | None = None

    def model_config(self, where: Path) -> ModelConfig:
        """The model. Raises RecipeError when the record's is not one that this version builds."""
        return validate(ModelConfig, self.model, str(where / RECORD))


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints below the run's folder, oldest first."""
    base = folder / "checkpoints"
    return sorted(path for path in base.glob("step-*") if _NAME.fullmatch(path.name) and (path / RECORD).exists())


def find_checkpoint(path: Path) -> Path:
    """A checkpoint given as itself or as the folder of a training run (its newest one). Raises InputError."""
    if (path / RECORD).exists():
        return path
    found = checkpoints(path)
    if not found:
        what = (
            "neither a checkpoint nor a training folder with one in checkpoints/" if path.exists() else "no such folder"
        )
        hint = "; make a checkpoint of it with `llama-train import`" if (path / "config.json").exists() else ""
        raise InputError(f"{path}: {what}{hint}")
    return found[-1]


def read_record(path: Path) -> Record:
    """The record of a checkpoint. Raises InputError when there is none or it is damaged."""
    try:
        return Record(**json.loads((path / RECORD).read_text()))
    except FileNotFoundError:
        raise InputError(f"{path}: not a checkpoint: it has no {RECORD}") from None
    except (ValueError, TypeError) as error:
        raise InputError(f"{path / RECORD}: damaged: {error}") from None


def require_same_tokenizer(record: Record, tokenizer_sha256: str, where: Path) -> None:
    """Raise RequestError when a model and rows or texts belong to different tokenizers."""
    if record.tokenizer_sha256 != tokenizer_sha256:
        raise RequestError(
            f"{where}: the model's tokenizer.model has sha256 {record.tokenizer_sha256}, this one {tokenizer_sha256}; "
            "a model can only read the ids of its own tokenizer"
        )
