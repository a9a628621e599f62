"""``llama-data train-tokenizer``: documents to a SentencePiece BPE tokenizer with LLaMA's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Train the tokenizer on text sampled from the run's documents by the mixture's weights."""
    changes = options.overrides(output=output, workers=workers, executor=executor, max_task_failures=max_task_failures)
    with options.shown(quiet, as_json):
        train(options.recipe_for_run(config, changes), overwrite=overwrite)


def train(recipe: Recipe, *, overwrite: bool = False) -> None:
    """Write RUN/tokenizer: the model, its vocabulary, Hugging Face's files and the card."""
    from llama_data.pipeline.executors.holding import hold

    if options.is_for_later(
        recipe,
        ["train-tokenizer", *(["--overwrite"] if overwrite else [])],
        reads=lambda: [recipe.stage_of(domain) for domain in recipe.weighted()],
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
    from llama_data.pipeline.live import then
    from llama_data.pipeline.live.display import current
    from llama_data.pipeline.live.results import Result
    from llama_data.pipeline.summary import counted
    from llama_data.tokenizer.train import train_jobs
    from llama_data.train_handoff.mix.weights import text_weights

    if recipe.tokenizer.model is not None:
        raise RequestError(f"the recipe names an existing tokenizer ({recipe.tokenizer.model}): nothing to train")
    shown = current()
    context, folder, group = recipe.context(), recipe.path("tokenizer"), tokenizer_group(recipe)
    wanted = recipe.weighted()
    missing = [domain for domain in wanted if not has_begun(recipe, domain)]
    if missing:
        raise RequestError(
            f"{recipe.path('documents')}: no documents of {', '.join(missing)}, which have a share of the mix; "
            f"run `llama-data run {missing[0]}` first, or leave them out of mix.weights in the recipe"
        )
    found = {domain: documents_of(recipe, domain) for domain in wanted}
    documents = {domain: made.below(f"documents/{domain}", ".jsonl.zst") for domain, made in found.items()}
    weights = text_weights(recipe.weights(), lambda domain: counted(context, domain).chars_out)
    made = train_jobs(context, weights=weights, settings=recipe.tokenizer, documents=documents)
    settings = {**recipe.tokenizer.model_dump(mode="json"), "weights": recipe.mix.weights, "seed": recipe.seed}
    before = {f"documents/{domain}": made.sha256 for domain, made in found.items()}
    ready = made_from.prepare(
        group,
        made,
        recipe,
        settings,
        before=before,
        overwrite=overwrite,
        say=shown.say,
    )
    history.write_recipe(recipe, "train-tokenizer")
    following = shown.follow(recipe.path(), [group.name] if ready else [])
    with following, made_from.noting_failure(group, recipe.path()):
        execution.execute(ready, recipe, shown.say, shown.again)
    if ready and recipe.executor.kind == "slurm":
        shown.result(Result([], shown.seconds, [folder], then.while_submitted(recipe), ended="submitted"))
        return
    card = json.loads(read_bytes(recipe.path("tokenizer", "card.json")))
    shown.result(
        Result(
            [_made(card)],
            shown.seconds,
            [folder],
            then.after_tokenizer(recipe),
            notes=[f"sha256 {card['sha256']}"],
        )
    )


def _made(card: dict[str, Any]) -> dict[str, str | int | float]:
    """What the tokenizer was trained on."""
    read = [domain["read"] for domain in card["input"].values()]
    return {
        "what": "tokenizer",
        "pieces": card["settings"]["vocab_size"],
        "documents read": sum(part["documents"] for part in read),
        "lines of the sample": sum(domain["lines"] for domain in card["input"].values()),
        "MB of the sample": sum(domain["bytes"] for domain in card["input"].values()) / 1e6,
    }
