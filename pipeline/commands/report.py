"""``llama-data report``: the whole run on one page."""

from __future__ import annotations

from typing import Annotated

import typer


def report(
    run: Annotated[str, typer.Argument(help="Folder or URL of the run.")],
    output: Annotated[str | None, typer.Option("--output", help="File to write [default: RUN/report.html].")] = None,
) -> None:
    """Write report.html: counts, reasons, scores, examples, tokens, mix and training on one self-contained page."""
    typer.echo(write_report(run, output))


def write_report(run: str, output: str | None = None) -> str:
    """Write the page and return its path."""
    from llama_data.pipeline.core.files import atomic_write, join
    from llama_data.pipeline.report.collect import collect
    from llama_data.pipeline.report.render import encode, render

    path = output or join(run, "report.html")
    page = render(collect(run))
    with atomic_write(path) as stream:
        stream.write(encode(page))
    return path
