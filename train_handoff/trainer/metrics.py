"""What a run writes while it trains, a JSON line a step, and what a device can do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from llama_data.pipeline.core.files import atomic_write
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.watch.energy import Spent
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

LAST_BYTES = 1 << 16  # of a file, in which its last line is looked for


def flops_per_token(model: ModelConfig, seq_len: int) -> float:
    """Training FLOPs for a token: 6 x parameters + 12 x layers x dim x seq_len (PaLM, appendix B; not causal)."""
    return 6.0 * model.parameters() + 12.0 * model.n_layers * model.dim * seq_len


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
        self.path = Path(folder) / "metrics.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        replaced_path = self.path.with_name("metrics-replaced.jsonl")
        self.newest_held_out: dict[str, Any] = {}
        self.spent = Spent()
        kept: list[str] = []
        replaced: list[str] = []
        for _, content in [*_last_line(replaced_path), *_lines(self.path)]:
            self.spent = max(self.spent, _spent(content), key=lambda spent: spent.device_hours)
        for line, content in _lines(self.path):
            held_out = content.get("kind") == "held_out"
            stays = content["row"] <= first_row if held_out else content["row"] < first_row
            (kept if stays else replaced).append(line + "\n")
            if held_out and stays:
                self.newest_held_out = content
        if replaced:
            with replaced_path.open("a") as stream:
                stream.writelines(replaced)
        with atomic_write(str(self.path)) as whole:
            whole.write("".join(kept).encode())
        self._file = self.path.open("a")

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


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each whole line of a file that may not be there, and what it says."""
    if path.exists():
        with path.open() as stream:
            yield from _whole(stream)


def _whole(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in lines:
        try:
            content = json.loads(line)
            content["row"] = int(content["row"])
        except (ValueError, KeyError, TypeError):
            continue
        yield line.rstrip("\n"), content


def _last_line(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The last whole line of a file that may not be there."""
    if not path.exists():
        return []
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - LAST_BYTES))
        return list(_whole(stream.read().decode(errors="replace").splitlines()))[-1:]


def _spent(content: dict[str, Any]) -> Spent:
    return Spent(content.get("device_hours", 0.0), content.get("energy_kwh"))
