"""``llama-data status`` and ``llama-data logs``: how far a run is, and what its tasks said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from llama_data.pipeline.status import GroupStatus

Run = Annotated[str, typer.Argument(help="Folder or URL of the run.")]


def status(
    run: Run,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until nothing runs any more.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a look, for other programs.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.1, help="With --watch: seconds between looks.")] = 5.0,
) -> None:
    """Show jobs and tasks of a run on any executor: done, running, failed, rate, what is left, stragglers, errors."""
    from llama_data.pipeline import status as looking
    from llama_data.pipeline.core.errors import RunError

    if watch and not as_json and _is_terminal():
        found = _watched(run, every)
        for line in looking.lines(found):
            typer.echo(line)
    else:
        for found in looking.watch(run, every) if watch else [looking.status_of(run)]:
            for line in [_json(found)] if as_json else looking.lines(found):
                typer.echo(line)
    if watch and any(group.state == "failed" for group in found):
        raise RunError(f"{run}: tasks failed; `llama-data logs {run} --failed` shows what they said")


def _json(groups: list[GroupStatus]) -> str:
    import json

    return json.dumps([group.as_json() for group in groups])


def _is_terminal() -> bool:
    from llama_data.pipeline.live.display import is_terminal

    return is_terminal()


def _watched(run: str, every: float) -> list[GroupStatus]:
    """Show the run as the command that does it does, until nothing runs any more; how it is then."""
    from llama_data.pipeline.live.display import Terminal
    from llama_data.pipeline.live.views import Jobs
    from llama_data.pipeline.status import watch

    screen, view = Terminal(), Jobs(run, [])
    found: list[GroupStatus] = []
    try:
        for found in watch(run, every):
            view.groups = found
            screen.draw(view)
    finally:
        screen.clear()
    return found


def logs(
    run: Run,
    job: Annotated[str | None, typer.Argument(help="A group or job, as `status` names it [default: all].")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only of tasks that have failed.")] = False,
    task: Annotated[int | None, typer.Option("--task", min=0, help="Only of this task.")] = None,
    lines: Annotated[
        int | None, typer.Option("--lines", min=1, help="So many at the end of each [default: all].")
    ] = None,
) -> None:
    """Print the logs of tasks, without control sequences; of one that died also what its process said at the end."""
    from llama_data.pipeline.logs import logs_of

    for line in logs_of(run, job=job, failed=failed, task=task, lines=lines):
        typer.echo(line)
