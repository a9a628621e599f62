"""``llama-data export``: token shards in other programs' formats."""

from __future__ import annotations

from typing import Annotated, Literal, cast

import typer

FORMATS = ("megatron", "bin", "hf")


def export(
    run: Annotated[str, typer.Argument(help="Folder or URL of the run.")],
    to: Annotated[str, typer.Option("--to", help="megatron, bin or hf.")],
    output: Annotated[
        str | None,
        typer.Option("--output", help="Folder to write [default: RUN/export/FORMAT, or RUN/export/MIX/FORMAT]."),
    ] = None,
    mix: Annotated[str | None, typer.Option("--mix", help="Name of a further mix, RUN/mix/NAME.")] = None,
) -> None:
    """Write the mix (or the tokens) as Megatron's .bin/.idx, nanoGPT's .bin, or list-typed parquet for Hugging Face."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import join
    from llama_data.pipeline.groups import mix_folder
    from llama_data.train_handoff.export import export_run

    if to not in FORMATS:
        raise RequestError(f"--to {to}: expected one of: {', '.join(FORMATS)}")
    chosen = cast("Literal['megatron', 'bin', 'hf']", to)
    target = output or join(run, "export", *([] if mix is None else [mix]), to)
    for path in export_run(run, target, chosen, mix_folder=mix_folder(mix)):
        typer.echo(path)
