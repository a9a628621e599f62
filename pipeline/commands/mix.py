"""``llama-data mix``: token shards of the domains to rows in training order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llama_data.pipeline.commands import options

if TYPE_CHECKING:
    from llama_data.pipeline.recipe import Recipe
    from llama_data.train_handoff.mix.plan import MixPlan


def mix(
    config: options.Config = None,
    output: options.Output = None,
    tokens: Annotated[
        str | None, typer.Option("--tokens", help="Tokens to draw, like 1.4T [default: as many as max_epochs allows].")
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", help="A .yaml file of shares of sampled tokens by domain.")
    ] = None,
    workers: options.Workers = None,
    executor: options.Executor = None,
    max_task_failures: options.TaskFailures = None,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Print the table and write nothing.")] = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Draw rows by the mixture's weights and write them in training order; print the table beside LLaMA's."""
    changes = options.overrides(output=output, workers=workers, executor=executor, max_task_failures=max_task_failures)
    changes |= {key: value for key, value in (("mix.tokens", tokens), ("mix.weights", _weights(weights))) if value}
    recipe = options.recipe_for_run(config, changes)
    plan = plan_recipe(recipe)
    typer.echo(plan.table())
    if not plan_only:
        write(recipe, plan, overwrite=overwrite)
        typer.echo(f"{recipe.path('mix')}: train on it with `llama-train launch --data {recipe.path('mix')}`")


def _weights(path: str | None) -> dict[str, object] | None:
    if path is None:
        return None
    from pathlib import Path

    from llama_data.pipeline.core.settings import parse_yaml, read_text

    data, _ = parse_yaml(read_text(Path(path)), path)
    inner = data.get("weights", data)
    return dict(inner) if isinstance(inner, dict) else data


def plan_recipe(recipe: Recipe) -> MixPlan:
    """The mix that the recipe asks for, over the token shards that are in the run's folder."""
    from llama_data.pipeline.core.files import list_files
    from llama_data.train_handoff.mix.plan import plan_mix

    folder = recipe.path("tokens")
    present = [path.rstrip("/").rsplit("/", 1)[-1] for path in list_files(folder, "")]
    return plan_mix(
        folder,
        weights=recipe.weights(),
        present=present,
        tokens=recipe.mix.tokens,
        seed=recipe.seed,
        max_epochs=recipe.mix.max_epochs,
        rows_per_shard=recipe.mix.rows_per_shard,
    )


def write(recipe: Recipe, plan: MixPlan, *, overwrite: bool = False) -> None:
    """Write the rows of the plan to RUN/mix."""
    from llama_data.pipeline.executors.holding import hold

    with hold(recipe, ["mix"]):
        _write_held(recipe, plan, overwrite)


def _write_held(recipe: Recipe, plan: MixPlan, overwrite: bool) -> None:
    from llama_data.pipeline import execution, made_from
    from llama_data.train_handoff.mix.jobs import mix_jobs

    made = mix_jobs(plan, tokens_folder=recipe.path("tokens"), output=recipe.path("mix"))
    settings = {"fingerprint": plan.fingerprint, "rows": plan.rows, "rows_per_shard": plan.rows_per_shard}
    made_from.prepare("mix", made, recipe, settings, overwrite=overwrite, outputs=[recipe.path("mix")])
    execution.execute(made, recipe, lambda line: typer.echo(line, err=True))
