"""Options that several verbs of `llama-train` have: where a step is taken, how it is computed, when it is saved."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from llama_data.pipeline.core.errors import RequestError

Nproc = Annotated[int | None, typer.Option("--nproc", min=1, help="Processes on this node.")]
Nnodes = Annotated[int, typer.Option("--nnodes", min=1, help="Nodes.")]
NodeRank = Annotated[int, typer.Option("--node-rank", min=0, help="Number of this node, from 0.")]
Rendezvous = Annotated[str | None, typer.Option("--rendezvous", help="HOST:PORT of the first node.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")]
BatchTokens = Annotated[int | None, typer.Option("--batch-tokens", min=1, help="Tokens of a step.")]
MicroRows = Annotated[
    int | None, typer.Option("--micro-rows", min=1, help="Rows a process holds at a time [default: the model's].")
]
SaveMinutes = Annotated[float | None, typer.Option("--save-minutes", min=0.01, help="Minutes between checkpoints.")]
Tokenizer = Annotated[
    Path | None, typer.Option("--tokenizer", help="Folder of its tokenizer [default: tokenizer/ beside the mix].")
]
TemplateName = Annotated[
    str | None,
    typer.Option("--template", help="open-llama, alpaca, vicuna, or a text file with {prompt} and {completion}."),
]
SaveEvery = Annotated[int | None, typer.Option("--save-every", min=1, help="Steps between checkpoints.")]
SkipRows = Annotated[
    list[str] | None,
    typer.Option("--skip-rows", help="A:B, leave rows A to B-1 of the run out, for good; repeat it for more."),
]
Rewind = Annotated[
    int | None, typer.Option("--rewind", min=0, help="Go on from the newest checkpoint at or before this row.")
]
Change = Annotated[
    bool, typer.Option("--change", help="Go on with settings that are not those the run was trained with.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and describe the run, start nothing.")]
Dtype = Annotated[str | None, typer.Option("--dtype", help="bfloat16 or float32 [default: the model's].")]
Compile = Annotated[bool | None, typer.Option("--compile/--no-compile", help="torch.compile each layer and the loss.")]
Recompute = Annotated[
    str | None, typer.Option("--recompute", help="none, selective or full: what the backward pass computes again.")
]
LossTokens = Annotated[
    int | None, typer.Option("--loss-tokens", min=1, help="Tokens of which a process holds the logits at a time.")
]
States = Annotated[
    str | None, typer.Option("--states", help="float32 or bfloat16: what parameters and AdamW's moments are held in.")
]

Initial = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Checkpoint (of `import`, or a run) whose parameters and model a new run starts with, from row 0 and "
        "with a fresh optimiser. --model then only gives the settings [default: LLaMA's].",
    ),
]


def require_in(value: str | None, allowed: tuple[str, ...], option: str) -> None:
    """Raise RequestError for a value that is none of those allowed; None is not given."""
    if value is not None and value not in allowed:
        raise RequestError(f"{option} {value}: expected {', '.join(allowed[:-1])} or {allowed[-1]}")


def require_known(*, device: str | None, dtype: str | None, recompute: str | None, states: str | None) -> None:
    """Raise RequestError for a value that is none of those an option has; None is not given."""
    require_in(device, ("auto", "cpu", "cuda"), "--device")
    require_in(dtype, ("bfloat16", "float32"), "--dtype")
    require_in(recompute, ("none", "selective", "full"), "--recompute")
    require_in(states, ("float32", "bfloat16"), "--states")


def devices(device: str | None) -> int:
    """Processes to start when --nproc is not given: one for each CUDA device, one on a machine without."""
    if device == "cpu":
        return 1
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return max(1, len([item for item in visible.split(",") if item]))
    return max(1, len(list(Path("/proc/driver/nvidia/gpus").glob("*"))))


def ranges(given: list[str], option: str) -> list[tuple[int, int]]:
    """Each ``A:B`` as two numbers. Raises RequestError."""
    found = []
    for rows in given:
        begin, colon, end = rows.partition(":")
        if not (colon and begin.isdecimal() and end.isdecimal() and int(begin) < int(end)):
            raise RequestError(f"{option} {rows}: expected A:B, two row numbers with A below B, as in 0:1000")
        found.append((int(begin), int(end)))
    return found


def write_json(path: Path | None, result: dict[str, Any]) -> None:
    """Write figures to a file, when one is named."""
    if path is not None:
        from llama_data.pipeline.core.files import atomic_write

        with atomic_write(str(path)) as stream:
            stream.write(json.dumps(result, indent=2).encode() + b"\n")
