"""``llama-data verify``: check everything that a run has written."""

from __future__ import annotations

from typing import Annotated

import typer


def verify(
    run: Annotated[str, typer.Argument(help="Folder or URL of the run.")],
    full: Annotated[bool, typer.Option("--full", help="Read every byte too, not only names, sizes and times.")] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Read what a version without manifests made, and write them.")
    ] = False,
) -> None:
    """Follow the run from mix to input: say which link is stale, which file is missing, and in full which byte."""
    from llama_data.pipeline.core.errors import RunError
    from llama_data.pipeline.verify import verify_run

    if adopt:
        from llama_data.pipeline.adopt import adopt as adopt_run

        for line in adopt_run(run):
            typer.echo(line)
    problems = []
    for finding in verify_run(run, full=full):
        typer.echo(f"{'ok ' if finding.ok else 'BAD'} {finding.what}")
        if not finding.ok:
            problems.append(finding.what)
    if problems:
        raise RunError(f"{run}: {len(problems)} of the checks failed; the first: {problems[0]}")
