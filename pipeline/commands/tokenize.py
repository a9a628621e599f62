"""``llama-data tokenize``: documents to packed token shards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llama_data.pipeline.commands import options

if TYPE_CHECKING:
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
) -> None:
    """Encode documents and pack them into rows of seq_len + 1 tokens, domain by domain."""
    changes = options.overrides(output=output, workers=workers, executor=executor, max_task_failures=max_task_failures)
    recipe = options.recipe_for_run(config, changes)
    tokenize_domains(recipe, list(domain) if domain else _with_documents(recipe), overwrite=overwrite)


def _with_documents(recipe: Recipe) -> list[str]:
    """The recipe's domains that have documents; the others are said. Raises RequestError when none has."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import list_files

    chosen = recipe.documents()
    found = [domain for domain in chosen if list_files(recipe.context().documents(domain), ".jsonl.zst")]
    if not found:
        raise RequestError(f"{recipe.path('documents')}: no documents; run `llama-data run` first")
    if found != chosen:
        left = ", ".join(domain for domain in chosen if domain not in found)
        typer.echo(f"  no documents, so left out: {left}", err=True)
    return found


def tokenizer_model(recipe: Recipe) -> str:
    """Path of the tokenizer of the run: the recipe's own, or the one that was trained in the run's folder."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import exists
    from llama_data.stages.steps.model_files import refuse_starter

    if recipe.tokenizer.model is not None:
        refuse_starter(recipe.tokenizer.model)
    path = recipe.tokenizer.model or recipe.path("tokenizer", "tokenizer.model")
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
    import hashlib

    from llama_data.pipeline import execution, made_from
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import list_files, read_bytes
    from llama_data.pipeline.finishing import RemoveWork
    from llama_data.pipeline.summary import format_table
    from llama_data.train_handoff.pack import tokenize_jobs
    from llama_data.train_handoff.shards.file import read_footer

    model = tokenizer_model(recipe)
    context = recipe.context()
    for domain in domains:
        if not list_files(context.documents(domain), ".jsonl.zst"):
            raise RequestError(f"{context.documents(domain)}: no documents; run `llama-data run {domain}` first")
    rows: list[tuple[str, ...]] = [("domain", "documents", "tokens", "rows", "dropped tail tokens", "shards")]
    for domain in domains:
        group, folder = f"tokenize/{domain}", recipe.path("tokens", domain)
        made = tokenize_jobs(domain, context, tokenizer=model, settings=recipe.tokens)
        settings = {**recipe.tokens.model_dump(mode="json"), "seed": recipe.seed}
        settings["tokenizer"] = hashlib.sha256(read_bytes(model)).hexdigest()
        made_from.prepare(group, made, recipe, settings, overwrite=overwrite, outputs=[folder])
        finish = RemoveWork(recipe, domain)
        execution.execute(made, recipe, lambda line: typer.echo(line, err=True), finish)
        if recipe.executor.kind == "slurm":
            continue
        finish()
        footers = [read_footer(path) for path in list_files(folder, ".parquet")]
        counts = [
            sum(getattr(footer, name) for footer in footers)
            for name in ("documents", "tokens", "rows", "dropped_tokens")
        ]
        rows.append((domain, *(f"{count:,}" for count in counts), str(len(footers))))
    if len(rows) > 1:
        typer.echo(format_table(rows))
