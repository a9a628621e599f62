"""Whether a run fits into the memory of a device, and what to change when it does not. Imports no torch."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

from llama_data.train_handoff.trainer.config import ModelConfig, TrainConfig
from llama_data.train_handoff.trainer.memory import Moment, peak

USABLE = 0.95  # of a device's memory: the context, nccl's buffers and gaps between blocks take the rest (our choice)
LABELS = (
    "parameters",
    "gradients",
    "optimiser states",
    "activations",
    "logits and loss",
    "communication",
)
MOST_PROCESSES = 4096  # so far it is tried how many would do


def fits(total: float, limit: float) -> bool:
    """Whether so many bytes fit into a device of ``limit`` bytes."""
    return total <= USABLE * limit


def found_memory() -> float | None:
    """Bytes of the smallest CUDA device of this machine, as its driver says; None where there is none."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            check=True,
        )
        return min(float(line) for line in done.stdout.split()) * 2**20
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def report(config: TrainConfig, model: ModelConfig, world: int, limit: float | None) -> list[str]:
    """Lines that say what a process holds at its fullest, and whether that fits into ``limit`` bytes (None: any)."""
    fullest = peak(config, model, world)
    lines = [f"memory of a process at its fullest ({fullest.name}), in GB:"]
    lines += [f"  {label:<18}{size / 1e9:>10,.2f}" for label, size in zip(LABELS, sizes(fullest), strict=True)]
    lines.append(f"  {'total':<18}{fullest.total / 1e9:>10,.2f}")
    if limit is None:
        return lines
    device = f"a device of {limit / 1e9:,.1f} GB, of which {USABLE:.0%} are counted on"
    if fits(fullest.total, limit):
        return [*lines, f"fits {device}"]
    lines.append(f"does not fit {device}; what would:")
    return lines + [f"  {line}" for line in advice(config, model, world, limit)]


def sizes(moment: Moment) -> tuple[float, ...]:
    """Bytes by ``LABELS``."""
    return astuple(moment)[1:]


def advice(config: TrainConfig, model: ModelConfig, world: int, limit: float) -> list[str]:
    """Options with which the run would fit: single ones, else as many as it takes, else these on more processes."""

    def would(changes: dict[str, Any], processes: int = world) -> str | None:
        changed = apply(config, changes)
        if processes % changed.replicate:
            return None
        total = peak(changed, model, processes).total
        return f"{total / 1e9:,.2f} GB" if fits(total, limit) else None

    found = [f"{options(changes)} ({size})" for changes in savings(config) if (size := would(changes)) is not None]
    if found:
        return found
    together: dict[str, Any] = {}
    for changes in savings(config):
        together |= changes
    for few in (world * 2**power for power in range(64) if world * 2**power <= MOST_PROCESSES):
        size = would(together, few)
        if size is not None:
            for key in reversed(list(together)):  # the one that costs most first
                fewer = {name: value for name, value in together.items() if name != key}
                if (less := would(fewer, few)) is not None:
                    together, size = fewer, less
            processes = "" if few == world else f", on {few:,} processes"
            return [f"{options(together)}{processes} ({size})".lstrip(" ,")]
    return [f"nothing that is known here, on up to {MOST_PROCESSES:,} processes"]


def savings(config: TrainConfig) -> Iterator[dict[str, Any]]:
    """Changes that take less memory, the cheapest first."""
    if config.loss_tokens is None or config.loss_tokens > 1024:
        yield {"loss_tokens": 1024}
    if config.recompute == "none":
        yield {"recompute": "selective"}
    rows = config.micro_rows
    while rows > 1:
        rows //= 2
        yield {"micro_rows": rows}
    if config.recompute != "full":
        yield {"recompute": "full"}
    if config.replicate > 1:
        yield {"replicate": 1}
    if config.optim.states == "float32":
        yield {"optim.states": "bfloat16"}


def apply(config: TrainConfig, changes: dict[str, Any]) -> TrainConfig:
    """The run with other settings, by dotted key."""
    data = config.model_dump()
    for dotted, value in changes.items():
        inner = data
        *parents, last = dotted.split(".")
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    return TrainConfig.model_validate(data)


def options(changes: dict[str, Any]) -> str:
    """The command's options that make the changes."""
    return " ".join(f"--{key.rpartition('.')[2].replace('_', '-')} {value}" for key, value in changes.items())
