"""``llama-train ablate``. Starts without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer import options

if TYPE_CHECKING:
    from llama_data.train_handoff.trainer.measure.harness import Tasks

app = typer.Typer()


@app.command()
def ablate(
    context: typer.Context,
    mixes: Annotated[
        list[str],
        typer.Argument(
            metavar="MIX...", help="Two or more mixes, or runs with one: PATH or NAME=PATH. The first is the baseline."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="Folder for the runs, ablate.json and ablate.html.")],
    held_out: Annotated[
        list[str],
        typer.Option("--held-out", help="Neutral text: FILE or NAME=FILE (.txt, .jsonl, .parquet); repeat for more."),
    ],
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="Tokens that each model is trained on.")],
    model: Annotated[str, typer.Option("--model", help=options.PRESETS)] = "tiny",
    seeds: Annotated[int, typer.Option("--seeds", min=2, help="Models of each arm.")] = 3,
    evaluations: Annotated[int, typer.Option("--evaluations", min=1, help="Measurements of each model.")] = 10,
    average: Annotated[int, typer.Option("--average", min=1, help="Of so many of the last the mean counts.")] = 3,
    held_out_bytes: Annotated[
        str | None,
        typer.Option("--held-out-bytes", help="Of each set, at most, as in 100KB [default: a fifth of the cost]."),
    ] = None,
    max_epochs: Annotated[
        float, typer.Option("--max-epochs", min=0.0, help="How often a model may read its mix.")
    ] = 1.0,
    tokenizer: options.Tokenizer = None,
    nproc: options.Nproc = None,
    batch_tokens: options.BatchTokens = None,
    micro_rows: options.MicroRows = None,
    lr: options.Rate = None,
    warmup: options.Warmup = None,
    dtype: options.Dtype = None,
    compile_: options.Compile = None,
    recompute: options.Recompute = None,
    loss_tokens: options.LossTokens = None,
    document_mask: options.DocumentMask = None,
    save_minutes: options.SaveMinutes = None,
    device: options.Device = None,
    cache_dir: options.CacheDir = None,
    harness: Annotated[
        str | None, typer.Option("--harness", help="Extra: tasks of lm-evaluation-harness, with commas between them.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Questions of a task, at most.")] = None,
    tasks_path: Annotated[
        Path | None, typer.Option("--tasks-path", help="Folder with .yaml files of tasks of your own.")
    ] = None,
    drop_checkpoints: Annotated[
        bool, typer.Option("--drop-checkpoints", help="Remove each model when it is measured.")
    ] = False,
    dry_run: options.DryRun = False,
) -> None:
    """Say which data makes the better model: trains the same small model on each mix, several seeds, and compares.

    All models have the same tokenizer, size, tokens, batch and schedule. A seed decides the initial values and which
    rows of its mix a model reads, in which order; arms are compared seed by seed. An A/A arm (the baseline on other
    rows) shows the noise. What counts is bits per byte on the texts of --held-out, the mean of the last evaluations:
    better, worse, or not distinguishable at this budget. Documents that stand in training rows are left out.

    Look with 20 tokens a parameter, claim with 100. The same command goes on, run by run; what was declared cannot be
    changed in the same --output. Ends with 0 whatever the verdict, with 1 when a run failed.
    """
    from llama_data.train_handoff.trainer import launch as launching
    from llama_data.train_handoff.trainer.ablate.command import Ablation
    from llama_data.train_handoff.trainer.ablate.plan import Budget

    if average > evaluations:
        raise RequestError(f"--average {average}: there are {evaluations} evaluations")
    if max_epochs <= 0:
        raise RequestError(f"--max-epochs {max_epochs:g}: expected more than 0")
    given = options.compute_settings(context.params)
    named = {"lr": "optim.lr", "warmup": "optim.warmup_steps", "save_minutes": "save_minutes", "cache_dir": "cache_dir"}
    given |= {key: context.params[name] for name, key in named.items() if context.params[name] is not None}
    ablation = Ablation(
        mixes=tuple(mixes),
        held_out=tuple(held_out),
        output=output.resolve(),
        model=model,
        given=given,
        budget=Budget(tokens, seeds, evaluations, average, max_epochs),
        cluster=launching.Cluster(nproc or options.devices(device)),
        tokenizer=None if tokenizer is None else str(tokenizer),
        held_out_bytes=options.size_in_bytes(held_out_bytes, "--held-out-bytes") if held_out_bytes else 0,
        drop_checkpoints=drop_checkpoints,
        tasks=_tasks(harness, limit, tasks_path, device),
    )
    if dry_run:
        ablation.describe()
    else:
        ablation.run()


def _tasks(names: str | None, limit: int | None, folder: Path | None, device: str | None) -> Tasks | None:
    """Tasks of the harness, which are known; None when none were asked for. Raises RequestError."""
    from llama_data.train_handoff.trainer.measure.harness import Tasks

    if names is None:
        if limit is not None or folder is not None:
            raise RequestError("--limit and --tasks-path are for --harness")
        return None
    found = Tasks(tuple(name.strip() for name in names.split(",")), limit=limit, folder=folder, device=device or "auto")
    found.require()
    return found
