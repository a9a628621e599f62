"""Checkpoints: parameters and optimiser as torch's distributed checkpoint, plus one replicated record.

The record holds the rows consumed, the mix's fingerprint, the seed and the model; nothing in a checkpoint depends
on the number of processes. A checkpoint is complete when its folder has its final name ``step-NNNNNNNN``.
"""

from __future__ import annotations

import json
import re
import shutil
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.state_dict import get_model_state_dict, get_state_dict, set_state_dict
from torch.optim import Optimizer

from llama_data.pipeline.core.errors import InputError, RequestError

RECORD = "record.json"
_NAME = re.compile(r"step-(\d{8})")


@dataclass(frozen=True)
class Record:
    """What a checkpoint says besides its tensors. ``model`` is the model's configuration."""

    step: int
    rows: int
    fingerprint: str
    seed: int
    tokenizer_sha256: str
    model: dict[str, Any]


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints below the run's folder, oldest first."""
    base = folder / "checkpoints"
    return sorted(path for path in base.glob("step-*") if _NAME.fullmatch(path.name) and (path / RECORD).exists())


def read_record(path: Path) -> Record:
    """The record of a checkpoint. Raises InputError when there is none or it is damaged."""
    try:
        return Record(**json.loads((path / RECORD).read_text()))
    except FileNotFoundError:
        raise InputError(f"{path}: not a checkpoint: it has no {RECORD}") from None
    except (ValueError, TypeError) as error:
        raise InputError(f"{path / RECORD}: damaged: {error}") from None


def save(folder: Path, record: Record, model: nn.Module, optimizer: Optimizer, keep: int | None) -> Path:
    """Write a checkpoint from all processes, give it its name when it is complete, and drop the oldest ones."""
    final = folder / "checkpoints" / f"step-{record.step:08d}"
    partial = final.with_suffix(".partial")
    main = dist.get_rank() == 0
    if main:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    dist.barrier()
    weights, moments = get_state_dict(model, optimizer)
    state_dict_saver.save({"model": weights, "optimizer": moments}, checkpoint_id=str(partial))
    if main:
        (partial / RECORD).write_text(json.dumps(asdict(record), indent=2))
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        for old in checkpoints(folder)[: -keep or None] if keep is not None else []:
            shutil.rmtree(old)
    dist.barrier()
    return final


def load(path: Path, model: nn.Module, optimizer: Optimizer) -> None:
    """Load parameters and optimiser into a model sharded over any number of processes."""
    weights, moments = get_state_dict(model, optimizer)
    state = {"model": weights, "optimizer": moments}
    state_dict_loader.load(state, checkpoint_id=str(path))
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)


def load_weights(path: Path, model: nn.Module) -> None:
    """Load only the parameters into a model on one process, without a process group."""
    weights = get_model_state_dict(model)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # it warns also where it is asked to
        state_dict_loader.load({"model": weights}, checkpoint_id=str(path), no_dist=True)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            value = weights[name]
            assert isinstance(value, Tensor)  # nothing is sharded on one process
            parameter.copy_(value)


def require_same_run(record: Record, *, fingerprint: str, seed: int, tokenizer_sha256: str, where: Path) -> None:
    """Raise RequestError when a checkpoint belongs to another mix, seed or tokenizer than this run's."""
    for what, found, wanted in (
        ("mix", record.fingerprint, fingerprint),
        ("seed", record.seed, seed),
        ("tokenizer", record.tokenizer_sha256, tokenizer_sha256),
    ):
        if found != wanted:
            raise RequestError(
                f"{where}: the checkpoint was made with {what} {found}, this run has {wanted}; "
                "use the same --data and seed, or another --output"
            )
