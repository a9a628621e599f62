"""What observers of a run are told. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StepSeen:
    """A step that was taken or left out (``skipped`` says why), as everybody may see it.

    ``step`` counts from 0; ``row`` is its first row, ``end`` the one after its last; ``tokens`` are behind it.
    ``seconds`` passed, of which the first process waited ``data_wait`` for its rows. ``by_domain``: mean loss (nats a
    token); ``seen``: tokens of each domain that the parameters were trained on so far; ``epochs``: these over
    the tokens that the domain has. ``energy``: of the whole run so far, as metrics.jsonl names it.
    """

    step: int
    row: int
    end: int
    rows: int
    tokens: int
    loss: float
    lr: float
    norm: float
    seconds: float
    data_wait: float
    tokens_per_second: float
    mfu: float | None
    peak_memory: int
    processes: int
    skipped: str | None = None
    by_domain: dict[str, float] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    epochs: dict[str, float] = field(default_factory=dict)
    energy: dict[str, float] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Its line of metrics.jsonl."""
        return {
            "kind": "step",
            "step": self.step,
            "row": self.row,
            "rows": self.rows,
            "tokens": self.tokens,
            "loss": self.loss,
            "lr": self.lr,
            "gradient_norm": self.norm,
            "seconds": self.seconds,
            "data_wait_seconds": self.data_wait,
            "tokens_per_second": self.tokens_per_second,
            "mfu": self.mfu,
            "peak_memory_bytes": self.peak_memory,
            "processes": self.processes,
            **({} if self.skipped is None else {"skipped": self.skipped}),
            **{f"loss/{name}": value for name, value in self.by_domain.items()},
            **{f"tokens/{name}": value for name, value in self.seen.items()},
            **{f"epochs/{name}": value for name, value in self.epochs.items()},
            **self.energy,
        }

    def curves(self) -> dict[str, float]:
        """What curves are drawn of, by tag; only finite numbers."""
        found = {
            "loss/all": self.loss,
            **{f"loss/{name}": value for name, value in self.by_domain.items()},
            "optimizer/lr": self.lr,
            "optimizer/gradient_norm": self.norm,
            "speed/tokens_per_second": self.tokens_per_second,
            "speed/mfu": self.mfu,
            "speed/data_wait": self.data_wait / self.seconds if self.seconds else 0.0,
            **{f"tokens/{name}": float(value) for name, value in self.seen.items()},
            **{f"epochs/{name}": value for name, value in self.epochs.items()},
            **{f"energy/{name}": value for name, value in self.energy.items()},
            "events/skipped": None if self.skipped is None else 1.0,
        }
        return {tag: value for tag, value in found.items() if value is not None and math.isfinite(value)}


@dataclass(frozen=True)
class HeldOut:
    """Loss on the held-out rows after ``step``, with ``row`` rows of the mix and ``tokens`` tokens behind.

    ``all`` and each of ``domains`` have ``windows``, ``tokens``, ``bytes``, ``loss``, ``perplexity`` and
    ``bits_per_byte``, as ``llama-train evaluate`` gives them.
    """

    step: int
    row: int
    tokens: int
    seconds: float
    all: dict[str, Any]
    domains: dict[str, dict[str, Any]]

    def record(self) -> dict[str, Any]:
        """Its line of metrics.jsonl."""
        return {
            "kind": "held_out",
            "step": self.step,
            "row": self.row,
            "tokens": self.tokens,
            "seconds": self.seconds,
            **{name: self.all[name] for name in ("windows", "loss", "bits_per_byte")},
            **{
                f"{figure}/{name}": figures[figure]
                for figure in ("windows", "loss", "bits_per_byte")
                for name, figures in self.domains.items()
            },
        }

    def curves(self) -> dict[str, float]:
        """What curves are drawn of, by tag; only finite numbers."""
        found = {
            f"{tag}/{name}": figures[figure]
            for tag, figure in (("held_out", "loss"), ("held_out_bits_per_byte", "bits_per_byte"))
            for name, figures in (("all", self.all), *self.domains.items())
        }
        return {tag: value for tag, value in found.items() if value is not None and math.isfinite(value)}


class Observer:
    """Is told what happens to a run, on its first process. What it does not want to know it does not define."""

    def step(self, seen: StepSeen) -> None:
        """A step was taken or left out."""

    def held_out(self, result: HeldOut) -> None:
        """The held-out loss was measured."""

    def saved(self, row: int) -> None:
        """A checkpoint with ``row`` rows behind it was written, or is being written."""

    def warned(self, text: str) -> None:
        """Something that a person should look at."""

    def end(self, summary: dict[str, Any]) -> None:
        """This process takes no more steps; ``summary`` is what summary.json holds."""

    def close(self) -> None:
        """Nothing more is told."""
