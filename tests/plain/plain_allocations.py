"""Counts what a training step allocates: every block of the CPU's allocator, as torch's profiler sees it.

Run as a program it is one of several processes: ``counting.py CASE`` with the case as JSON prints what it has counted.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.profiler import ProfilerActivity, profile

from llama_data.train_handoff.trainer import distributed
from llama_data.train_handoff.trainer.config import ModelConfig, TrainConfig
from llama_data.train_handoff.trainer.learner import Learner
from llama_data.train_handoff.trainer.loader import batches
from llama_data.train_handoff.trainer.measure.bench import SyntheticRows, fill

STEPS = 2  # the moments are there from the second on


class Counted(NamedTuple):
    """Bytes: the most that was held, and what is held after the last step."""

    peak: int
    left: int


def allocations(profiler: profile) -> Counted:
    """Adds the profiler's records up, in the order of time."""
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]  # type: ignore[union-attr]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return Counted(peak, held)


def a_run(*, seq_len: int = 256, passes: int = 1, world: int = 1, **changes: Any) -> TrainConfig:
    """A small run; ``passes`` micro-batches a step."""
    model = {"dim": 128, "n_heads": 4, "n_layers": 4, "multiple_of": 32, **changes.pop("model", {})}
    values = {"name": "test", "micro_rows": 4, "dtype": "float32", "device": "cpu", **changes}
    tokens = passes * values["micro_rows"] * world * seq_len
    return TrainConfig.model_validate({**values, "model": model, "batch_tokens": tokens})


def join(world: int, replicate: int) -> distributed.Processes:
    """This process as the first of ``world``, of which the others only seem to be there: nothing is sent."""
    if world == 1:
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    else:
        from torch.testing._internal.distributed.fake_pg import FakeStore

        dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=world)
    mesh = init_device_mesh("cpu", (replicate, world // replicate), mesh_dim_names=("replicate", "shard"))
    return distributed.Processes(0, world, torch.device("cpu"), mesh)


def count(
    config: TrainConfig, processes: distributed.Processes, seq_len: int, vocab: int
) -> tuple[Counted, ModelConfig]:
    """What two steps allocate, and the model they train."""
    rows = SyntheticRows(STEPS * config.batch_rows(seq_len), seq_len, vocab)
    gc.collect()  # what earlier tests have left is not to be let go meanwhile
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        learner = Learner(config, rows.footer, rows.domains, processes)
        fill(learner.model, 1)
        learner.model.train()
        for batch in batches(
            rows, batch_rows=learner.batch_rows, start_row=0, first=0, steps=STEPS,
            rank=processes.rank, world=processes.world,
        ):  # fmt: skip
            learner.update(batch, 1e-3)
    return allocations(profiler), learner.model.config


def main(case: str) -> None:
    """One of the processes that torchrun has started."""
    changes = json.loads(case)
    seq_len, vocab = changes.pop("seq_len"), changes.pop("vocab")
    config = a_run(seq_len=seq_len, world=int(os.environ["WORLD_SIZE"]), **changes)
    with distributed.worker():
        processes = distributed.start(config)
        counted, _ = count(config, processes, seq_len, vocab)
        if processes.main:
            print(json.dumps(counted))


if __name__ == "__main__":
    main(sys.argv[1])
