"""The curves of a training run, from train/metrics.jsonl, thinned out while they are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from llama_data.pipeline.core.files import exists, join, open_binary
from llama_data.pipeline.report.tokens import ordered

POINTS = 240


class Curve:
    """A curve of at most twice ``POINTS`` points, each the mean of so many that follow each other."""

    def __init__(self) -> None:
        self.each = 1
        self._points: list[tuple[float, float]] = []
        self._x = self._y = 0.0
        self._count = 0
        self.last: float | None = None

    def add(self, x: float, y: float) -> None:
        """Add the next point."""
        self._x, self._y, self._count, self.last = self._x + x, self._y + y, self._count + 1, y
        if self._count == self.each:
            self._points.append((self._x / self._count, self._y / self._count))
            self._x, self._y, self._count = 0.0, 0.0, 0
            if len(self._points) == 2 * POINTS:
                pairs = zip(self._points[::2], self._points[1::2], strict=True)
                self._points = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairs]
                self.each *= 2

    def points(self) -> list[tuple[float, float]]:
        """The points, the last one of what is left over."""
        rest = [(self._x / self._count, self._y / self._count)] if self._count else []
        return [*self._points, *rest]


@dataclass
class Training:
    """Losses in nats a token over the tokens trained on: by domain, ``""`` for all."""

    steps: int = 0
    tokens: int = 0
    skipped: int = 0
    loss: dict[str, Curve] = field(default_factory=dict)
    held_out: dict[str, Curve] = field(default_factory=dict)
    rate: Curve = field(default_factory=Curve)
    is_cut_off: bool = False

    @property
    def domains(self) -> list[str]:
        """The domains that have a curve, those of LLaMA in the order of its Table 1."""
        return ordered([*({*self.loss, *self.held_out} - {""})])


def read_training(run: str) -> Training | None:
    """The curves; None: nothing was trained. A line that is not whole (training goes on) ends them."""
    path = join(run, "train", "metrics.jsonl")
    if not exists(path):
        return None
    found = Training()
    with open_binary(path) as stream:
        for line in stream:
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                found.is_cut_off = True
                break
            _add(found, record)
    return found if found.loss else None


def _add(found: Training, record: dict[str, Any]) -> None:
    kind = record.get("kind", "step")
    if kind not in ("step", "held_out"):
        return
    curves = found.loss if kind == "step" else found.held_out
    x = float(record.get("tokens") or 0)
    for key, value in record.items():
        if (key == "loss" or key.startswith("loss/")) and isinstance(value, int | float):
            curves.setdefault(key.partition("/")[2], Curve()).add(x, float(value))
    if kind == "step":
        found.steps += 1
        found.tokens = int(x)
        found.skipped += bool(record.get("skipped"))
        if record.get("tokens_per_second"):
            found.rate.add(x, float(record["tokens_per_second"]))
