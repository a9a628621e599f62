"""``llama-train`` and its verbs. Starts without torch, fasttext, kenlm or datatrove."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from llama_data.pipeline.core.errors import RequestError, run_command_line
from llama_data.train_handoff.trainer import cli_models, options
from llama_data.train_handoff.trainer.cli_models import require_in

app = typer.Typer(
    name="llama-train",
    help="Train a LLaMA model on the rows that `llama-data mix` wrote, and hand it to Hugging Face.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


app.add_typer(cli_models.app)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


@app.command()
def launch(
    context: typer.Context,
    data: Annotated[
        str | None, typer.Option("--data", help="Folder of the mix (RUN/mix); --dry-run does without.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="tiny 125m 1b 7b 13b 33b 65b, or a .yaml file [default: tiny].")
    ] = None,
    initial: options.From = None,
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
    attention: options.Attention = None,
    document_mask: options.DocumentMask = None,
    replicate: options.Replicate = None,
    save_every: Annotated[int | None, typer.Option("--save-every", min=1, help="Steps between checkpoints.")] = None,
    save_minutes: options.SaveMinutes = None,
    async_save: options.AsyncSave = None,
    skip_rows: Annotated[
        list[str] | None,
        typer.Option("--skip-rows", help="A:B, leave rows A to B-1 of the mix out, for good; repeat it for more."),
    ] = None,
    rewind: Annotated[
        int | None,
        typer.Option("--rewind", min=0, help="Go on from the newest checkpoint at or before this row of the mix."),
    ] = None,
    change: Annotated[
        bool, typer.Option("--change", help="Go on with settings that are not those the run was trained with.")
    ] = False,
    device: options.Device = None,
    device_memory: options.DeviceMemory = None,
    seq_len: options.SeqLen = 2048,
    vocab: options.Vocab = 32_000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and describe the run, start nothing.")] = False,
) -> None:
    """Train with FSDP through torchrun; goes on from the newest checkpoint in the output folder.

    Progress is counted in rows of the mix. SIGTERM, SIGINT (Ctrl-C), SIGHUP, SIGQUIT or SIGUSR1, to this command or to
    any of the processes, save after the step in hand and end the run; the same command goes on with the next row, on
    any number of processes. A third Ctrl-C ends them at once.
    """
    from llama_data.train_handoff.trainer import launch as launching
    from llama_data.train_handoff.trainer.config import load_config

    if data is None and not dry_run:
        raise RequestError("launch needs --data, the folder of the mix (RUN/mix); --dry-run does without")
    overrides = {
        "output": output or (None if data is None else str(Path(data).resolve().parent / "train")),
        "steps": steps,
        "optim.lr": lr,
        "optim.warmup_steps": warmup,
        "save_every": save_every,
        "save_minutes": save_minutes,
        "skip_rows": [_range(rows, "--skip-rows") for rows in skip_rows] if skip_rows else None,
        "change": change or None,
        "async_save": async_save,
    }
    given = {key: value for key, value in overrides.items() if value is not None}
    given |= options.compute_settings(context.params)
    config = load_config(model or "tiny", given) if initial is None else launching.starting_from(initial, model, given)
    if rewind is not None and node_rank == 0 and not dry_run:
        for path in launching.rewind(config, rewind):
            typer.echo(f"set aside: {path}")
    cluster = launching.Cluster(nproc or _devices(device), nnodes, node_rank, rendezvous)
    memory = options.memory_of_device(device_memory, device)
    if data is None:
        typer.echo(launching.describe_without_data(config, cluster, memory, seq_len=seq_len, vocab_size=vocab))
        return
    typer.echo(launching.describe(config, cluster, memory))
    if dry_run:
        typer.echo(" ".join(launching.torchrun(cluster, Path(config.output or "") / "train.json")))
        return
    launching.launch(config, cluster)
    typer.echo(f"checkpoints and metrics.jsonl are in {config.output}")


def _devices(device: str | None) -> int:
    """Processes to start when --nproc is not given: one for each CUDA device, one on a machine without."""
    if device == "cpu":
        return 1
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return max(1, len([item for item in visible.split(",") if item]))
    return max(1, len(list(Path("/proc/driver/nvidia/gpus").glob("*"))))


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A checkpoint, or the folder of a training run.")],
    data: Annotated[
        str | None, typer.Option("--data", help="Folder of a mix, folder of token shards, or one .parquet shard.")
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", help="UTF-8 text file, or .jsonl of documents, maybe compressed; repeat it for more."),
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", help="Folder of the run's tokenizer; needed for bits per byte.")
    ] = None,
    rows: Annotated[str | None, typer.Option("--rows", help="A:B, rows A to B-1 of the mix or the shards.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many rows of each domain.")] = None,
    nproc: Annotated[int, typer.Option("--nproc", min=1, help="Processes to share the model and the rows.")] = 1,
    micro_rows: Annotated[int, typer.Option("--micro-rows", min=1, help="Rows a process holds at a time.")] = 8,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    dtype: Annotated[str, typer.Option("--dtype", help="float32, or bfloat16: faster, a little off.")] = "float32",
    document_mask: Annotated[
        bool,
        typer.Option("--document-mask", help="Keep attention inside a document, as a run with document_mask does."),
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file too.")] = None,
) -> None:
    """Loss (nats a token), perplexity and bits per byte on rows or texts, by domain.

    What is held out: `launch` trains on every row of its mix. Of a mix `evaluate` therefore reads the rows of the
    documents that `llama-data tokenize` held out (`tokens.validation` in the recipe), which are in no training row.
    --rows A:B takes training rows instead, and says how many of them the checkpoint was trained on: those from the
    number it had consumed on are new, unless they repeat an earlier epoch. Shards and texts are taken as they are.

    A text is read alone, BOS first, in pieces of the model's length that do not see each other. Bits per byte count
    what stands for text (not BOS and EOS), in UTF-8 bytes. The result is the same for any --nproc.
    """
    from llama_data.train_handoff.trainer import launch as launching
    from llama_data.train_handoff.trainer.measure import evaluate as evaluating
    from llama_data.train_handoff.trainer.measure import tables
    from llama_data.train_handoff.trainer.record import find_checkpoint

    require_in(device, ("auto", "cpu", "cuda"), "--device")
    require_in(dtype, ("float32", "bfloat16"), "--dtype")
    if (data is None) == (not text):
        raise RequestError("evaluate needs --data (a mix or token shards) or --text (files), one of the two")
    if text and (rows or limit):
        raise RequestError("--rows and --limit count rows of --data; texts are read whole")
    if rows and limit:
        raise RequestError("--rows and --limit: give one of the two")
    request = evaluating.Request.model_validate(
        {
            "checkpoint": str(find_checkpoint(run)),
            "data": data,
            "texts": tuple(text or ()),
            "tokenizer": None if tokenizer is None else str(tokenizer),
            "rows": None if rows is None else _range(rows, "--rows"),
            "limit": limit,
            "micro_rows": micro_rows,
            "device": device,
            "dtype": dtype,
            "document_mask": document_mask,
        }
    )
    evaluating.open_windows(request)
    if nproc == 1:
        result = evaluating.evaluate_alone(request)
    else:
        result = launching.ask(launching.Cluster(nproc), launching.EVALUATE, request, "evaluation")
    typer.echo(tables.evaluation(result))
    _write_json(json_file, result)


def _range(rows: str, option: str) -> tuple[int, int]:
    """``A:B`` as two numbers."""
    begin, colon, end = rows.partition(":")
    if not (colon and begin.isdecimal() and end.isdecimal() and int(begin) < int(end)):
        raise RequestError(f"{option} {rows}: expected A:B, two row numbers with A below B, as in 0:1000")
    return int(begin), int(end)


def _write_json(path: Path | None, result: dict[str, Any]) -> None:
    if path is not None:
        from llama_data.pipeline.core.files import atomic_write

        with atomic_write(str(path)) as stream:
            stream.write(json.dumps(result, indent=2).encode() + b"\n")


@app.command()
def bench(
    context: typer.Context,
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
    cluster = launching.Cluster(nproc or _devices(device), nnodes, node_rank, rendezvous)
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
    _write_json(json_file, result)


def _say_nothing(text: str) -> None:
    pass


def main() -> None:
    """Entry point of ``llama-train``."""
    run_command_line(app, "llama-train")


if __name__ == "__main__":
    main()
