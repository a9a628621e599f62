"""Checkpoints: parameters and optimiser as torch's distributed checkpoint, plus one replicated record.

The record holds the rows consumed, the mix's fingerprint, the seed, the model, the settings and a checksum of every
file; nothing in a checkpoint depends on the number of processes. A checkpoint is complete when its folder has its final
name (``record.checkpoint_name``).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

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

from llama_data.pipeline.core.errors import InputError, RunError
from llama_data.train_handoff.trainer.distributed import Processes, sum_over_processes
from llama_data.train_handoff.trainer.record import (
    CHECKPOINTS,
    RECORD,
    Record,
    changed_file,
    checkpoint_name,
    checkpoints,
    file_entry,
    incomplete,
    read_record,
)
from llama_data.train_handoff.trainer.storage import SafePlanner, SafeReader

REMOVED = ".removed"  # what a checkpoint is called while it is removed

_Result = TypeVar("_Result")


def save(folder: Path, record: Record, model: nn.Module, optimizer: Optimizer, keep: int | None) -> Path:
    """Write a checkpoint from all processes, give it its name when it is complete, and drop the oldest ones.

    Training waits meanwhile; ``saver.Saver`` writes in the background. Raises RunError, on all processes.
    """
    partial = begin(folder, record)
    with written(partial):
        state_dict_saver.save(state_of(model, optimizer), checkpoint_id=str(partial))
    return complete(folder, record, keep)


def state_of(model: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """What a checkpoint holds of both, in the shards of this process."""
    weights, moments = get_state_dict(model, optimizer)
    return {"model": weights, "optimizer": moments}


def _partial(folder: Path, record: Record) -> Path:
    return folder / CHECKPOINTS / f"{checkpoint_name(record.rows)}.partial"


def begin(folder: Path, record: Record) -> Path:
    """The empty folder that a checkpoint is written in until it is complete. Called by all processes."""
    partial = _partial(folder, record)
    if dist.get_rank() == 0:
        for left in partial.parent.glob("rows-*"):  # by a process that was killed while it wrote or removed one
            if left.suffix in (".partial", REMOVED):
                shutil.rmtree(left, ignore_errors=True)
        partial.mkdir(parents=True)
    dist.barrier()
    return partial


def complete(folder: Path, record: Record, keep: int | None, group: dist.ProcessGroup | None = None) -> Path:
    """Give what all processes have written a record and its name, and drop the oldest checkpoints.

    Called by all processes, which talk over ``group``. Raises RunError, on all of them, when one could not read what it
    wrote, or the first one could not write the record.
    """
    partial, rank = _partial(folder, record), dist.get_rank()
    final = partial.with_suffix("")
    # Each process reads again what it wrote itself, while the file system still holds it.
    own = _attempt(lambda: {file.name: file_entry(file) for file in partial.glob(f"__{rank}_*")})
    sums: dict[str, Any] = {}
    for entries in _agreed(partial, own, group):
        sums |= entries

    def finish() -> None:
        _finish(partial, record, sums)
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        _prune(folder, final, keep)

    _agreed(partial, _attempt(finish) if rank == 0 else (None, None), group)
    return final


@contextmanager
def written(partial: Path) -> Iterator[None]:
    """Around what writes tensors to a folder: raises RunError when a process could not (torch tells all of them)."""
    try:
        yield
    except CheckpointException as error:
        raise _unwritten(partial, next(iter(error.failures.values()))[0]) from None


def _unwritten(partial: Path, problem: object) -> RunError:
    # What torch says of a file that was cut short holds no reason of the system's, so the usual ones are named.
    return RunError(
        f"{partial}: a checkpoint could not be written: {problem}; those before it are as they were: mend that (on a "
        "full disk make room, under a limit of a file's size raise the limit), and the same command goes on from the "
        "newest"
    )


def _attempt(action: Callable[[], _Result]) -> tuple[_Result | None, str | None]:
    """The action's result, or what went wrong with the files."""
    try:
        return action(), None
    except OSError as error:
        return None, str(error)


def _agreed(partial: Path, mine: tuple[_Result | None, str | None], group: dist.ProcessGroup | None) -> list[Any]:
    """The results of all processes. Raises RunError on all of them when something went wrong on one."""
    outcomes: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(outcomes, mine, group=group)
    problem = next((problem for _, problem in outcomes if problem is not None), None)
    if problem is not None:
        raise _unwritten(partial, problem)
    return [result for result, _ in outcomes]


def _finish(partial: Path, record: Record, sums: dict[str, Any]) -> None:
    """Write the record, with the checksums of all files; ``sums`` has those that are known."""
    files = dict(sums)
    for path in partial.iterdir():
        if path.name not in files:
            files[path.name] = file_entry(path)
    content = asdict(replace(record, files=dict(sorted(files.items()))))
    with (partial / RECORD).open("w") as stream:
        stream.write(json.dumps(content, indent=2))
        stream.flush()
        os.fsync(stream.fileno())


def _prune(folder: Path, newest: Path, keep: int | None) -> None:
    """Drop all but ``keep`` checkpoints: those with the fewest rows, never the one just written."""
    if keep is None:
        return
    others = [path for path in checkpoints(folder) if path != newest]
    for old in others[: len(others) - (keep - 1)] if len(others) >= keep else []:
        try:
            shutil.rmtree(old.rename(old.with_name(old.name + REMOVED)))  # a half of it is never taken for one
        except OSError as error:
            print(f"llama-train: {old}: not removed: {error}; training goes on", file=sys.stderr, flush=True)


def find_sound(folder: Path, processes: Processes) -> Path | None:
    """The run's newest checkpoint whose files are what was written; None when the run has none at all.

    All processes read a share of the files. What is damaged or half is stepped over, and said. Raises InputError when
    every checkpoint is damaged: beginning anew would overwrite what can perhaps be saved.
    """
    halves = incomplete(folder)
    for path, problem in halves if processes.main else []:
        _say(f"{path}: {problem}; it is stepped over")
    dist.barrier()
    found = checkpoints(folder)
    for path in reversed(found):
        wrong = changed_file(path, read_record(path), processes.rank, processes.world)
        if wrong is not None:
            _say(f"{path}: {wrong} is not what was written; it is stepped over")
        flag = torch.tensor([float(wrong is not None)], device=processes.device)
        if not sum_over_processes(flag).item():
            return path
    if found or halves:
        raise InputError(
            f"{folder / CHECKPOINTS}: none of its checkpoints is whole; put one back from a copy, or train in another "
            "--output"
        )
    return None


def _say(text: str) -> None:
    print(f"llama-train: {text}", file=sys.stderr, flush=True)


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
    wrong = changed_file(path, read_record(path))
    if wrong is not None:
        raise InputError(f"{path / wrong}: not what was written: the checkpoint is damaged; take the one before it")
    weights = get_model_state_dict(model)
    _read({"model": weights}, path, alone=True)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            value = weights[name]
            assert isinstance(value, Tensor)  # nothing is sharded on one process
            parameter.copy_(value)


def _read(state: dict[str, Any], path: Path, *, alone: bool) -> None:
    reader, damaged = SafeReader(str(path)), "it is damaged; take the one before it"
    try:
        reader.read_metadata()  # torch would show the traceback, and look for the metadata of another kind
    except Exception as error:  # bytes that are no pickle may be an error of any kind
        raise InputError(f"{path}/.metadata: cannot be read: {str(error) or type(error).__name__}; {damaged}") from None
    with _quiet():
        try:
            state_dict_loader.load(state, storage_reader=reader, planner=SafePlanner(), no_dist=alone)
        except CheckpointException as error:
            problem = next(iter(error.failures.values()))[0]
            raise InputError(f"{path}: the checkpoint's tensors cannot be read: {problem}; {damaged}") from None


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
    _finish(partial, record, {})
    partial.rename(path)


def read_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Fill ``tensors``, whole parameters by their names, from a checkpoint. Raises InputError."""
    _read({"model": tensors}, path, alone=True)
