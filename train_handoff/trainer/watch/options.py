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


def watch_overrides(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, by dotted keys, that these values of the options ask for; None: as the model's file says.

    Raises RequestError when --profile-steps is no range of steps.
    """
    steps = given["profile_steps"]
    return {
        "watch.validate_every": given["validate_every"],
        "watch.validate_rows": given["validate_rows"],
        "watch.tensorboard": given["tensorboard"] or None,
        "watch.wandb": given["wandb"],
        "watch.profile_steps": None if steps is None else _steps(steps),
        "watch.device_watts": given["device_watts"],
        "watch.quiet": given["quiet"] or None,
    }


def _steps(text: str) -> tuple[int, int]:
    begin, colon, end = text.partition(":")
    if not (colon and begin.isdecimal() and end.isdecimal() and int(begin) < int(end)):
        raise RequestError(f"--profile-steps {text}: expected A:B, two numbers of steps with A below B, as in 10:13")
    return int(begin), int(end)
