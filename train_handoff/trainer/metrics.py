"""What a run writes while it trains, a JSON line a step, and what a device can do."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from llama_data.pipeline.core.files import atomic_write
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.watch.energy import Spent
from llama_data.train_handoff.trainer.watch.lines import METRICS, REPLACED, UNREADABLE, last_line, lines
from llama_data.train_handoff.trainer.watch.observer import HeldOut, Observer, StepSeen

# Dense bfloat16 peak in FLOP/s; a device that is not listed gets no utilisation rather than a guessed one.
PEAK_FLOPS = {
    "A100": 312e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "H200": 989e12,
    "B200": 2250e12,
    "MI300X": 1300e12,
}

SUMMARY = "summary.json"


def flops_per_token(model: ModelConfig, seq_len: int) -> float:
    """Training FLOPs for a token: 6 x parameters + 12 x layers x dim x seq_len (PaLM, appendix B; not causal)."""
    return 6.0 * model.parameters() + 12.0 * model.n_layers * model.dim * seq_len


def causal_flops_per_token(model: ModelConfig, seq_len: int) -> float:
    """As torchtitan counts: 6 x parameters but the embedding + 6 x layers x dim x seq_len (half of attention)."""
    embedding = 0 if model.tied else (model.vocab_size or 0) * model.dim
    return 6.0 * (model.parameters() - embedding) + 6.0 * model.n_layers * model.dim * seq_len


def peak_flops(device: torch.device, dtype: str) -> float | None:
    """Peak of the device in bfloat16, or None when it is not known or the run computes in another type."""
    if device.type != "cuda" or dtype != "bfloat16":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for key, peak in PEAK_FLOPS.items() if key in name), None)


def peak_memory(device: torch.device) -> int:
    """Peak bytes: of the device on CUDA, of the process (resident) on CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Metrics(Observer):
    """Writes ``metrics.jsonl`` below the run's folder; only the main process has one.

    A run that goes on from row ``first_row`` moves the lines of rows that it will read again, and held-out losses of
    parameters that it will not have, to ``metrics-replaced.jsonl``: every row stands once in the first, and nothing is
    forgotten. A line that a killed process left half-written is dropped.

    ``newest_held_out``: the last line of a held-out loss that stays, empty when there is none. ``spent``: what
    the run has spent so far, in steps that are taken again too.
    """

    def __init__(self, folder: str, first_row: int) -> None:
        self.path = Path(folder) / METRICS
        self.path.parent.mkdir(parents=True, exist_ok=True)
        replaced_path = self.path.with_name(REPLACED)
        self.newest_held_out: dict[str, Any] = {}
        self.spent = Spent()
        for content in (_summary(self.path.with_name(SUMMARY)), *last_line(replaced_path)):
            self._count(content)
        replaced: list[str] = []
        with atomic_write(str(self.path)) as whole:
            for line, content in lines(self.path):
                self._count(content)
                held_out = content.get("kind") == "held_out"
                if content["row"] > first_row or (content["row"] == first_row and not held_out):
                    replaced.append(line)
                    continue
                whole.write(line.encode())
                if held_out:
                    self.newest_held_out = content
            if replaced:
                with replaced_path.open("a") as stream:
                    stream.writelines(replaced)
        self._file = self.path.open("a")

    def _count(self, content: dict[str, Any]) -> None:
        """What was spent is the most that anything says."""
        hours, energy = content.get("device_hours", 0.0), content.get("energy_kwh")
        if not isinstance(hours, int | float) or not isinstance(energy, int | float | None):
            return  # a damaged file
        spent = Spent(hours, energy)
        self.spent = max(self.spent, spent, key=lambda one: one.device_hours)

    def step(self, seen: StepSeen) -> None:
        """Write the step's line."""
        self.write(seen.record())

    def held_out(self, result: HeldOut) -> None:
        """Write the line of a held-out loss."""
        self.write(result.record())

    def write(self, record: dict[str, Any]) -> None:
        """Append one line, at once visible to a reader. A number that is not finite is written as null."""
        clean = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in record.items()
        }
        self._file.write(json.dumps(clean) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _summary(path: Path) -> dict[str, Any]:
    """What an earlier process of the run ended with; empty when none did."""
    try:
        found = json.loads(path.read_text())
    except (OSError, *UNREADABLE):
        return {}
    return found if isinstance(found, dict) else {}
