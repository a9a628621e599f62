"""``llama-train rows``: the documents in a step's rows. Starts without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import exists, is_local, join
from llama_data.train_handoff.trainer.options import row_range

app = typer.Typer()


@app.command()
def rows(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Folder of a training run, or its URL; with --rows, of a mix too.")
    ],
    step: Annotated[
        int | None, typer.Option("--step", min=0, help="A step, counted from 0 as in metrics.jsonl.")
    ] = None,
    rows: Annotated[str | None, typer.Option("--rows", help="A:B, rows A to B-1 of the mix.")] = None,
    text: Annotated[bool, typer.Option("--text", help="Show what the documents say in these rows.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON line for each document in each row.")] = False,
    data: Annotated[
        str | None, typer.Option("--data", help="Folder of the mix [default: the one it was trained on].")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option("--tokens", help="Folder of the token shards [default: tokens/ beside the mix].")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help="Folder of the tokenizer [default: tokenizer/ beside tokens/].")
    ] = None,
) -> None:
    """Say which documents were in a step: where each lies in the row, whether it begins and ends there, its source.

    The rows are those that metrics.jsonl says the step read. `llama-data why RUN ID` goes on from a document: what was
    done to it, and the other training rows it ended in.
    """
    from llama_data.train_handoff.trainer.remote.copies import opened
    from llama_data.train_handoff.trainer.rows import ask, show

    if (step is None) == (rows is None):
        raise RequestError("rows needs --step or --rows A:B, one of the two")
    if data is None and not is_local(run) and exists(join(run, "mix.json")):
        data = run
    folder = Path(run) if data == run else opened(run, tensors=False)
    asked = ask(folder, step=step, rows=None if rows is None else row_range(rows, "--rows"), data=data)
    for line in show(asked, tokens=tokens, tokenizer=tokenizer, text=text, as_json=as_json):
        typer.echo(line)
