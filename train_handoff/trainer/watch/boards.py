"""Curves in TensorBoard and Weights & Biases, where their packages are installed. Imports no torch by itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from llama_data.pipeline.core.files import atomic_write
from llama_data.train_handoff.trainer.watch.observer import HeldOut, Observer, StepSeen

TENSORBOARD = "tensorboard"  # folder below the run's
WANDB_RUN = "wandb-run.json"  # the id under which a resumed run goes on
Axis = Literal["step", "tokens"]


class TensorBoard(Observer):
    """Writes event files below ``folder``/tensorboard; its x axis, which TensorBoard calls step, is ``axis``.

    A run that goes on at ``start`` (of that axis) takes back what an earlier process drew from there on.
    """

    def __init__(self, folder: Path, axis: Axis, start: int) -> None:
        self.axis = axis
        tensorboard: Any = import_module("torch.utils.tensorboard")
        self._writer = tensorboard.SummaryWriter(str(folder / TENSORBOARD), purge_step=start or None)

    def step(self, seen: StepSeen) -> None:
        """Draw the figures of a step; one that was left out is a text too."""
        self._draw(seen)
        if seen.skipped is not None:
            text = f"step {seen.step} (rows {seen.row} to {seen.end - 1} of the mix): {seen.skipped}; left out"
            self._writer.add_text("events", text, _place(seen, self.axis))

    def held_out(self, result: HeldOut) -> None:
        """Draw the held-out losses."""
        self._draw(result)

    def _draw(self, told: StepSeen | HeldOut) -> None:
        for tag, value in told.curves().items():
            self._writer.add_scalar(tag, value, _place(told, self.axis))

    def close(self) -> None:
        """Write what is not written yet."""
        self._writer.close()


class Wandb(Observer):
    """Logs to a project of Weights & Biases, with ``step`` and ``tokens`` in every record and ``axis`` as x axis.

    A resumed run goes on under the same id. Login, or WANDB_MODE=offline, are wandb's own matters.
    """

    def __init__(self, folder: Path, project: str, axis: Axis, config: dict[str, Any]) -> None:
        wandb: Any = import_module("wandb")
        self._run = wandb.init(
            project=project,
            id=_wandb_id(folder),
            resume="allow",
            dir=str(folder),
            config=config,
            settings=wandb.Settings(console="off", silent=True),
        )
        self._run.define_metric("*", step_metric=axis)

    def step(self, seen: StepSeen) -> None:
        """Log the figures of a step."""
        self._log(seen)

    def held_out(self, result: HeldOut) -> None:
        """Log the held-out losses."""
        self._log(result)

    def _log(self, told: StepSeen | HeldOut) -> None:
        self._run.log({"step": told.step, "tokens": told.tokens, **told.curves()}, step=told.step)

    def end(self, summary: dict[str, Any]) -> None:
        """Put the run's summary beside its curves."""
        self._run.summary.update({"final": summary})

    def close(self) -> None:
        """Hand over what is not handed over yet."""
        self._run.finish()


def _place(told: StepSeen | HeldOut, axis: Axis) -> int:
    return told.step if axis == "step" else told.tokens


def _wandb_id(folder: Path) -> str:
    """The run's id, drawn when it is asked for the first time and kept in the run's folder."""
    path = folder / WANDB_RUN
    if path.exists():
        return str(json.loads(path.read_text())["id"])
    drawn = uuid4().hex[:8]
    with atomic_write(str(path)) as stream:
        stream.write(json.dumps({"id": drawn}).encode())
    return drawn


class Guarded(Observer):
    """Another observer, left out from its first error on: a run does not end because a curve cannot be drawn."""

    def __init__(self, name: str, make: Callable[[], Observer]) -> None:
        self.name = name
        self._inner: Observer | None = None
        self._try(lambda: setattr(self, "_inner", make()))

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:
            self._inner = None
            print(
                f"llama-train: {self.name}: {type(error).__name__}: {error}; training goes on without it",
                file=sys.stderr,
                flush=True,
            )

    def step(self, seen: StepSeen) -> None:
        """Hand it on."""
        if (inner := self._inner) is not None:
            self._try(lambda: inner.step(seen))

    def held_out(self, result: HeldOut) -> None:
        """Hand it on."""
        if (inner := self._inner) is not None:
            self._try(lambda: inner.held_out(result))

    def end(self, summary: dict[str, Any]) -> None:
        """Hand it on."""
        if (inner := self._inner) is not None:
            self._try(lambda: inner.end(summary))

    def close(self) -> None:
        """Hand it on."""
        if (inner := self._inner) is not None:
            self._try(inner.close)
