"""Options that several verbs share, and how flags become overrides of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from llama_data.pipeline.live.display import Display
    from llama_data.pipeline.recipe import Recipe

Config = Annotated[
    str | None,
    typer.Option("--config", "-c", help="Recipe: a .yaml file or a preset name (llama, redpajama, ...)."),
]
Input = Annotated[
    str | None,
    typer.Option("--input", help="Folder, file or URL of the raw dumps, or a list of files (wet.paths.gz)."),
]
Share = Annotated[
    str | None, typer.Option("--share", help="Read this share of the input files, like 1%; the same ones for everyone.")
]
Base = Annotated[
    str | None,
    typer.Option("--base", help="What relative paths in a list are below, like https://data.commoncrawl.org/."),
]
Output = Annotated[str | None, typer.Option("--output", help="Folder or URL of the run; overrides the recipe.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Tasks that run at the same time.")]
Executor = Annotated[str | None, typer.Option("--executor", help="local, slurm or ray.")]
ModelsDir = Annotated[str | None, typer.Option("--models-dir", help="Folder of the downloaded models.")]
StarterModels = Annotated[
    bool,
    typer.Option(
        "--starter-models", help="Take the small models of the package for language, perplexity (en) and references."
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Make anew what other inputs or settings left there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON event a line on standard output, for other programs.")]
TaskFailures = Annotated[
    int | None,
    typer.Option("--max-task-failures", min=0, help="Tasks of a job that may fail before no further one is begun."),
]


def shown(quiet: bool, as_json: bool, again: str | None = None) -> AbstractContextManager[Display]:
    """Show what the block does, as the flags say. Raises RequestError: they contradict each other."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.live.display import display

    if quiet and as_json:
        raise RequestError("--quiet and --json: give one of them")
    return display(quiet=quiet, as_json=as_json, again=again)


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


def choice(stages: Sequence[str], share: str | None, base: str | None) -> dict[str, Any]:
    """The keys of ``overrides`` that ``--share`` and ``--base`` set, for each of the stages."""
    from llama_data.pipeline.core.domains import DOMAINS

    given = {key: value for key, value in {"share": share, "base": base}.items() if value is not None}
    return {
        f"{'domains' if stage in DOMAINS else 'sources'}.{stage}.{key}": value
        for stage in stages
        for key, value in given.items()
    }


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


def take_starters(recipe: Recipe, stages: Sequence[str]) -> Recipe:
    """The recipe with the package's own models wherever it has one; says which."""
    from llama_data.pipeline.live.display import current
    from llama_data.pipeline.ready import with_starters

    recipe, told = with_starters(recipe, stages)
    for line in told:
        current().say(line)
    return recipe


def is_for_later(
    recipe: Recipe, verb: Sequence[str], *, reads: Callable[[], Iterable[str]], makes: Sequence[str]
) -> bool:
    """True where a verb was submitted to Slurm for later, as jobs of what it reads are in the queue; says so.

    ``reads`` gives the groups of jobs that the verb reads from, ``makes`` are those that it is.
    """
    if recipe.executor.kind != "slurm":
        return False
    from llama_data.pipeline.executors.ahead import submit_ahead, told
    from llama_data.pipeline.live import then
    from llama_data.pipeline.live.display import current
    from llama_data.pipeline.live.results import Result

    after = submit_ahead(recipe, verb, reads=dict.fromkeys(reads()), makes=makes)
    if after:
        shown = current()
        shown.say(told(" ".join(verb), after, recipe.path()))
        shown.result(Result([], shown.seconds, [recipe.path()], then.while_submitted(recipe), ended="submitted"))
    return bool(after)
