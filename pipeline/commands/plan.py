"""``llama-data plan``: what would run, before anything does."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_data.pipeline.commands import options


def plan(
    recipe: Annotated[
        str | None, typer.Argument(help="Recipe: a .yaml file or a preset name (llama, corpus, ...).")
    ] = None,
    config: options.Config = None,
    input: options.Input = None,
    output: options.Output = None,
    workers: options.Workers = None,
    models_dir: options.ModelsDir = None,
    starter_models: options.StarterModels = False,
    share: options.Share = None,
    base: options.Base = None,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Measure the rates on a few MB of each input first (in a temporary folder)."),
    ] = False,
) -> None:
    """Print the inputs found, what is missing, the jobs, and estimates of time, memory and disk; write nothing."""
    from llama_data.pipeline import plan as planning
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.left_out import LeftOut
    from llama_data.pipeline.recipe import load_recipe

    chosen = recipe or config
    if chosen is None or (recipe and config):
        raise RequestError("expected one recipe: `llama-data plan RECIPE`; `llama-data recipes list` shows the presets")
    changes = options.overrides(input=input, output=output, workers=workers, models_dir=models_dir)
    loaded = load_recipe(chosen, changes)
    narrower = options.choice(loaded.chosen(), share, base)
    if narrower:
        loaded = load_recipe(chosen, {**changes, **narrower})
    if loaded.output is None:
        loaded = loaded.model_copy(update={"output": "RUN"})
    planning.require_domains(loaded)
    if starter_models:
        loaded = options.take_starters(loaded, loaded.chosen())
    left_out = LeftOut()
    plan = planning.make_plan(loaded, calibrate, lambda line: typer.echo(line, err=True), left_out)
    typer.echo(planning.describe(plan, left_out))
    if not plan.domains:
        raise typer.Exit(2)
