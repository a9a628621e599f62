"""``llama-data inspect``: look into anything that the project reads or writes."""

from __future__ import annotations

from typing import Annotated

import typer


def inspect(
    file: Annotated[
        str,
        typer.Argument(help="A raw dump, a repository, a run or any file of one, a model, a checkpoint, or a folder."),
    ],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most this many records.")] = 3,
    domain: Annotated[
        str | None, typer.Option("--as", help="Raw dump: whose reader is meant (a domain, or `source`).")
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help="Count all records, not the first of them.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Print whole texts.")] = False,
    row: Annotated[int | None, typer.Option("--row", min=0, help="Token shard: show this row as text.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Tokenizer: show the pieces of this text.")] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help="Token shard: tokenizer.model [default: the run's own].")
    ] = None,
) -> None:
    """Say what a file is, and show its first records, its schema and its counts. Nothing of a file is run."""
    from llama_data.pipeline.inspecting.asked import Asked
    from llama_data.pipeline.inspecting.look import look

    asked = Asked(limit=limit, whole=whole, full=full, domain=domain, row=row, text=text, tokenizer=tokenizer)
    for line in look(file, asked):
        typer.echo(line)
