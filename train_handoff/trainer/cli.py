"""``llama-train`` and its verbs. Starts without torch, fasttext, kenlm or datatrove."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from llama_data.pipeline.core.errors import RequestError, run_command_line
from llama_data.pipeline.core.examples import show_examples
from llama_data.pipeline.core.files import is_local, local_path
from llama_data.pipeline.core.version import VERSION
from llama_data.train_handoff.trainer import (
    cli_ablate,
    cli_evaluate,
    cli_models,
    cli_rows,
    cli_tasks,
    cli_tune,
    options,
)
from llama_data.train_handoff.trainer.examples import EXAMPLES
from llama_data.train_handoff.trainer.watch import options as watching

app = typer.Typer(
    name="llama-train",
    help="Train a LLaMA model on the rows that `llama-data mix` wrote, and hand it to Hugging Face.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


app.add_typer(cli_evaluate.app)
app.add_typer(cli_ablate.app)
app.add_typer(cli_tasks.app)
app.add_typer(cli_tune.app)
app.add_typer(cli_models.app)
app.add_typer(cli_rows.app)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"llama-train {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


@app.command()
def launch(
    context: typer.Context,
    data: Annotated[
        str | None, typer.Option("--data", help="Folder or URL of the mix (RUN/mix); --dry-run does without.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help=f"{options.PRESETS} [default: tiny].")] = None,
    initial: options.Initial = None,
    output: options.Output = None,
    cache_dir: options.CacheDir = None,
    cache_bytes: options.CacheBytes = None,
    nproc: options.Nproc = None,
    nnodes: options.Nnodes = 1,
    node_rank: options.NodeRank = 0,
    rendezvous: options.Rendezvous = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Optimiser steps.")] = None,
    batch_tokens: options.BatchTokens = None,
    micro_rows: options.MicroRows = None,
    lr: options.Rate = None,
    warmup: options.Warmup = None,
    dtype: options.Dtype = None,
    compile_: options.Compile = None,
    recompute: options.Recompute = None,
    loss_tokens: options.LossTokens = None,
    states: options.States = None,
    attention: options.Attention = None,
    document_mask: options.DocumentMask = None,
    replicate: options.Replicate = None,
    save_every: options.SaveEvery = None,
    save_minutes: options.SaveMinutes = None,
    async_save: options.AsyncSave = None,
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
    device_memory: options.DeviceMemory = None,
    seq_len: options.SeqLen = 2048,
    vocab: options.Vocab = 32_000,
    dry_run: options.DryRun = False,
) -> None:
    """Train with FSDP through torchrun; goes on from the newest checkpoint in the output folder.

    Progress is counted in rows of the mix. SIGTERM, SIGINT (Ctrl-C), SIGHUP, SIGQUIT or SIGUSR1, to this command or to
    any of the processes, save after the step in hand and end the run; the same command goes on with the next row, on
    any number of processes. A third Ctrl-C ends them at once.
    """
    from llama_data.train_handoff.trainer import launch as launching
    from llama_data.train_handoff.trainer.config import load_config
    from llama_data.train_handoff.trainer.remote import staging

    if data is None and not dry_run:
        raise RequestError("launch needs --data, the folder of the mix (RUN/mix); --dry-run does without")
    given = options.training_settings(context.params) | watching.watch_settings(context.params)
    kept = _folder(output, data)
    folder, aside = staging.working_folder(kept, cache_dir, None if dry_run else rewind, node_rank, dry_run)
    if folder is not None:
        given["output"] = folder
    config = load_config(model or "tiny", given) if initial is None else launching.starting_from(initial, model, given)
    if rewind is not None and node_rank == 0 and not dry_run:
        for path in aside if folder != kept else launching.rewind(config, rewind):
            typer.echo(f"set aside: {path}")
    cluster = launching.Cluster(nproc or options.devices(device), nnodes, node_rank, rendezvous)
    memory = options.memory_of_device(device_memory, device)
    if data is None:
        typer.echo(launching.describe_without_data(config, cluster, memory, seq_len=seq_len, vocab_size=vocab))
        return
    tell: Callable[[str], Any] = (lambda text: None) if config.watch.quiet else typer.echo
    tell(launching.describe(config, cluster, memory))
    if dry_run:
        typer.echo(" ".join(launching.start_command(cluster, Path(config.output or "") / "train.json")))
        return
    launching.launch(config, cluster)
    tell(f"checkpoints and metrics.jsonl are in {kept}")


def _folder(output: str | None, data: str | None) -> str | None:
    """The folder or URL of a run; beside its mix, where that is on this machine, when none is named."""
    if output is not None or data is None:
        return output
    if not is_local(data):
        raise RequestError(
            f"--data {data}: the mix is in an object store; name a folder or URL for the run as --output"
        )
    return str(Path(local_path(data)).resolve().parent / "train")


@app.command()
def bench(
    context: typer.Context,
    model: Annotated[str, typer.Option("--model", help=options.PRESETS)] = "tiny",
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
    seq_len: options.SeqLen = 2048,
    vocab: options.Vocab = 32_000,
    dtype: options.Dtype = None,
    compile_: options.Compile = None,
    recompute: options.Recompute = None,
    loss_tokens: options.LossTokens = None,
    states: options.States = None,
    attention: options.Attention = None,
    document_mask: options.DocumentMask = None,
    replicate: options.Replicate = None,
    device: options.Device = None,
    device_memory: options.DeviceMemory = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Try what may be faster and fits the device; what is given is not varied.")
    ] = False,
    write: Annotated[
        Path | None,
        typer.Option("--write", help="Sweep, and write the fastest to this .yaml file, for `launch --model`."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file too.")] = None,
) -> None:
    """Tokens/s, TFLOP/s, MFU and peak memory of a training step, and where its time goes.

    Takes the steps that `launch` takes, saves nothing. FLOPs of a token: 6 x parameters + 12 x layers x dim x row
    length (PaLM, appendix B); MFU is their share of the device's dense bfloat16 peak, n/a where that is not known.
    The times of forward-backward and optimizer hold the communication that happens in them. How long its collectives
    take (waiting for each other included; some run while something is computed) is measured on two further steps under
    the profiler, when there are several processes.

    --sweep tries every recompute with the most rows at a time that fit the device, and half as many; then, from the
    fastest on, compile, loss tokens, copies and attention, one at a time. MFU is PaLM's, `causal` torchtitan's (without
    the embedding, and half of attention); memory is what `launch --dry-run` says, and what was measured.
    """
    from llama_data.train_handoff.trainer import launch as launching
    from llama_data.train_handoff.trainer.config import load_config
    from llama_data.train_handoff.trainer.measure import sweep as sweeping
    from llama_data.train_handoff.trainer.measure import tables

    given = options.compute_settings(context.params)
    cluster = launching.Cluster(nproc or options.devices(device), nnodes, node_rank, rendezvous)
    tell = typer.echo if node_rank == 0 else _say_nothing
    runs = itertools.count(1)

    def measure(settings: dict[str, Any]) -> dict[str, Any]:
        request = launching.bench_config(
            model, {**given, **settings}, cluster, steps=steps, warmup=warmup, seq_len=seq_len, vocab_size=vocab
        )
        meeting = replace(cluster, meeting=f"bench-{next(runs)}")
        return launching.ask(meeting, launching.BENCH, request, "the measurement")

    if sweep or write is not None:
        limit = options.memory_of_device(device_memory, device)
        space = sweeping.space_of(model, given, cluster, limit, seq_len=seq_len, vocab_size=vocab)
        best = sweeping.best_of(sweeping.sweep(space, measure, tell))
        result = best.result or {}
        if write is not None and node_rank == 0:
            sweeping.write_preset(write, load_config(model, given), best)
    else:
        result = measure({})
    if node_rank:
        typer.echo("the first node (--node-rank 0) has the figures")
        return
    tell(tables.measurement(result))
    options.write_json(json_file, result)


def _say_nothing(text: str) -> None:
    pass


show_examples(app, EXAMPLES)


def main() -> None:
    """Entry point of ``llama-train``."""
    run_command_line(lambda words: app(words, prog_name="llama-train", standalone_mode=False), "llama-train")


if __name__ == "__main__":
    main()
