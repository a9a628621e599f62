"""``llama-data inspect``: look into any file that a run has written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def inspect(
    file: Annotated[
        str,
        typer.Argument(help="Documents (.jsonl.zst), ledger or token shard (.parquet), or a run's tokenizer folder."),
    ],
    row: Annotated[int | None, typer.Option("--row", min=0, help="Token shard: show this row as text.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many records.")] = 3,
    text: Annotated[str | None, typer.Option("--text", help="Tokenizer: show the pieces of this text.")] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help="Token shard: tokenizer.model [default: the run's own].")
    ] = None,
) -> None:
    """Show documents, ledger rows, the text of a token row, or what a tokenizer makes of text."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import exists, join

    if not exists(file):
        raise RequestError(f"{file}: no such file")
    if file.endswith(".model") or exists(join(file, "tokenizer.model")):
        _tokenizer(file, text, limit)
    elif file.endswith(".parquet"):
        _parquet(file, row, limit, tokenizer)
    elif ".json" in file:
        _documents(file, limit)
    else:
        raise RequestError(f"{file}: expected .jsonl.zst, .parquet, or a tokenizer folder")


def _documents(file: str, limit: int) -> None:
    from itertools import islice

    from llama_data.pipeline.core.files import read_jsonl
    from llama_data.pipeline.core.screen import one_line, plain

    for record in islice(read_jsonl(file), limit):
        typer.echo(f"=== {one_line(record['id'])}")
        typer.echo(", ".join(f"{one_line(key)}={one_line(value)}" for key, value in record["metadata"].items()))
        typer.echo(plain(record["text"]))


def _parquet(file: str, row: int | None, limit: int, tokenizer: str | None) -> None:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    from llama_data.pipeline.core.errors import InputError
    from llama_data.pipeline.core.files import open_binary
    from llama_data.pipeline.core.screen import one_line, plain
    from llama_data.train_handoff.shards.file import FOOTER_KEY, Shard
    from llama_data.train_handoff.shards.view import view_row

    try:
        with open_binary(file) as stream:
            parquet = pq.ParquetFile(stream)
            is_shard = FOOTER_KEY.encode() in (parquet.metadata.metadata or {})
            head = [] if is_shard else parquet.read(use_threads=False).slice(0, limit).to_pylist()
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not a readable parquet file: {error}") from None
    if not is_shard:
        for found in head:
            typer.echo(
                ", ".join(f"{one_line(key)}={one_line(value)}" for key, value in found.items() if value is not None)
            )
        return
    shard = Shard(file)
    if row is None:
        for key, value in vars(shard.footer).items():
            typer.echo(f"{one_line(key):<18} {one_line(value)}")
        return
    typer.echo(plain(str(view_row(shard, row, tokenizer or _tokenizer_beside(file)))))


def _tokenizer_beside(file: str) -> str:
    """The tokenizer of the run that holds a file below its folder."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import exists, join

    folder = file.replace("\\", "/")
    while "/" in folder:
        folder = folder.rsplit("/", 1)[0]
        if exists(join(folder, "tokenizer", "tokenizer.model")):
            return join(folder, "tokenizer", "tokenizer.model")
    raise RequestError(f"{file}: no tokenizer in a folder above it; give --tokenizer PATH")


def _tokenizer(path: str, text: str | None, limit: int) -> None:
    from llama_data.pipeline.core.files import join
    from llama_data.tokenizer import audit
    from llama_data.tokenizer.bpe.encode import FastEncoder

    model = path if path.endswith(".model") else join(path, "tokenizer.model")
    encoder = FastEncoder(model)
    if text is not None:
        found = audit.pieces(encoder, text)
        typer.echo(" ".join(f"{piece}({number})" for piece, number in found))
        typer.echo(f"{len(text.encode())} bytes, {len(found)} tokens, round trip {audit.round_trips(encoder, text)}")
        return
    documents = join(model.rsplit("/", 2)[0], "documents") if model.count("/") > 1 else "documents"
    typer.echo(audit.table(audit.compression(encoder, _sample(documents, limit * 100))))


def _sample(documents: str, count: int) -> Iterator[dict[str, Any]]:
    """The first ``count`` documents of every domain of a run."""
    from itertools import chain, islice

    from llama_data.pipeline.core.files import list_files, read_jsonl

    for folder in list_files(documents, ""):
        yield from islice(chain.from_iterable(map(read_jsonl, list_files(folder, ".jsonl.zst"))), count)
