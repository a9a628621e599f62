"""Options of `llama-train launch` that say what a run tells while it trains. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from llama_data.pipeline.core.errors import RequestError

ValidateEvery = Annotated[
    int | None, typer.Option("--validate-every", min=1, help="Steps between held-out losses [default: none].")
]
ValidateRows = Annotated[
    int | None, typer.Option("--validate-rows", min=1, help="Held-out rows of each domain, at most [default: 256].")
]
TensorBoardOption = Annotated[bool, typer.Option("--tensorboard", help="Draw curves for TensorBoard.")]
WandbOption = Annotated[str | None, typer.Option("--wandb", help="Project of Weights & Biases to log to.")]
ProfileSteps = Annotated[
    str | None, typer.Option("--profile-steps", help="A:B, steps A to B-1 (from 0) under torch's profiler.")
]
DeviceWatts = Annotated[
    float | None, typer.Option("--device-watts", min=0.1, help="Of a device, for the energy [default: by its name].")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Only warnings and errors.")]


def watch_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """What these options, where they were given, set in a run's configuration, by dotted key.

    Raises RequestError when --profile-steps is no range of steps.
    """
    steps = values["profile_steps"]
    found = {
        "watch.validate_every": values["validate_every"],
        "watch.validate_rows": values["validate_rows"],
        "watch.tensorboard": values["tensorboard"] or None,
        "watch.wandb": values["wandb"],
        "watch.profile_steps": None if steps is None else _steps(steps),
        "watch.device_watts": values["device_watts"],
        "watch.quiet": values["quiet"] or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _steps(text: str) -> tuple[int, int]:
    begin, colon, end = text.partition(":")
    if not (colon and begin.isdecimal() and end.isdecimal() and int(begin) < int(end)):
        raise RequestError(f"--profile-steps {text}: expected A:B, two numbers of steps with A below B, as in 10:13")
    return int(begin), int(end)
