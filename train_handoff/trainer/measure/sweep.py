"""``llama-train bench --sweep``: tries what may be faster and fits, and keeps the fastest. Imports no torch.

First every ``recompute`` with the most rows at a time that the account of memory lets in, and half as many; then, from
the fastest on, one change at a time. A setting that was given is not varied. Each combination is a start of its own, so
one that is out of memory ends itself only. All nodes see the same figures and so choose the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.files import atomic_write
from llama_data.train_handoff.trainer import fit
from llama_data.train_handoff.trainer.config import ModelConfig, TrainConfig, agree
from llama_data.train_handoff.trainer.launch import Cluster, FailedError, bench_config
from llama_data.train_handoff.trainer.memory import peak

Settings = dict[str, Any]
Measure = Callable[[Settings], dict[str, Any]]
MOST_ROWS = 64
SHOWN = ("micro_rows", "recompute", "loss_tokens", "compile", "replicate", "attention")


@dataclass(frozen=True)
class Tried:
    """A combination: what was set, bytes as the account says, and what was measured, or why nothing was."""

    settings: Settings
    predicted: float
    result: dict[str, Any] | None
    problem: str = ""

    @property
    def rate(self) -> float:
        """Tokens a second; 0 where it failed."""
        return 0.0 if self.result is None else float(self.result["tokens_per_second"])


@dataclass(frozen=True)
class Space:
    """What a sweep may vary: all but what was ``given``; ``limit``: bytes of a device (None: no limit)."""

    config: TrainConfig
    model: ModelConfig
    world: int
    limit: float | None
    given: frozenset[str]

    def run(self, settings: Settings) -> TrainConfig:
        """The run with these settings; without a batch that was given a step is one micro-batch on each process."""
        run = fit.apply(self.config, settings)
        if "batch_tokens" in self.given:
            return run
        assert self.model.seq_len is not None
        return run.model_copy(update={"batch_tokens": run.micro_rows * self.world * self.model.seq_len})

    def predicted(self, settings: Settings) -> float:
        """Bytes of a process, by the account of memory."""
        return peak(self.run(settings), self.model, self.world).total

    def fits(self, settings: Settings) -> bool:
        """Whether the account says that it fits."""
        return self.limit is None or fit.fits(self.predicted(settings), self.limit)

    def first(self) -> Iterator[Settings]:
        """Each ``recompute``, with the most rows at a time that fit, and half of them; nothing when none fits."""
        modes = [self.config.recompute] if "recompute" in self.given else ["none", "selective", "full"]
        sizes = [2**power for power in range(MOST_ROWS.bit_length())]
        if self.limit is None or "micro_rows" in self.given:
            sizes = [self.config.micro_rows]
        for mode in modes:
            fitting = [rows for rows in sizes if self.fits({"recompute": mode, "micro_rows": rows})]
            for rows in reversed(fitting[-2:]):
                yield {"recompute": mode, "micro_rows": rows}

    def changes(self, best: Settings) -> Iterator[Settings]:
        """The best with one thing changed, where that fits."""
        now = fit.apply(self.config, best)
        copies = [count for count in range(1, self.world + 1) if self.world % count == 0]
        kernels = ["sdpa", "flex", "varlen"] if self.config.document_mask and self.config.device != "cpu" else []
        values: dict[str, list[Any]] = {
            "compile": [not now.compile],
            "loss_tokens": [None, 1024, 4096],
            "replicate": [count for count in copies if abs(count.bit_length() - now.replicate.bit_length()) == 1],
            "attention": kernels,
        }
        for name, others in values.items():
            for value in others:
                changed = {**best, name: value}
                if name not in self.given and value != getattr(now, name) and self.fits(changed):
                    yield changed


def space_of(
    source: str, given: Settings, cluster: Cluster, limit: float | None, *, seq_len: int, vocab_size: int
) -> Space:
    """What a sweep of a model may try; ``limit``: bytes of a device. Raises RequestError as ``bench_config``."""
    request = bench_config(source, given, cluster, steps=1, warmup=0, seq_len=seq_len, vocab_size=vocab_size)
    config, world = request.run, cluster.nproc * cluster.nnodes
    return Space(config, agree(config, request.vocab_size, request.seq_len), world, limit, frozenset(given))


def sweep(space: Space, measure: Measure, tell: Callable[[str], None]) -> list[Tried]:
    """Measure the combinations; ``tell`` gets the lines of the table as they come. Raises RunError when none ran."""
    tried: list[Tried] = []

    def attempt(settings: Settings) -> None:
        predicted = space.predicted(settings)
        try:
            tried.append(Tried(settings, predicted, measure(settings)))
        except FailedError as error:
            tried.append(Tried(settings, predicted, None, error.reason or str(error)))
        tell(line(space.config, tried[-1]))

    tell(HEADER)
    for settings in space.first():
        attempt(settings)
    if not tried:
        raise RunError("nothing fits the device; see launch --dry-run for what would")
    if best_of(tried).result is not None:
        for settings in list(space.changes(best_of(tried).settings)):
            attempt(settings)
    if best_of(tried).result is None:
        raise RunError(f"none of {len(tried)} combinations could be measured; the last: {tried[-1].problem}")
    return tried


def best_of(tried: list[Tried]) -> Tried:
    """The fastest."""
    return max(tried, key=lambda one: one.rate)


HEADER = (
    f"{'rows':>5} {'recompute':<10}{'loss':>6} {'compile':<8}{'copies':>6} {'attention':<9} {'tokens/s':>10} "
    f"{'MFU':>6} {'causal':>6} {'GB said':>8} {'GB seen':>8}"
)


def line(config: TrainConfig, tried: Tried) -> str:
    """A line of the table. MFU: by PaLM's formula; causal: by torchtitan's; GB: by the account, and measured."""
    run = fit.apply(config, tried.settings)
    head = (
        f"{run.micro_rows:>5} {run.recompute:<10}{'all' if run.loss_tokens is None else run.loss_tokens:>6} "
        f"{'yes' if run.compile else 'no':<8}{run.replicate:>6} {run.attention:<9} "
    )
    if tried.result is None:
        return f"{head}{'-':>10} {'-':>6} {'-':>6} {tried.predicted / 1e9:>8.2f} {'-':>8}  {tried.problem}"
    found = tried.result
    shares = ["n/a" if found[name] is None else f"{found[name]:.1%}" for name in ("mfu", "mfu_causal")]
    return (
        f"{head}{found['tokens_per_second']:>10,.0f} {shares[0]:>6} {shares[1]:>6} {tried.predicted / 1e9:>8.2f} "
        f"{found['peak_memory_bytes'] / 1e9:>8.2f}"
    )


def write_preset(path: Path, config: TrainConfig, best: Tried) -> None:
    """Write the run with the best settings, as `launch --model` takes it; ``config`` has the batch that is wanted."""
    run = fit.apply(config, best.settings)
    content = run.model_dump(mode="json", exclude_defaults=True, exclude={"data", "output", "initial", "change"})
    assert best.result is not None
    rate, processes = best.result["tokens_per_second"], best.result["processes"]
    note = f"# The fastest of a sweep: {rate:,.0f} tokens/s on {processes} process(es) of {best.result['device']}.\n"
    with atomic_write(str(path)) as stream:
        stream.write((note + yaml.safe_dump(content, sort_keys=False)).encode())
