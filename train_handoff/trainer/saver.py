"""Writes a run's checkpoints, in the background where that is wanted, one after the other."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.optim import Optimizer

from llama_data.train_handoff.trainer import checkpoint
from llama_data.train_handoff.trainer.record import Record
from llama_data.train_handoff.trainer.remote.mirror import Mirror

PATIENCE = timedelta(hours=2)  # for the slowest process to write its share


class Saver:
    """Writes checkpoints below ``folder`` and keeps the newest ``keep`` (see ``checkpoint``).

    ``background``: the parameters and the optimiser are copied to the memory of the host (as much as this process
    holds of both), and a thread writes them while training goes on, over a process group of its own. A checkpoint has
    its name when everything is written and checked. There is one at a time: the next ``save`` waits for it, and the end
    of the run has to, with ``finish``. All processes make, and call, a saver together. A ``mirror`` sends each one
    when it is complete.
    """

    def __init__(self, folder: Path, keep: int | None, *, background: bool, mirror: Mirror | None = None) -> None:
        self.folder = folder
        self.keep = keep
        self.mirror = mirror
        self._pending: Future[Path] | None = None
        self._group = dist.new_group(backend="gloo", timeout=PATIENCE) if background else None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        pinned = torch.cuda.is_available()
        self._stager = DefaultStager(
            StagingOptions(
                use_pinned_memory=pinned,
                use_shared_memory=False,
                use_async_staging=False,
                use_non_blocking_copy=pinned,
            )
        )

    def save(self, record: Record, model: nn.Module, optimizer: Optimizer) -> None:
        """Write a checkpoint of these parameters, once the one before is written. Raises RunError as ``finish``."""
        self.finish()
        if self._group is None:
            self._sent(checkpoint.save(self.folder, record, model, optimizer, self.keep))
            return
        partial = checkpoint.begin(self.folder, record)
        written = async_save(
            checkpoint.state_of(model, optimizer),
            checkpoint_id=str(partial),
            process_group=self._group,
            async_stager=self._stager,
        )
        assert isinstance(written, Future)  # the copy is made before it returns
        self._pending = self._pool.submit(self._complete, partial, written, record)

    def _complete(self, partial: Path, written: Future[Any], record: Record) -> Path:
        with checkpoint.written(partial):
            written.result()
        return self._sent(checkpoint.complete(self.folder, record, self.keep, self._group))

    def _sent(self, path: Path) -> Path:
        if self.mirror is not None:
            self.mirror.send(path)
        return path

    def __enter__(self) -> Saver:
        return self

    def __exit__(self, *error: object) -> None:
        self.finish()

    def failed(self) -> bool:
        """Whether the checkpoint in hand could not be written, which ``finish`` will say; does not wait."""
        return self._pending is not None and self._pending.done() and self._pending.exception() is not None

    def finish(self) -> None:
        """Wait until the checkpoint in hand is complete. Raises RunError, on all processes, when it could not be."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()
