"""Options of `llama-train launch` and `bench`: where a step is taken, and how it is computed."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.cli_models import require_in

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


def require_known(*, device: str | None, dtype: str | None, recompute: str | None, states: str | None) -> None:
    """Raise RequestError for a value that is none of those an option has; None is not given."""
    require_in(device, ("auto", "cpu", "cuda"), "--device")
    require_in(dtype, ("bfloat16", "float32"), "--dtype")
    require_in(recompute, ("none", "selective", "full"), "--recompute")
    require_in(states, ("float32", "bfloat16"), "--states")


def row_range(rows: str, option: str) -> tuple[int, int]:
    """``A:B`` as two numbers. Raises RequestError for anything else."""
    begin, colon, end = rows.partition(":")
    if not (colon and begin.isdecimal() and end.isdecimal() and int(begin) < int(end)):
        raise RequestError(f"{option} {rows}: expected A:B, two row numbers with A below B, as in 0:1000")
    return int(begin), int(end)
