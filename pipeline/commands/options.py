"""Options that several verbs share, and how flags become overrides of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from llama_data.pipeline.recipe import Recipe

Config = Annotated[
    str | None,
    typer.Option("--config", "-c", help="Recipe: a .yaml file or a preset name (llama, redpajama, ...)."),
]
Input = Annotated[str | None, typer.Option("--input", help="Folder or URL of the raw dumps; overrides the recipe.")]
Output = Annotated[str | None, typer.Option("--output", help="Folder or URL of the run; overrides the recipe.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Tasks that run at the same time.")]
Executor = Annotated[str | None, typer.Option("--executor", help="local, slurm or ray.")]
ModelsDir = Annotated[str | None, typer.Option("--models-dir", help="Folder of the downloaded models.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Make anew what other inputs or settings left there.")]


TaskFailures = Annotated[
    int | None,
    typer.Option("--max-task-failures", min=0, help="Tasks of a job that may fail before no further one is begun."),
]


def overrides(
    *,
    input: str | None = None,
    output: str | None = None,
    workers: int | None = None,
    executor: str | None = None,
    models_dir: str | None = None,
    max_task_failures: int | None = None,
) -> dict[str, Any]:
    """The recipe keys that the given flags set (those that are not None)."""
    flags = {
        "input": input,
        "output": output,
        "executor.workers": workers,
        "executor.kind": executor,
        "models_dir": models_dir,
        "executor.max_task_failures": max_task_failures,
    }
    return {key: value for key, value in flags.items() if value is not None}


def recipe_for_run(config: str | None, changes: dict[str, Any]) -> Recipe:
    """The recipe that ``-c`` names; without it, the one that stands in the run's folder."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import exists, join
    from llama_data.pipeline.recipe import RECIPE_FILE, load_recipe

    if config is not None:
        return load_recipe(config, changes)
    output = changes.get("output")
    if output is None or not exists(join(output, RECIPE_FILE)):
        raise RequestError("no recipe: give -c RECIPE, or --output with the folder of a run that has a recipe.yaml")
    return load_recipe(join(output, RECIPE_FILE), changes)


def is_for_later(
    recipe: Recipe, verb: Sequence[str], *, reads: Callable[[], Iterable[str]], makes: Sequence[str]
) -> bool:
    """True where a verb was submitted to Slurm for later, as jobs of what it reads are in the queue; says so.

    ``reads`` gives the groups of jobs that the verb reads from, ``makes`` are those that it is.
    """
    if recipe.executor.kind != "slurm":
        return False
    from llama_data.pipeline.executors.ahead import submit_ahead, told

    after = submit_ahead(recipe, verb, reads=dict.fromkeys(reads()), makes=makes)
    if after:
        typer.echo(told(" ".join(verb), after, recipe.path()), err=True)
    return bool(after)
