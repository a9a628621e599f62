"""A checkpoint's parameters by name, some at a time, so that nobody has to hold the whole model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from llama_data.pipeline.core.errors import InputError
from llama_data.train_handoff.trainer import checkpoint
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.model import Llama
from llama_data.train_handoff.trainer.record import changed_file, read_record


@dataclass(frozen=True)
class Weights:
    """The parameters in the checkpoint ``path``: their ``shapes`` by name, in the model's order."""

    path: Path
    config: ModelConfig
    shapes: dict[str, torch.Size]

    def groups(self, dtype: torch.dtype, most: int) -> list[list[str]]:
        """The names in order, cut so that a group has at most ``most`` bytes as ``dtype``, or a single parameter."""
        groups: list[list[str]] = []
        left = -1
        for name, shape in self.shapes.items():
            size = shape.numel() * dtype.itemsize
            if size > left:
                groups.append([])
                left = most
            groups[-1].append(name)
            left -= size
        return groups

    def read(self, names: list[str], dtype: torch.dtype) -> dict[str, Tensor]:
        """These parameters whole, on the CPU, each converted to ``dtype`` as it is read. Raises InputError."""
        tensors = {name: torch.empty(self.shapes[name], dtype=dtype) for name in names}
        checkpoint.read_tensors(self.path, tensors)
        return tensors

    def each(self, dtype: torch.dtype, most: int) -> Iterator[tuple[str, Tensor]]:
        """Every parameter in order; holds a group of them. Raises InputError."""
        for names in self.groups(dtype, most):
            tensors = self.read(names, dtype)
            for name in names:
                yield name, tensors.pop(name)


def open_weights(path: Path) -> Weights:
    """The parameters of a checkpoint whose files are what was written. Raises InputError when they are not."""
    record = read_record(path)
    wrong = changed_file(path, record)
    if wrong is not None:
        raise InputError(f"{path / wrong}: not what was written: the checkpoint is damaged; take the one before it")
    config = record.model_config(path)
    with torch.device("meta"):
        shapes = {name: parameter.shape for name, parameter in Llama(config).named_parameters()}
    return Weights(path, config, shapes)
