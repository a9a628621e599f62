"""From a recipe to jobs. Nothing in a stage knows which executor runs them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import Split, is_local, local_path
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.recipe import Recipe
from llama_data.pipeline.registry import STAGES
from llama_data.stages.custom import jobs as custom


def stage_jobs(recipe: Recipe, stage: str, left_out: LeftOut | None = None) -> list[Job]:
    """The jobs of a domain or source, in the order in which they run; ``left_out``: as in ``list_inputs``.

    Raises:
        RequestError: the recipe does not have it, or its inputs or models are missing.
    """
    settings = recipe.settings(stage)
    if settings is None:
        have = ", ".join(recipe.chosen()) or "none"
        raise RequestError(f"{stage}: the recipe {recipe.name!r} has no settings for this stage; it has: {have}")
    context = replace(recipe.context(stage), left_out=left_out or LeftOut())
    jobs = (
        custom.jobs(settings, context, stage)
        if isinstance(settings, custom.Settings)
        else STAGES[stage].jobs(settings, context)
    )
    _check_inputs(jobs, recipe)
    return jobs


def _check_inputs(jobs: Sequence[Job], recipe: Recipe) -> None:
    """Refuse inputs that the run has written itself, as when its folder lies inside the input."""
    if not is_local(recipe.path()):
        return
    made = ("documents", "ledger", "rejected", "signatures", "reports", "logs")
    own = tuple(os.path.abspath(local_path(recipe.path(name))) + os.sep for name in made)
    for split in input_splits(jobs):
        if is_local(split.path) and os.path.abspath(local_path(split.path)).startswith(own):
            raise RequestError(
                f"{split.path}: the globs of the inputs match what the run has written; "
                "give an --output outside of the input, or narrower `inputs`"
            )


def input_splits(jobs: Sequence[Job]) -> list[Split]:
    """The distinct input splits that the jobs read."""
    found = {split: None for job in jobs for step in job.steps if isinstance(step, Step) for split in step.splits}
    return list(found)
