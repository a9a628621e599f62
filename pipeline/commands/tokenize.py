"""``llama-data tokenize``: documents to packed token shards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llama_data.pipeline.commands import options

if TYPE_CHECKING:
    from llama_data.pipeline.core.manifest import Manifest
    from llama_data.pipeline.recipe import Recipe


def tokenize(
    domain: Annotated[
        list[str] | None, typer.Argument(help="Domains [default: all of the recipe that have documents].")
    ] = None,
    config: options.Config = None,
    output: options.Output = None,
    workers: options.Workers = None,
    executor: options.Executor = None,
    max_task_failures: options.TaskFailures = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Encode documents and pack them into rows of seq_len + 1 tokens, domain by domain."""
    changes = options.overrides(output=output, workers=workers, executor=executor, max_task_failures=max_task_failures)
    with options.shown(quiet, as_json):
        recipe = options.recipe_for_run(config, changes)
        named = list(domain) if domain else recipe.documents()
        if options.is_for_later(
            recipe,
            ["tokenize", *(domain or []), *(["--overwrite"] if overwrite else [])],
            reads=lambda: [*map(recipe.stage_of, named), *(["tokenizer"] if recipe.tokenizer.model is None else [])],
            makes=[f"tokenize/{name}" for name in named],
        ):
            return
        tokenize_domains(recipe, named if domain else _with_documents(recipe), overwrite=overwrite)


def _with_documents(recipe: Recipe) -> list[str]:
    """The recipe's domains that have documents; the others are said. Raises RequestError when none has."""
    from llama_data.pipeline.before import has_begun
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.live.display import current

    chosen = recipe.documents()
    found = [domain for domain in chosen if has_begun(recipe, domain)]
    if not found:
        raise RequestError(f"{recipe.path('documents')}: no documents; run `llama-data run` first")
    if found != chosen:
        left = ", ".join(domain for domain in chosen if domain not in found)
        current().say(f"  no documents, so left out: {left}")
    return found


def tokenizer_model(recipe: Recipe) -> str:
    """Path of the tokenizer of the run: the recipe's own, or the one that was trained in the run's folder."""
    from llama_data.pipeline.before import tokenizer_of
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import exists
    from llama_data.stages.steps.model_files import refuse_starter

    path = recipe.tokenizer.model
    if path is None:
        tokenizer_of(recipe)
        return recipe.path("tokenizer", "tokenizer.model")
    refuse_starter(path)
    if not exists(path):
        raise RequestError(
            f"{path}: no tokenizer; run `llama-data train-tokenizer`, or set tokenizer.model in the recipe"
        )
    return path


def tokenize_domains(recipe: Recipe, domains: list[str], *, overwrite: bool = False) -> None:
    """Write RUN/tokens/<domain> for each of the domains, and print what came out."""
    from llama_data.pipeline.executors.holding import hold

    # The domains too, whose documents are read and whose work folder is used.
    with hold(recipe, [*domains, *(f"tokenize/{domain}" for domain in domains)]):
        _tokenize_held(recipe, domains, overwrite)


def _tokenize_held(recipe: Recipe, domains: list[str], overwrite: bool) -> None:
    from llama_data.pipeline import execution, history, made_from
    from llama_data.pipeline.before import documents_of
    from llama_data.pipeline.commands.mix import affordable
    from llama_data.pipeline.core import manifest
    from llama_data.pipeline.groups import tokens_group
    from llama_data.pipeline.live import then
    from llama_data.pipeline.live.display import current
    from llama_data.pipeline.live.results import Ending, Result
    from llama_data.train_handoff.pack import tokenize_jobs

    model, context, shown = tokenizer_model(recipe), recipe.context(), current()
    found = {domain: documents_of(recipe, domain) for domain in domains}
    settings = {**recipe.tokens.model_dump(mode="json", exclude={"buckets"}), "seed": recipe.seed}
    ready = {}
    for domain, made in found.items():
        documents = made.below(f"documents/{domain}", ".jsonl.zst")
        ready[domain] = made_from.prepare(
            tokens_group(recipe, domain),
            tokenize_jobs(domain, context, tokenizer=model, settings=recipe.tokens, documents=documents),
            recipe,
            settings | _buckets(recipe, domain),
            before={f"documents/{domain}": made.sha256},
            overwrite=overwrite,
            say=shown.say,
        )
    history.write_recipe(recipe, "tokenize")
    rows = []
    with shown.follow(recipe.path(), [tokens_group(recipe, domain).name for domain, jobs in ready.items() if jobs]):
        for domain, jobs in ready.items():
            with made_from.noting_failure(tokens_group(recipe, domain), recipe.path()):
                execution.execute(jobs, recipe, shown.say, shown.again)
            finished = manifest.find(recipe.path("tokens", domain))
            if finished is not None:  # submitted, not done
                rows.append(_made(domain, finished))
    submitted = recipe.executor.kind == "slurm" and any(ready.values())
    next_ = then.while_submitted(recipe) if submitted else then.after_tokens(recipe, affordable(recipe))
    ended: Ending = "submitted" if submitted else "done"
    shown.result(Result(rows, shown.seconds, [recipe.path("tokens")], next_, ended=ended))


def _buckets(recipe: Recipe, domain: str) -> dict[str, object]:
    found = recipe.tokens.buckets.get(domain)
    return {} if found is None else {"buckets": found.model_dump(mode="json")}


def _made(domain: str, finished: Manifest) -> dict[str, str | int | float]:
    """What the shards of a domain hold."""
    from llama_data.train_handoff.shards.file import read_footer

    files = finished.below(f"tokens/{domain}", ".parquet")
    footers = [read_footer(split.path) for split in files]
    return {
        "domain": domain,
        "documents": sum(footer.documents for footer in footers),
        "tokens": sum(footer.tokens for footer in footers),
        "rows": sum(footer.rows for footer in footers),
        "dropped tail tokens": sum(footer.dropped_tokens for footer in footers),
        "MB": sum(split.size for split in files) / 1e6,
        "shards": len(files),
    }
