"""Options of `llama-train launch` and `bench`: where a step is taken, and how it is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from llama_data.train_handoff.trainer.cli_models import require_in, size_in_bytes
from llama_data.train_handoff.trainer.fit import found_memory

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

SeqLen = Annotated[int, typer.Option("--seq-len", min=1, help="Tokens of a row, where there is no --data.")]
Vocab = Annotated[int, typer.Option("--vocab", min=4, help="Vocabulary of the rows, where there is no --data.")]
Replicate = Annotated[
    int | None, typer.Option("--replicate", min=1, help="Copies of the model; each is sharded over its processes.")
]
Attention = Annotated[str | None, typer.Option("--attention", help="auto, sdpa, varlen or flex.")]
DocumentMask = Annotated[
    bool | None, typer.Option("--document-mask/--no-document-mask", help="Keep attention inside a document.")
]
DeviceMemory = Annotated[
    str | None,
    typer.Option("--device-memory", help="Memory of a device, as in 80GB or 79GiB [default: of the one found]."),
]
From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Checkpoint (of `import`, or a run) whose parameters and model a new run starts with, from row 0 and "
        "with a fresh optimiser. --model then only gives the settings [default: LLaMA's].",
    ),
]
AsyncSave = Annotated[
    str | None,
    typer.Option("--async-save", help="auto (on CUDA), on or off: train on while a checkpoint is written."),
]

# Parameters of both commands, and what they set in a run's configuration.
COMPUTE = {
    "data": "data",
    "batch_tokens": "batch_tokens",
    "micro_rows": "micro_rows",
    "device": "device",
    "dtype": "dtype",
    "compile_": "compile",
    "recompute": "recompute",
    "loss_tokens": "loss_tokens",
    "states": "optim.states",
    "attention": "attention",
    "document_mask": "document_mask",
    "replicate": "replicate",
}
_CHOICES = {
    "device": ("auto", "cpu", "cuda"),
    "dtype": ("bfloat16", "float32"),
    "recompute": ("none", "selective", "full"),
    "states": ("float32", "bfloat16"),
    "attention": ("auto", "sdpa", "varlen", "flex"),
}


def compute_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Of a command's parameters those that were given and that ``COMPUTE`` has, by dotted key.

    Raises RequestError for a value that is none of those an option has.
    """
    for name, allowed in _CHOICES.items():
        require_in(values[name], allowed, f"--{name}")
    return {key: values[name] for name, key in COMPUTE.items() if values[name] is not None}


def memory_of_device(given: str | None, device: str | None) -> float | None:
    """Bytes of a device, as given or as its driver says; None where neither says. Raises RequestError."""
    if given is not None:
        return size_in_bytes(given, "--device-memory")
    return None if device == "cpu" else found_memory()
