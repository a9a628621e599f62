"""``llama-train`` and its verbs. Starts without torch, fasttext, kenlm or datatrove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llama_data.pipeline.core.errors import run_command_line
from llama_data.train_handoff.trainer import cli_evaluate, cli_models, cli_tune, options
from llama_data.train_handoff.trainer.watch import options as watching

app = typer.Typer(
    name="llama-train",
    help="Train a LLaMA model on the rows that `llama-data mix` wrote, and hand it to Hugging Face.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


app.add_typer(cli_evaluate.app)
app.add_typer(cli_tune.app)
app.add_typer(cli_models.app)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


@app.command()
def launch(
    context: typer.Context,
    data: Annotated[str, typer.Option("--data", help="Folder of the mix (RUN/mix).")],
    model: Annotated[
        str | None, typer.Option("--model", help="tiny 125m 1b 7b 13b 33b 65b, or a .yaml file [default: tiny].")
    ] = None,
    initial: options.Initial = None,
    output: Annotated[
        str | None,
        typer.Option("--output", help="Folder for checkpoints and metrics [default: train/ beside the mix]."),
    ] = None,
    nproc: options.Nproc = None,
    nnodes: options.Nnodes = 1,
    node_rank: options.NodeRank = 0,
    rendezvous: options.Rendezvous = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Optimiser steps.")] = None,
    batch_tokens: options.BatchTokens = None,
    micro_rows: options.MicroRows = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Peak learning rate.")] = None,
    warmup: Annotated[int | None, typer.Option("--warmup", min=0, help="Steps over which the rate rises.")] = None,
    dtype: options.Dtype = None,
    compile_: options.Compile = None,
    recompute: options.Recompute = None,
    loss_tokens: options.LossTokens = None,
    states: options.States = None,
    save_every: options.SaveEvery = None,
    save_minutes: options.SaveMinutes = None,
    skip_rows: options.SkipRows = None,
    rewind: options.Rewind = None,
    change: options.Change = False,
    device: options.Device = None,
    validate_every: watching.ValidateEvery = None,
    validate_rows: watching.ValidateRows = None,
    tensorboard: watching.TensorBoardOption = False,
    wandb: watching.WandbOption = None,
    profile_steps: watching.ProfileSteps = None,
    device_watts: watching.DeviceWatts = None,
    quiet: watching.Quiet = False,
    dry_run: options.DryRun = False,
) -> None:
    """Train with FSDP through torchrun; goes on from the newest checkpoint in the output folder.

    Progress is counted in rows of the mix. SIGTERM, SIGINT (Ctrl-C), SIGHUP, SIGQUIT or SIGUSR1, to this command or to
    any of the processes, save after the step in hand and end the run; the same command goes on with the next row, on
    any number of processes. A third Ctrl-C ends them at once.
    """
    from llama_data.train_handoff.trainer import launch as launching
    from llama_data.train_handoff.trainer.config import load_config

    options.require_known(device=device, dtype=dtype, recompute=recompute, states=states)
    overrides = {
        "data": data,
        "output": output or str(Path(data).resolve().parent / "train"),
        "steps": steps,
        "batch_tokens": batch_tokens,
        "micro_rows": micro_rows,
        "optim.lr": lr,
        "optim.warmup_steps": warmup,
        "dtype": dtype,
        "compile": compile_,
        "recompute": recompute,
        "loss_tokens": loss_tokens,
        "optim.states": states,
        "save_every": save_every,
        "save_minutes": save_minutes,
        "skip_rows": options.ranges(skip_rows, "--skip-rows") if skip_rows else None,
        "change": change or None,
        "device": device,
        **watching.watch_overrides(context.params),
    }
    given = {key: value for key, value in overrides.items() if value is not None}
    config = load_config(model or "tiny", given) if initial is None else launching.starting_from(initial, model, given)
    if rewind is not None and node_rank == 0 and not dry_run:
        for path in launching.rewind(config, rewind):
            typer.echo(f"set aside: {path}")
    cluster = launching.Cluster(nproc or options.devices(device), nnodes, node_rank, rendezvous)
    described = launching.describe(config, cluster)
    if not config.watch.quiet:
        typer.echo(described)
    if dry_run:
        typer.echo(" ".join(launching.torchrun(cluster, Path(config.output or "") / "train.json")))
        return
    launching.launch(config, cluster)
    if not config.watch.quiet:
        typer.echo(f"checkpoints and metrics.jsonl are in {config.output}")


@app.command()
def bench(
    model: Annotated[str, typer.Option("--model", help="tiny 125m 1b 7b 13b 33b 65b, or a .yaml file.")] = "tiny",
    data: Annotated[
        str | None, typer.Option("--data", help="Folder of a mix to read from [default: rows of random ids].")
    ] = None,
    nproc: options.Nproc = None,
    nnodes: options.Nnodes = 1,
    node_rank: options.NodeRank = 0,
    rendezvous: options.Rendezvous = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps that count.")] = 10,
    warmup: Annotated[int, typer.Option("--warmup", min=0, help="Steps before them that do not.")] = 3,
    batch_tokens: Annotated[
        int | None,
        typer.Option("--batch-tokens", min=1, help="Tokens of a step [default: --micro-rows on each process]."),
    ] = None,
    micro_rows: options.MicroRows = None,
    seq_len: Annotated[int, typer.Option("--seq-len", min=1, help="Tokens of a random row.")] = 2048,
    vocab: Annotated[int, typer.Option("--vocab", min=4, help="Vocabulary of random rows.")] = 32_000,
    dtype: options.Dtype = None,
    compile_: options.Compile = None,
    recompute: options.Recompute = None,
    loss_tokens: options.LossTokens = None,
    states: options.States = None,
    device: options.Device = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file too.")] = None,
) -> None:
    """Tokens/s, TFLOP/s, MFU and peak memory of a training step, and where its time goes.

    Takes the steps that `launch` takes, saves nothing. FLOPs of a token: 6 x parameters + 12 x layers x dim x row
    length (PaLM, appendix B); MFU is their share of the device's dense bfloat16 peak, n/a where that is not known.
    The times of forward-backward and optimizer hold the communication that happens in them. How long its collectives
    take (waiting for each other included; some run while something is computed) is measured on two further steps under
    the profiler, when there are several processes.
    """
    from llama_data.train_handoff.trainer import launch as launching
    from llama_data.train_handoff.trainer.measure import tables

    options.require_known(device=device, dtype=dtype, recompute=recompute, states=states)
    overrides = {
        "data": data,
        "batch_tokens": batch_tokens,
        "micro_rows": micro_rows,
        "dtype": dtype,
        "compile": compile_,
        "recompute": recompute,
        "loss_tokens": loss_tokens,
        "optim.states": states,
        "device": device,
    }
    given = {key: value for key, value in overrides.items() if value is not None}
    cluster = launching.Cluster(nproc or options.devices(device), nnodes, node_rank, rendezvous)
    request = launching.bench_config(
        model, given, cluster, steps=steps, warmup=warmup, seq_len=seq_len, vocab_size=vocab
    )
    result = launching.ask(cluster, launching.BENCH, request, "the measurement")
    if result is not None:
        typer.echo(tables.measurement(result))
        options.write_json(json_file, result)


def main() -> None:
    """Entry point of ``llama-train``."""
    run_command_line(app, "llama-train")


if __name__ == "__main__":
    main()
