"""Verbs of ``llama-train`` for a model that is trained: import, export, generate, chat. Starts without torch."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.screen import json_line
from llama_data.train_handoff.trainer.options import Run, TemplateName, Tokenizer, require_in, size_in_bytes
from llama_data.train_handoff.trainer.speaking import Speaking, speaking

app = typer.Typer()


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
    template: Annotated[
        str | None,
        typer.Option("--template", help="Chat template (hf): as of `chat` [default: the one that it was tuned with]."),
    ] = None,
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
    from llama_data.train_handoff.trainer.remote.copies import opened
    from llama_data.train_handoff.trainer.template import find_template

    require_in(to, ("hf", "easylm"), "--to")
    require_in(dtype, ("bfloat16", "float16", "float32"), "--dtype")
    size, path = size_in_bytes(shard_size, "--shard-size"), find_checkpoint(opened(run))
    if to == "hf":
        from llama_data.train_handoff.trainer.huggingface import export as huggingface

        form = None if template is None else find_template(template)
        huggingface.export(path, output, tokenizer, dtype, shard_bytes=size, overwrite=overwrite, template=form)
        typer.echo(f"{output}: load it with transformers.AutoModelForCausalLM.from_pretrained")
    else:
        from llama_data.train_handoff.trainer import easylm

        options = easylm.export(path, output, tokenizer, dtype, overwrite=overwrite)
        typer.echo(f"{output}: load it in EasyLM with {options}")


@app.command()
@speaking()
def generate(
    run: Run,
    prompt: Annotated[str | None, typer.Argument(help="Text to continue.")] = None,
    prompts: Annotated[
        str | None,
        typer.Option("--prompts", help="Text file with a prompt a line, .jsonl with `prompt` in each, or - (stdin)."),
    ] = None,
    *,
    how: Speaking,
) -> None:
    """Continue a text, or many, to see what a model has learned.

    One prompt: it and what the model adds are printed as they come. --prompts: one JSON line for each, with `prompt`,
    `completion`, `tokens` and `ended` (end: the model ended the document; stop; length; context: it is full); a prompt
    draws with --seed plus its number, from 0. A prompt begins as training documents did: with BOS, or EOS where they
    had none; a completion ends where the next document would begin.
    """
    from llama_data.train_handoff.trainer.prompts import read_prompts
    from llama_data.train_handoff.trainer.record import find_checkpoint
    from llama_data.train_handoff.trainer.remote.copies import opened

    if (prompt is None) == (prompts is None):
        raise RequestError("generate needs a prompt, or --prompts with a file of them, one of the two")
    texts = [prompt] if prompt is not None else list(read_prompts(prompts or ""))
    speaker = how.open(find_checkpoint(opened(run)))
    for number, text in enumerate(texts):
        speaker.restart(number)
        pieces = speaker.complete(speaker.encode(text))
        if prompts is None:
            _stream(itertools.chain([text], pieces))
        else:
            completion = "".join(pieces)
            line = {"prompt": text, "completion": completion, "tokens": speaker.count, "ended": speaker.ended}
            typer.echo(json_line(line))


@app.command()
@speaking(tokens=512, overflow="slide")
def chat(
    run: Run,
    template: TemplateName = None,
    *,
    how: Speaking,
) -> None:
    """Talk with a tuned model: a line is a prompt, and what was said before is remembered.

    /new begins another conversation. In a terminal Ctrl-C breaks an answer off and Ctrl-D ends; lines from a pipe are
    answered one after the other. The template is the one that the model was tuned with, of another model Open-Llama's,
    user: {prompt}<s>system: {completion}</s>, with BOS for <s> and EOS for </s>; the conversation itself begins with
    BOS, as training documents do.
    """
    from llama_data.train_handoff.trainer.chat import converse
    from llama_data.train_handoff.trainer.prompts import read_turns
    from llama_data.train_handoff.trainer.record import find_checkpoint, read_record
    from llama_data.train_handoff.trainer.remote.copies import opened
    from llama_data.train_handoff.trainer.template import DEFAULT, Template, find_template

    path = find_checkpoint(opened(run))
    tuned = read_record(path).template
    form = Template(tuned) if template is None and tuned is not None else find_template(template or DEFAULT)
    typed = sys.stdin.isatty()
    speaker = how.open(path, form.stop)
    converse(speaker, form, read_turns(typed), lambda text: typer.echo(text, nl=False), breakable=typed)


def _stream(pieces: Iterable[str]) -> None:
    for piece in pieces:
        typer.echo(piece, nl=False)
    typer.echo()
