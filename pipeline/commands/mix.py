"""``llama-data mix``: token shards of the domains to rows in training order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llama_data.pipeline.commands import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llama_data.pipeline.core.manifest import Manifest
    from llama_data.pipeline.recipe import Recipe
    from llama_data.train_handoff.mix.plan import MixPlan


def mix(
    config: options.Config = None,
    output: options.Output = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            "--tokens",
            help="Tokens to draw: a number, with K, M, B or T behind it (10^3, 10^6, 10^9, 10^12), like 1.4T, 1e9 or "
            "100_000 [default: as many as max_epochs allows].",
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", help="A .yaml file of shares of sampled tokens, or of epochs, by domain.")
    ] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Divide the weights by their sum where that is not 1.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of a further mix, which goes to RUN/mix/NAME [default: RUN/mix].")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of the order [default: the recipe's].")
    ] = None,
    workers: options.Workers = None,
    executor: options.Executor = None,
    max_task_failures: options.TaskFailures = None,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Print the table and write nothing.")] = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Draw rows by the mixture's weights and write them in training order; print the table beside LLaMA's."""
    from llama_data.pipeline.groups import mix_folder, mix_group
    from llama_data.pipeline.live import then
    from llama_data.pipeline.live.results import Result

    changes = options.overrides(output=output, workers=workers, executor=executor, max_task_failures=max_task_failures)
    changes |= {} if seed is None else {"seed": seed}
    changes |= {"mix.normalise": True} if normalise else {}
    changes |= {key: value for key, value in (("mix.tokens", tokens), ("mix.weights", _weights(weights))) if value}
    with options.shown(quiet, as_json) as shown:
        recipe = options.recipe_for_run(config, changes)
        folder = mix_folder(name)
        if not plan_only and options.is_for_later(
            recipe,
            ["mix", *(["--name", name] if name else []), *(["--overwrite"] if overwrite else [])],
            reads=lambda: [f"tokenize/{domain}" for domain in recipe.weighted()],
            makes=[mix_group(recipe, name).name],
        ):
            return
        before = shards_of(recipe)
        plan = plan_recipe(recipe, before)
        if plan_only:
            typer.echo(plan.table())
            return
        shown.say(plan.table())
        if write(recipe, plan, before, name=name, overwrite=overwrite):
            made = [_made(recipe, plan, folder)]
            result = Result(made, shown.seconds, [recipe.path(folder)], then.after_mix(recipe, folder))
        else:
            waiting = then.while_submitted(recipe)
            result = Result([], shown.seconds, [recipe.path(folder)], waiting, ended="submitted")
        shown.result(result)


def _made(recipe: Recipe, plan: MixPlan, folder: str) -> dict[str, str | int | float]:
    """What was written: the rows to train on, and those held out."""
    from llama_data.pipeline.core import manifest

    found = manifest.require(recipe.path(folder), "llama-data mix")
    return {
        "what": folder,
        "rows": plan.rows,
        "tokens": plan.tokens,
        "held-out rows": found.content["totals"]["validation_rows"],
        "MB": sum(file.bytes for file in found.files) / 1e6,
        "files": len(found.files),
    }


def _weights(path: str | None) -> dict[str, object] | None:
    if path is None:
        return None
    from pathlib import Path

    from llama_data.pipeline.core.settings import parse_yaml, read_text

    data, _ = parse_yaml(read_text(Path(path)), path)
    inner = data.get("weights", data)
    return dict(inner) if isinstance(inner, dict) else data


def shards_of(recipe: Recipe) -> dict[str, Manifest]:
    """The finished token shards of every domain that has any. Raises RequestError: some are not finished."""
    from llama_data.pipeline.before import tokens_of
    from llama_data.pipeline.chain import names_in

    wanted = recipe.weighted()
    present = names_in(recipe.path(), "tokens")
    return {domain: tokens_of(recipe, domain) for domain in present if domain in wanted or _is_finished(recipe, domain)}


def _is_finished(recipe: Recipe, domain: str) -> bool:
    from llama_data.pipeline.core import manifest

    return manifest.find(recipe.path("tokens", domain)) is not None


def plan_recipe(recipe: Recipe, before: Mapping[str, Manifest]) -> MixPlan:
    """The mix that the recipe asks for, over finished token shards."""
    from llama_data.train_handoff.mix.plan import plan_mix

    return plan_mix(
        recipe.path("tokens"),
        weights=recipe.weights(),
        present=list(before),
        tokens=recipe.mix.tokens,
        seed=recipe.seed,
        max_epochs=recipe.mix.max_epochs,
        rows_per_shard=recipe.mix.rows_per_shard,
        shards={domain: _paths(made, f"tokens/{domain}") for domain, made in before.items()},
    )


def affordable(recipe: Recipe) -> int | None:
    """How many tokens there are for a mix, where the recipe asks for more; None: it can be made, or not at all."""
    from llama_data.pipeline.core.errors import RequestError

    whole = recipe.model_copy(update={"mix": recipe.mix.model_copy(update={"tokens": None})})
    try:
        shards = shards_of(recipe)
        try:
            plan_recipe(recipe, shards)
        except RequestError:
            return plan_recipe(whole, shards).tokens
    except RequestError:
        pass
    return None


def _paths(made: Manifest, folder: str) -> list[str]:
    return [split.path for split in made.below(folder, ".parquet")]


def write(
    recipe: Recipe,
    plan: MixPlan,
    before: Mapping[str, Manifest],
    *,
    name: str | None = None,
    overwrite: bool = False,
) -> bool:
    """Write the rows of the plan to RUN/mix, or RUN/mix/NAME; False when that was only submitted."""
    from llama_data.pipeline.executors.holding import hold
    from llama_data.pipeline.groups import mix_group

    with hold(recipe, [mix_group(recipe, name).name]):
        return _write_held(recipe, plan, before, name, overwrite)


def _write_held(
    recipe: Recipe, plan: MixPlan, before: Mapping[str, Manifest], name: str | None, overwrite: bool
) -> bool:
    from llama_data.pipeline import execution, history, made_from
    from llama_data.pipeline.core import manifest
    from llama_data.pipeline.groups import mix_folder, mix_group
    from llama_data.pipeline.live.display import current
    from llama_data.train_handoff.buckets import domain_of
    from llama_data.train_handoff.mix.jobs import Notes, mix_jobs
    from llama_data.train_handoff.shards.file import VALIDATION

    shown = current()
    group, output = mix_group(recipe, name), recipe.path(mix_folder(name))
    used = {domain_of(domain.name): before[domain_of(domain.name)] for domain in plan.domains}
    made = mix_jobs(
        plan,
        tokens_folder=recipe.path("tokens"),
        output=output,
        validation={domain: _paths(found, f"tokens/{domain}/{VALIDATION}") for domain, found in used.items()},
        notes=Notes(recipe.context().output, group.name),
    )
    settings = {
        "weights": {domain.name: domain.share for domain in plan.domains},
        "seed": plan.seed,
        "rows": plan.rows,
        "rows_per_shard": plan.rows_per_shard,
        "unused": list(plan.unused),
        "max_epochs": recipe.mix.max_epochs,
    }
    asked = {domain.name: domain.asked for domain in plan.domains if domain.asked is not None}
    settings |= {"asked_epochs": asked} if asked else {}
    ready = made_from.prepare(
        group,
        made,
        recipe,
        settings,
        before={f"tokens/{domain}": found.sha256 for domain, found in used.items()},
        overwrite=overwrite,
        say=shown.say,
    )
    history.write_recipe(recipe, group.command.replace(" --name ", "-"))
    following = shown.follow(recipe.path(), [group.name] if ready else [])
    with following, made_from.noting_failure(group, recipe.path()):
        execution.execute(ready, recipe, shown.say, shown.again)
    return manifest.find(output) is not None
