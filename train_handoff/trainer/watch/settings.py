"""What a run tells about itself, and how often. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from llama_data.pipeline.core.settings import Strict


class WatchConfig(Strict):
    """What a run tells about itself; nothing here changes what a step does.

    ``validate_every``: steps between held-out losses (None: none at all), with one after the last step;
    ``validate_rows``: at most so many rows of each domain; ``validate_on``: a file of windows (``measure.prepared``) in
    place of the mix's own held-out rows. ``tensorboard``, ``wandb`` (the project): curves over
    ``axis``. ``quiet``: no progress on the terminal. ``profile_steps``: steps A to B - 1 under torch's profiler, on the
    processes ``profile_ranks``.

    ``sample_every``: steps between samples of how long each process computes and waits. A process is slow when it takes
    over ``slow_factor`` times the median of the others in two samples in a row; the rows come too slowly when waiting
    for them takes over ``data_wait`` of the time between samples (None: no warning).

    Energy by LLaMA's formula (section 6): hours of a device x ``device_watts`` (None: those of its name, where known) x
    ``pue``, and ``kg_co2e_per_kwh``: the paper's 1.1 and 0.385.
    """

    validate_every: int | None = Field(default=None, gt=0)
    validate_rows: int | None = Field(default=256, gt=0)
    validate_on: str | None = None
    tensorboard: bool = False
    wandb: str | None = Field(default=None, min_length=1)
    axis: Literal["step", "tokens"] = "step"
    quiet: bool = False
    profile_steps: tuple[int, int] | None = None
    profile_ranks: tuple[int, ...] = (0,)
    sample_every: int | None = Field(default=50, gt=0)
    slow_factor: float | None = Field(default=1.2, gt=1)
    data_wait: float | None = Field(default=0.1, ge=0, lt=1)
    device_watts: float | None = Field(default=None, gt=0)
    pue: float = Field(default=1.1, ge=1)
    kg_co2e_per_kwh: float = Field(default=0.385, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> WatchConfig:
        if self.profile_steps is not None and not 0 <= self.profile_steps[0] < self.profile_steps[1]:
            begin, end = self.profile_steps
            raise ValueError(f"profile_steps {begin}, {end}: expected two numbers of steps, the first below the second")
        return self
