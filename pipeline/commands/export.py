"""``llama-data export``: token shards in other programs' formats."""

from __future__ import annotations

from typing import Annotated

import typer


def export(
    run: Annotated[str, typer.Argument(help="Folder of the run (or of its mix).")],
    to: Annotated[str, typer.Option("--to", help="megatron, bin or hf.")],
    output: Annotated[str | None, typer.Option("--output", help="Folder to write [default: RUN/export-FORMAT].")] = None,
) -> None:
    """Write the mixed rows as Megatron's .bin/.idx, nanoGPT's .bin, or a list-typed parquet for Hugging Face."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import exists, join
    from llama_data.train_handoff.export import FORMATS

    if to not in FORMATS:
        raise RequestError(f"--to {to}: expected one of: {', '.join(FORMATS)}")
    mix = run if exists(join(run, "mix.json")) else join(run, "mix")
    target = output or join(run, f"export-{to}")
    for path in FORMATS[to](mix, target):
        typer.echo(path)
