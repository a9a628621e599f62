"""``llama-train``: launch, export, generate. Starts without torch, fasttext, kenlm or datatrove."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from llama_data.pipeline.core.errors import RequestError, run_command_line

app = typer.Typer(
    name="llama-train",
    help="Train a LLaMA model on the rows that `llama-data mix` wrote, and hand it to Hugging Face.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


@app.command()
def launch(
    data: Annotated[str, typer.Option("--data", help="Folder of the mix (RUN/mix).")],
    model: Annotated[str, typer.Option("--model", help="tiny 125m 1b 7b 13b 33b 65b, or a .yaml file.")] = "tiny",
    output: Annotated[
        str | None,
        typer.Option("--output", help="Folder for checkpoints and metrics [default: train/ beside the mix]."),
    ] = None,
    nproc: Annotated[int | None, typer.Option("--nproc", min=1, help="Processes on this node.")] = None,
    nnodes: Annotated[int, typer.Option("--nnodes", min=1, help="Nodes.")] = 1,
    node_rank: Annotated[int, typer.Option("--node-rank", min=0, help="Number of this node, from 0.")] = 0,
    rendezvous: Annotated[str | None, typer.Option("--rendezvous", help="HOST:PORT of the first node.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Optimiser steps.")] = None,
    batch_tokens: Annotated[int | None, typer.Option("--batch-tokens", min=1, help="Tokens of a step.")] = None,
    micro_rows: Annotated[
        int | None, typer.Option("--micro-rows", min=1, help="Rows a process holds at a time.")
    ] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Peak learning rate.")] = None,
    save_every: Annotated[int | None, typer.Option("--save-every", min=1, help="Steps between checkpoints.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and describe the run, start nothing.")] = False,
) -> None:
    """Train with FSDP through torchrun; goes on from the newest checkpoint in the output folder."""
    from llama_data.train_handoff.trainer import launch as launching
    from llama_data.train_handoff.trainer.config import load_config

    overrides = {
        "data": data,
        "output": output or str(Path(data).resolve().parent / "train"),
        "steps": steps,
        "batch_tokens": batch_tokens,
        "micro_rows": micro_rows,
        "optim.lr": lr,
        "save_every": save_every,
        "device": device,
    }
    config = load_config(model, {key: value for key, value in overrides.items() if value is not None})
    cluster = launching.Cluster(nproc or _devices(device), nnodes, node_rank, rendezvous)
    typer.echo(launching.describe(config, cluster))
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


def _checkpoint(path: Path) -> Path:
    """A checkpoint given as itself or as the folder of a training run (its newest one)."""
    from llama_data.train_handoff.trainer.checkpoint import RECORD, checkpoints

    if (path / RECORD).exists():
        return path
    found = checkpoints(path)
    if not found:
        raise RequestError(f"{path}: neither a checkpoint nor a training folder with one in checkpoints/")
    return found[-1]


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A checkpoint, or the folder of a training run.")],
    output: Annotated[Path, typer.Argument(help="Folder to write.")],
    tokenizer: Annotated[Path | None, typer.Option("--tokenizer", help="Folder of the run's tokenizer.")] = None,
    dtype: Annotated[str, typer.Option("--dtype", help="bfloat16, float16 or float32.")] = "bfloat16",
) -> None:
    """Write a checkpoint as a Hugging Face folder: weights, config, generation config, tokenizer."""
    from llama_data.train_handoff.trainer import huggingface

    if dtype not in ("bfloat16", "float16", "float32"):
        raise RequestError(f"--dtype {dtype}: expected bfloat16, float16 or float32")
    huggingface.export(_checkpoint(run), output, tokenizer, dtype)
    typer.echo(f"{output}: load it with transformers.AutoModelForCausalLM.from_pretrained")


@app.command()
def generate(
    run: Annotated[Path, typer.Argument(help="A checkpoint, or the folder of a training run.")],
    prompt: Annotated[str, typer.Argument(help="Text to continue.")],
    tokenizer: Annotated[Path, typer.Option("--tokenizer", help="Folder of the run's tokenizer.")],
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="Tokens to add.")] = 64,
    temperature: Annotated[float, typer.Option("--temperature", min=0, help="0 takes the likeliest token.")] = 0.8,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draw.")] = 1,
) -> None:
    """Continue a text, to see what a model has learned."""
    from llama_data.train_handoff.trainer.generate import continue_text

    typer.echo(continue_text(_checkpoint(run), tokenizer, prompt, tokens=tokens, temperature=temperature, seed=seed))


def main() -> None:
    """Entry point of ``llama-train``."""
    run_command_line(app, "llama-train")


if __name__ == "__main__":
    main()
