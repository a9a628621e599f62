"""What a run tells while it trains: one JSON line a step, and a line for the person who watches."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import torch

from llama_data.pipeline.core.files import atomic_write
from llama_data.train_handoff.trainer.config import ModelConfig

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


class Metrics:
    """Writes ``metrics.jsonl`` below the run's folder; only the main process has one.

    A run that goes on from row ``first_row`` moves the lines of rows that it will read again to
    ``metrics-replaced.jsonl``: every row stands once in the first, and nothing is forgotten. A line that a killed
    process left half-written is dropped.
    """

    def __init__(self, folder: str, first_row: int) -> None:
        self.path = Path(folder) / "metrics.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept: list[str] = []
        replaced: list[str] = []
        for line in self.path.read_text().splitlines() if self.path.exists() else []:
            row = _row_of(line)
            if row is not None:
                (kept if row < first_row else replaced).append(line + "\n")
        if replaced:
            with self.path.with_name("metrics-replaced.jsonl").open("a") as stream:
                stream.writelines(replaced)
        with atomic_write(str(self.path)) as whole:
            whole.write("".join(kept).encode())
        self._file = self.path.open("a")
        self._last = time.perf_counter()

    def seconds(self) -> float:
        """Seconds since the last call (or since the start)."""
        now = time.perf_counter()
        elapsed, self._last = now - self._last, now
        return elapsed

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


def _row_of(line: str) -> int | None:
    try:
        return int(json.loads(line)["row"])
    except (ValueError, KeyError, TypeError):
        return None
