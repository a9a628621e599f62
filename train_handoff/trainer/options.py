"""Options that several verbs of `llama-train` have: where a step is taken, how it is computed, when it is saved."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.fit import found_memory

PRESETS = "tiny 125m 1b 1.1b 3b 7b 13b 33b 65b open-llama-7b, or a .yaml file"
Nproc = Annotated[int | None, typer.Option("--nproc", min=1, help="Processes on this node.")]
Nnodes = Annotated[int, typer.Option("--nnodes", min=1, help="Nodes.")]
NodeRank = Annotated[int, typer.Option("--node-rank", min=0, help="Number of this node, from 0.")]
Rendezvous = Annotated[str | None, typer.Option("--rendezvous", help="HOST:PORT of the first node.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")]
Rate = Annotated[float | None, typer.Option("--lr", help="Peak learning rate.")]
Warmup = Annotated[int | None, typer.Option("--warmup", min=0, help="Steps over which the rate rises.")]
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
Output = Annotated[
    str | None,
    typer.Option("--output", help="Folder or URL for checkpoints and metrics [default: train/ beside the mix]."),
]
CacheDir = Annotated[
    str | None,
    typer.Option("--cache-dir", help="Local folder for what is copied from object stores [default: in ~/.cache]."),
]
CacheBytes = Annotated[
    str | None, typer.Option("--cache-bytes", help="Most that may lie there, as in 100GB [default: 20GB].")
]
Initial = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="PATH",
        help="Checkpoint (of `import`, or a run) whose parameters and model a new run starts with, from row 0 and "
        "with a fresh optimiser. --model then only gives the settings [default: LLaMA's].",
    ),
]
AsyncSave = Annotated[
    str | None,
    typer.Option("--async-save", help="auto (on CUDA), on or off: train on while a checkpoint is written."),
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


Run = Annotated[str, typer.Argument(metavar="RUN", help="A checkpoint, or the folder of a training run; or its URL.")]


def row_range(rows: str, option: str) -> tuple[int, int]:
    """``A:B`` as two numbers. Raises RequestError for anything else."""
    begin, colon, end = rows.partition(":")
    if not (colon and begin.isdecimal() and end.isdecimal() and int(begin) < int(end)):
        raise RequestError(f"{option} {rows}: expected A:B, two row numbers with A below B, as in 0:1000")
    return int(begin), int(end)


# Parameters of verbs that take steps, and what they set in a run's configuration.
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
# Parameters of verbs that train, and what they set.
TRAINING = {
    "steps": "steps",
    "lr": "optim.lr",
    "warmup": "optim.warmup_steps",
    "save_every": "save_every",
    "save_minutes": "save_minutes",
    "async_save": "async_save",
    "cache_dir": "cache_dir",
}
_CHOICES = {
    "async_save": ("auto", "on", "off"),
    "device": ("auto", "cpu", "cuda"),
    "dtype": ("bfloat16", "float32"),
    "recompute": ("none", "selective", "full"),
    "states": ("float32", "bfloat16"),
    "attention": ("auto", "sdpa", "varlen", "flex"),
}


def compute_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Of a command's parameters those that were given and that ``COMPUTE`` has, by dotted key.

    Raises RequestError for an empty text, and for a value that is none of those an option has.
    """
    for name, value in values.items():
        if value == "":  # as of a variable that the shell does not know
            raise RequestError(
                f"--{'from' if name == 'initial' else name.replace('_', '-')}: expected a value, found none"
            )
    for name, allowed in _CHOICES.items():
        require_in(values.get(name), allowed, f"--{name.replace('_', '-')}")
    return {key: values[name] for name, key in COMPUTE.items() if values.get(name) is not None}


def training_settings(values: dict[str, Any]) -> dict[str, Any]:
    """What the parameters of a command that trains set in its run, by dotted key: those of ``COMPUTE`` and others.

    Raises RequestError for a value that an option cannot have.
    """
    given = {key: values[name] for name, key in TRAINING.items() if values.get(name) is not None}
    if values.get("cache_bytes") is not None:
        given["cache_bytes"] = size_in_bytes(values["cache_bytes"], "--cache-bytes")
    if values["skip_rows"]:
        given["skip_rows"] = [row_range(rows, "--skip-rows") for rows in values["skip_rows"]]
    if values["change"]:
        given["change"] = True
    return given | compute_settings(values)


def memory_of_device(given: str | None, device: str | None) -> float | None:
    """Bytes of a device, as given or as its driver says; None where neither says. Raises RequestError."""
    if given is not None:
        return size_in_bytes(given, "--device-memory")
    return None if device == "cpu" else found_memory()


_UNITS: dict[str, int] = {"": 1, **{name: 1000**power for power, name in enumerate("KMGT", 1)}}
_UNITS |= {f"{name}I": 1024**power for power, name in enumerate("KMGT", 1)}


def size_in_bytes(size: str, option: str) -> int:
    """``5GB``, ``500MB`` or ``79GiB`` as a number of bytes. Raises RequestError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?((?:[KMGT]I?)?)B?", size.upper())
    if found is None or not float(found[1]):
        raise RequestError(f"{option} {size}: expected a size as in 5GB or 500MB")
    return round(float(found[1]) * _UNITS[found[2]])


def require_in(value: str | None, allowed: tuple[str, ...], option: str) -> None:
    """Raise RequestError for a value that is none of those allowed; None is not given."""
    if value is not None and value not in allowed:
        raise RequestError(f"{option} {value}: expected {', '.join(allowed[:-1])} or {allowed[-1]}")


def devices(device: str | None) -> int:
    """Processes to start when --nproc is not given: one for each CUDA device, one on a machine without."""
    if device == "cpu":
        return 1
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return max(1, len([item for item in visible.split(",") if item]))
    return max(1, len(list(Path("/proc/driver/nvidia/gpus").glob("*"))))


def write_json(path: Path | None, result: dict[str, Any]) -> None:
    """Write figures to a file, when one is named."""
    if path is not None:
        from llama_data.pipeline.core.files import atomic_write

        with atomic_write(str(path)) as stream:
            stream.write(json.dumps(result, indent=2).encode() + b"\n")
