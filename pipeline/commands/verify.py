"""``llama-data verify``: check everything that a run has written."""

from __future__ import annotations

from typing import Annotated

import typer


def verify(
    run: Annotated[str, typer.Argument(help="Folder or URL of the run.")],
) -> None:
    """Check that ledgers add up, that documents are those of the ledger, and that no token has changed."""
    from llama_data.pipeline.core.errors import RunError
    from llama_data.pipeline.verify import verify_run

    problems = []
    for finding in verify_run(run):
        typer.echo(f"{'ok ' if finding.ok else 'BAD'} {finding.what}")
        if not finding.ok:
            problems.append(finding.what)
    if problems:
        raise RunError(f"{run}: {len(problems)} of the checks failed; the first: {problems[0]}")
