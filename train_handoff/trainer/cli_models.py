"""Verbs of ``llama-train`` that take a trained model or hand one over: import, export. Starts without torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from llama_data.pipeline.core.errors import RequestError

app = typer.Typer()

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def require_in(value: str | None, allowed: tuple[str, ...], option: str) -> None:
    """Raise RequestError for a value that is none of those allowed; None is not given."""
    if value is not None and value not in allowed:
        raise RequestError(f"{option} {value}: expected {', '.join(allowed[:-1])} or {allowed[-1]}")


def _bytes(size: str, option: str) -> int:
    """``5GB`` or ``500MB`` as a number of bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]?)B?", size.upper())
    if found is None or not float(found[1]):
        raise RequestError(f"{option} {size}: expected a size as in 5GB or 500MB")
    return round(float(found[1]) * _UNITS[found[2]])


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Hugging Face folder: config.json and safetensors.")],
    output: Annotated[Path, typer.Argument(help="Checkpoint to make; must not be there yet.")],
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", help="Folder with its tokenizer.model [default: the same folder].")
    ] = None,
) -> None:
    """Make a checkpoint of a Hugging Face LLaMA model, for `launch --from`, `evaluate`, `generate` and `export`.

    Takes LLaMA models without biases, rope scaling or quantisation, with heads of hidden_size / num_attention_heads and
    an intermediate_size of at least 2/3 of 4 x hidden_size; grouped key and value heads too. A tied output head becomes
    one of its own that starts with the same values. Needs 4 bytes of memory a parameter. `export` with the --dtype of
    the source gives the same weights back, bit for bit.
    """
    from llama_data.train_handoff.trainer.huggingface.pretrained import import_huggingface

    record = import_huggingface(folder, output, tokenizer)
    model = record.model_config(output)
    typer.echo(
        f"{output}: {model.parameters():,} parameters, vocabulary {model.vocab_size:,}, context {model.seq_len:,}; "
        f"train on with `llama-train launch --from {output} --data RUN/mix`"
    )


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A checkpoint, or the folder of a training run.")],
    output: Annotated[Path, typer.Argument(help="Folder to write.")],
    to: Annotated[str, typer.Option("--to", help="hf (Hugging Face) or easylm (JAX, as OpenLLaMA's).")] = "hf",
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", help="Folder of its tokenizer [default: tokenizer/ beside the mix].")
    ] = None,
    dtype: Annotated[str, typer.Option("--dtype", help="bfloat16, float16 or float32.")] = "bfloat16",
    shard_size: Annotated[str, typer.Option("--shard-size", help="Size of a file of weights at most (hf).")] = "5GB",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what an earlier export wrote to the folder.")
    ] = False,
) -> None:
    """Write a checkpoint as a folder that other programs load, with the tokenizer it was trained with.

    hf: config.json, generation_config.json and safetensors, in files of --shard-size with an index; special ids are the
    tokenizer's. easylm: the stream of msgpack pairs that EasyLM loads as params::OUTPUT/streaming_params.

    Parameters are read from the checkpoint by name, so memory holds one file of weights (easylm: 1 GiB), never the
    model. The folder must be empty or new, unless --overwrite is given; it gets its files when all are written.
    """
    from llama_data.train_handoff.trainer.record import find_checkpoint

    require_in(to, ("hf", "easylm"), "--to")
    require_in(dtype, ("bfloat16", "float16", "float32"), "--dtype")
    size, path = _bytes(shard_size, "--shard-size"), find_checkpoint(run)
    if to == "hf":
        from llama_data.train_handoff.trainer.huggingface import export as huggingface

        huggingface.export(path, output, tokenizer, dtype, shard_bytes=size, overwrite=overwrite)
        typer.echo(f"{output}: load it with transformers.AutoModelForCausalLM.from_pretrained")
    else:
        from llama_data.train_handoff.trainer import easylm

        options = easylm.export(path, output, tokenizer, dtype, overwrite=overwrite)
        typer.echo(f"{output}: load it in EasyLM with {options}")


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
    from llama_data.train_handoff.trainer.record import find_checkpoint

    path = find_checkpoint(run)
    typer.echo(continue_text(path, tokenizer, prompt, tokens=tokens, temperature=temperature, seed=seed))
