"""``llama-data train-tokenizer``: documents to a SentencePiece BPE tokenizer with LLaMA's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from llama_data.pipeline.commands import options

if TYPE_CHECKING:
    from llama_data.pipeline.recipe import Recipe


def train_tokenizer(
    config: options.Config = None,
    output: options.Output = None,
    workers: options.Workers = None,
    executor: options.Executor = None,
    max_task_failures: options.TaskFailures = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Train the tokenizer on text sampled from the run's documents by the mixture's weights."""
    changes = options.overrides(output=output, workers=workers, executor=executor, max_task_failures=max_task_failures)
    recipe = options.recipe_for_run(config, changes)
    train(recipe, overwrite=overwrite)


def train(recipe: Recipe, *, overwrite: bool = False) -> None:
    """Write RUN/tokenizer: the model, its vocabulary, Hugging Face's files and the card."""
    from llama_data.pipeline.executors.holding import hold

    if options.is_for_later(
        recipe,
        ["train-tokenizer", *(["--overwrite"] if overwrite else [])],
        reads=lambda: [recipe.stage_of(domain) for domain, share in recipe.weights().items() if share > 0],
        makes=["tokenizer"],
    ):
        return
    with hold(recipe, ["tokenizer"]):
        _train_held(recipe, overwrite)


def _train_held(recipe: Recipe, overwrite: bool) -> None:
    import json

    from llama_data.pipeline import execution, history, made_from
    from llama_data.pipeline.before import documents_of, has_begun
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import read_bytes
    from llama_data.pipeline.groups import tokenizer_group
    from llama_data.tokenizer.train import train_jobs

    if recipe.tokenizer.model is not None:
        raise RequestError(f"the recipe names an existing tokenizer ({recipe.tokenizer.model}): nothing to train")
    context, folder, group = recipe.context(), recipe.path("tokenizer"), tokenizer_group(recipe)
    wanted = [domain for domain, share in recipe.weights().items() if share > 0]
    missing = [domain for domain in wanted if not has_begun(recipe, domain)]
    if missing:
        raise RequestError(
            f"{recipe.path('documents')}: no documents of {', '.join(missing)}, which have a share of the mix; "
            f"run `llama-data run {missing[0]}` first, or leave them out of mix.weights in the recipe"
        )
    found = {domain: documents_of(recipe, domain) for domain in wanted}
    documents = {domain: made.below(f"documents/{domain}", ".jsonl.zst") for domain, made in found.items()}
    made = train_jobs(context, weights=recipe.weights(), settings=recipe.tokenizer, documents=documents)
    settings = {**recipe.tokenizer.model_dump(mode="json"), "weights": recipe.mix.weights, "seed": recipe.seed}
    before = {f"documents/{domain}": made.sha256 for domain, made in found.items()}
    ready = made_from.prepare(
        group,
        made,
        recipe,
        settings,
        before=before,
        overwrite=overwrite,
        say=lambda line: typer.echo(line, err=True),
    )
    history.write_recipe(recipe, "train-tokenizer")
    with made_from.noting_failure(group, recipe.path()):
        execution.execute(ready, recipe, lambda line: typer.echo(line, err=True))
    if ready and recipe.executor.kind == "slurm":
        return
    card = json.loads(read_bytes(recipe.path("tokenizer", "card.json")))
    typer.echo(f"{folder}: {card['settings']['vocab_size']:,} pieces, sha256 {card['sha256']}")
