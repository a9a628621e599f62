"""Verbs of ``llama-train`` for a model that is trained: import, export, generate, chat. Starts without torch."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_data.pipeline.core.errors import RequestError

if TYPE_CHECKING:
    from llama_data.train_handoff.trainer.generate import Speaker

app = typer.Typer()

Run = Annotated[Path, typer.Argument(help="A checkpoint, or the folder of a training run.")]
Tokenizer = Annotated[
    Path | None, typer.Option("--tokenizer", help="Folder of its tokenizer [default: tokenizer/ beside the mix].")
]

_UNITS: dict[str, int] = {"": 1, **{name: 1000**power for power, name in enumerate("KMGT", 1)}}
_UNITS |= {f"{name}I": 1024**power for power, name in enumerate("KMGT", 1)}


def require_in(value: str | None, allowed: tuple[str, ...], option: str) -> None:
    """Raise RequestError for a value that is none of those allowed; None is not given."""
    if value is not None and value not in allowed:
        raise RequestError(f"{option} {value}: expected {', '.join(allowed[:-1])} or {allowed[-1]}")


def size_in_bytes(size: str, option: str) -> int:
    """``5GB``, ``500MB`` or ``79GiB`` as a number of bytes. Raises RequestError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?((?:[KMGT]I?)?)B?", size.upper())
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
    keep_tied: Annotated[
        bool, typer.Option("--keep-tied", help="Keep an output head tied that is the embedding.")
    ] = False,
) -> None:
    """Make a checkpoint of a Hugging Face LLaMA model, for `launch --from`, `evaluate`, `generate` and `export`.

    Takes one file of safetensors or several with their index. Takes LLaMA models without biases, rope scaling or
    quantisation, with heads of hidden_size / num_attention_heads and an intermediate_size of at least 2/3 of 4 x
    hidden_size; grouped key and value heads too. A tied output head becomes one of its own that starts with the same
    values, unless --keep-tied. Needs 4 bytes of memory a parameter. `export` with the --dtype of the source gives the
    same weights and special ids back, bit for bit.
    """
    from llama_data.train_handoff.trainer.huggingface.pretrained import import_huggingface

    record = import_huggingface(folder, output, tokenizer, keep_tied=keep_tied)
    model = record.model_config(output)
    typer.echo(
        f"{output}: {model.parameters():,} parameters, vocabulary {model.vocab_size:,}, context {model.seq_len:,}; "
        f"train on with `llama-train launch --from {output} --data RUN/mix`"
    )


@app.command()
def export(
    run: Run,
    output: Annotated[Path, typer.Argument(help="Folder to write.")],
    to: Annotated[str, typer.Option("--to", help="hf (Hugging Face) or easylm (JAX, as OpenLLaMA's).")] = "hf",
    tokenizer: Tokenizer = None,
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
    size, path = size_in_bytes(shard_size, "--shard-size"), find_checkpoint(run)
    if to == "hf":
        from llama_data.train_handoff.trainer.huggingface import export as huggingface

        huggingface.export(path, output, tokenizer, dtype, shard_bytes=size, overwrite=overwrite)
        typer.echo(f"{output}: load it with transformers.AutoModelForCausalLM.from_pretrained")
    else:
        from llama_data.train_handoff.trainer import easylm

        options = easylm.export(path, output, tokenizer, dtype, overwrite=overwrite)
        typer.echo(f"{output}: load it in EasyLM with {options}")


Temperature = Annotated[float, typer.Option("--temperature", min=0, help="0 takes the likeliest token.")]
TopP = Annotated[
    float | None, typer.Option("--top-p", min=0, max=1, help="Draw from the likeliest that together reach this.")
]
TopK = Annotated[int | None, typer.Option("--top-k", min=1, help="Draw from so many of the likeliest.")]
Stop = Annotated[list[str] | None, typer.Option("--stop", help="End before this text; repeat it for more.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the draws.")]
Overflow = Annotated[
    str, typer.Option("--overflow", help="When the context is full: stop, or slide (forget its older half).")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Dtype = Annotated[str, typer.Option("--dtype", help="float32, bfloat16 or float16.")]


@app.command()
def generate(
    run: Run,
    prompt: Annotated[str | None, typer.Argument(help="Text to continue.")] = None,
    prompts: Annotated[
        str | None,
        typer.Option("--prompts", help="Text file with a prompt a line, .jsonl with `prompt` in each, or - (stdin)."),
    ] = None,
    tokenizer: Tokenizer = None,
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="Tokens to add at most.")] = 64,
    temperature: Temperature = 0.8,
    top_p: TopP = None,
    top_k: TopK = None,
    stop: Stop = None,
    seed: Seed = 1,
    overflow: Overflow = "stop",
    device: Device = "auto",
    dtype: Dtype = "float32",
) -> None:
    """Continue a text, or many, to see what a model has learned.

    One prompt: it and what the model adds are printed as they come. --prompts: one JSON line for each, with `prompt`,
    `completion`, `tokens` and `ended` (end: the model ended the document; stop; length; context: it is full); a prompt
    draws with --seed plus its number, from 0. A prompt begins as training documents did: with BOS, or EOS where they
    had none; a completion ends where the next document would begin.
    """
    from llama_data.train_handoff.trainer.prompts import read_prompts

    if (prompt is None) == (prompts is None):
        raise RequestError("generate needs a prompt, or --prompts with a file of them, one of the two")
    texts = [prompt] if prompt is not None else list(read_prompts(prompts or ""))
    speaker = _speaker(run, tokenizer, tokens, temperature, top_p, top_k, stop, seed, overflow, device, dtype)
    for number, text in enumerate(texts):
        speaker.restart(number)
        pieces = speaker.complete(speaker.encode(text))
        if prompts is None:
            _stream(itertools.chain([text], pieces))
        else:
            completion = "".join(pieces)
            line = {"prompt": text, "completion": completion, "tokens": speaker.count, "ended": speaker.ended}
            typer.echo(json.dumps(line, ensure_ascii=False))


@app.command()
def chat(
    run: Run,
    template: Annotated[
        str, typer.Option("--template", help="open-llama, or a text file with {prompt} and {completion}.")
    ] = "open-llama",
    tokenizer: Tokenizer = None,
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="Tokens of an answer at most.")] = 512,
    temperature: Temperature = 0.8,
    top_p: TopP = None,
    top_k: TopK = None,
    stop: Stop = None,
    seed: Seed = 1,
    overflow: Overflow = "slide",
    device: Device = "auto",
    dtype: Dtype = "float32",
) -> None:
    """Talk with a tuned model: a line is a prompt, and what was said before is remembered.

    /new begins another conversation. In a terminal Ctrl-C breaks an answer off and Ctrl-D ends; lines from a pipe are
    answered one after the other. The default template is Open-Llama's, user: {prompt}<s>system: {completion}</s>, with
    BOS for <s> and EOS for </s>; the conversation itself begins with BOS, as training documents do.
    """
    from llama_data.train_handoff.trainer.chat import converse
    from llama_data.train_handoff.trainer.prompts import read_turns
    from llama_data.train_handoff.trainer.template import find_template

    form = find_template(template)
    ends = [*(stop or []), *([form.stop] if form.stop else [])]
    speaker = _speaker(run, tokenizer, tokens, temperature, top_p, top_k, ends, seed, overflow, device, dtype)
    typed = sys.stdin.isatty()
    converse(speaker, form, read_turns(typed), lambda text: typer.echo(text, nl=False), breakable=typed)


def _stream(pieces: Iterable[str]) -> None:
    for piece in pieces:
        typer.echo(piece, nl=False)
    typer.echo()


def _speaker(
    run: Path,
    tokenizer: Path | None,
    tokens: int,
    temperature: float,
    top_p: float | None,
    top_k: int | None,
    stop: list[str] | None,
    seed: int,
    overflow: str,
    device: str,
    dtype: str,
) -> Speaker:
    """The model that `generate` and `chat` ask for; what is to be known of it goes to standard error."""
    require_in(device, ("auto", "cpu", "cuda"), "--device")
    require_in(dtype, ("float32", "bfloat16", "float16"), "--dtype")
    require_in(overflow, ("stop", "slide"), "--overflow")
    if stop and "" in stop:
        raise RequestError("--stop: expected a text, found an empty one")
    from llama_data.train_handoff.trainer.generate import Sampling, open_speaker
    from llama_data.train_handoff.trainer.record import find_checkpoint

    sampling = Sampling(tokens, temperature, top_p, top_k, tuple(stop or ()), seed, overflow == "slide")
    path = find_checkpoint(run)
    return open_speaker(path, tokenizer, sampling, _notice, device=device, dtype=dtype)


def _notice(text: str) -> None:
    typer.echo(f"llama-train: {text}", err=True)
