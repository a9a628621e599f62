"""``llama-train tune``. Starts without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from llama_data.pipeline.core.files import is_local, local_path
from llama_data.train_handoff.trainer import options

app = typer.Typer()

Overflow = Annotated[
    str, typer.Option("--overflow", help="An example longer than a row: drop it, or truncate it at the row's end.")
]
Damaged = Annotated[
    int, typer.Option("--damaged", min=0, help="Lines that are no examples: so many are left out, more end it.")
]
SeqLen = Annotated[
    int | None, typer.Option("--seq-len", min=2, help="Tokens of a row [default: as many as the model reads].")
]
BatchTokens = Annotated[
    int | None, typer.Option("--batch-tokens", min=1, help="Tokens of a step, padding too [default: 64 rows].")
]

From = Annotated[
    str,
    typer.Option("--from", metavar="PATH", help="Run or checkpoint, or its URL; `import` makes one of Hugging Face's."),
]


@app.command()
def tune(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(help=".jsonl files (.gz, .zst; paths or URLs): prompt and completion, or messages, a line."),
    ],
    initial: From,
    output: Annotated[
        str | None, typer.Option("--output", help="Folder or URL of the tuned run [default: tuned/ beside --from].")
    ] = None,
    cache_dir: options.CacheDir = None,
    template: options.TemplateName = None,
    overflow: Overflow = "drop",
    damaged: Damaged = 10,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Times that every example is read.")] = 3,
    seq_len: SeqLen = None,
    tokenizer: options.Tokenizer = None,
    model: Annotated[
        str | None, typer.Option("--model", help=".yaml file with other settings than those of Alpaca.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the order of examples.")] = 1,
    nproc: options.Nproc = None,
    nnodes: options.Nnodes = 1,
    node_rank: options.NodeRank = 0,
    rendezvous: options.Rendezvous = None,
    batch_tokens: BatchTokens = None,
    micro_rows: options.MicroRows = None,
    lr: options.Rate = None,
    warmup: options.Warmup = None,
    dtype: options.Dtype = None,
    compile_: options.Compile = None,
    recompute: options.Recompute = None,
    loss_tokens: options.LossTokens = None,
    states: options.States = None,
    save_every: options.SaveEvery = None,
    save_minutes: options.SaveMinutes = None,
    async_save: options.AsyncSave = None,
    skip_rows: options.SkipRows = None,
    rewind: options.Rewind = None,
    change: options.Change = False,
    device: options.Device = None,
    device_memory: options.DeviceMemory = None,
    dry_run: options.DryRun = False,
) -> None:
    """Tune a model on examples of prompts and completions (or of messages); only completions count.

    Examples are read by the template, packed into rows that several share without seeing each other, and trained on
    with the loop of `launch`: the same signals, checkpoints and records; the same command goes on with the next row on
    any number of processes. Every answer of a conversation counts, with the token that ends it; the loss of a step is
    the mean over what counts in it. The template is recorded, and `chat` and `export` know it. Settings are Stanford
    Alpaca's: a rate of 2e-5 after a warm-up of 3 % of the steps, three epochs.
    """
    from llama_data.train_handoff.trainer import launch as launching
    from llama_data.train_handoff.trainer.remote import staging
    from llama_data.train_handoff.trainer.template import DEFAULT, find_template
    from llama_data.train_handoff.trainer.tuning import prepare
    from llama_data.train_handoff.trainer.tuning.command import Tuning

    options.require_in(overflow, ("drop", "truncate"), "--overflow")
    given = options.training_settings(context.params)
    kept = prepare.default_output(initial) if output is None else output
    folder, aside = staging.working_folder(kept, cache_dir, None if dry_run else rewind, node_rank, dry_run)
    assert folder is not None
    request = prepare.Request(
        initial=str(Path(local_path(initial)).resolve()) if is_local(initial) else initial,
        output=Path(local_path(folder)).resolve(),
        cache_dir=cache_dir,
        files=tuple(files),
        template=find_template(template or DEFAULT),
        tokenizer=tokenizer,
        overflow=cast(Literal["drop", "truncate"], overflow),
        damaged=damaged,
        seq_len=seq_len,
        seed=seed,
        epochs=epochs,
    )
    run = Tuning(
        request,
        launching.Cluster(nproc or options.devices(device), nnodes, node_rank, rendezvous),
        options.memory_of_device(device_memory, device),
        prepare.open_packing(request),
        model,
        given,
    )
    if dry_run:
        run.describe()
    else:
        run.train(kept, rewind, aside)
