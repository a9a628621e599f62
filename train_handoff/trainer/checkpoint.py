"""Checkpoints: parameters and optimiser as torch's distributed checkpoint, plus one replicated record.

The record holds the rows consumed, the mix's fingerprint, the seed and the model; nothing in a checkpoint depends
on the number of processes. A checkpoint is complete when its folder has its final name ``step-NNNNNNNN``.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.optim import Optimizer

from llama_data.pipeline.core.errors import InputError
from llama_data.train_handoff.trainer.record import RECORD, Record, checkpoints


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
    """Load parameters and optimiser into a model sharded over any number of processes. Raises InputError."""
    weights, moments = get_state_dict(model, optimizer)
    _read({"model": weights, "optimizer": moments}, path, alone=False)
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)


def load_parameters(path: Path, model: nn.Module) -> None:
    """Load only the parameters into a model sharded over any number of processes. Raises InputError."""
    weights = get_model_state_dict(model)
    _read({"model": weights}, path, alone=False)
    set_model_state_dict(model, weights)


def load_weights(path: Path, model: nn.Module) -> None:
    """Load only the parameters into a model on one process, without a process group. Raises InputError."""
    weights = get_model_state_dict(model)
    _read({"model": weights}, path, alone=True)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            value = weights[name]
            assert isinstance(value, Tensor)  # nothing is sharded on one process
            parameter.copy_(value)


def _read(state: dict[str, Any], path: Path, *, alone: bool) -> None:
    with _quiet():
        try:
            state_dict_loader.load(state, checkpoint_id=str(path), no_dist=alone)
        except CheckpointException as error:
            problem = next(iter(error.failures.values()))[0]
            raise InputError(
                f"{path}: the checkpoint's tensors cannot be read: {problem}; it is damaged; take the one before it"
            ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """torch warns that no process group is used also where that is what was asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def save_weights(path: Path, record: Record, model: nn.Module) -> None:
    """Write a checkpoint of parameters alone, from one process without a process group."""
    partial = path.with_name(path.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with _quiet():
        state_dict_saver.save({"model": get_model_state_dict(model)}, checkpoint_id=str(partial), no_dist=True)
    (partial / RECORD).write_text(json.dumps(asdict(record), indent=2))
    partial.rename(path)
