"""``llama-data why``: what happened to one document, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = 600
ROWS_SHOWN = 8


def why(
    run: Annotated[str, typer.Argument(help="Folder or URL of the run.")],
    document: Annotated[str, typer.Argument(help="Id, source or URL of the document (or a part of it).")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many records.")] = 5,
    full: Annotated[bool, typer.Option("--full", help="Print the whole text.")] = False,
) -> None:
    """Say what happened to a record: kept, rejected or failed, by which step, why, and with which scores.

    Of a kept one that is tokenized: the token shard and rows it lies in, and the training rows of every mix, by epoch.
    """
    from llama_data.pipeline.core.errors import RequestError

    rows = list(_rows(run, document, limit))
    if not rows:
        raise RequestError(f"{document}: no record with this id, source or URL in {run}/ledger")
    for row in rows:
        _explain(run, row, full)
        if row["outcome"] == "kept":
            _follow(run, row, full)


def _rows(run: str, wanted: str, limit: int) -> Iterator[dict[str, Any]]:
    """Ledger rows that match exactly, or, when none does, that contain ``wanted``."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.compute as pc  # type: ignore[import-untyped]

    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.files import join, list_files
    from llama_data.pipeline.core.ledger import read_table

    domains = list_files(join(run, "ledger"), "")
    if not domains:
        raise RequestError(f"{run}: no ledger there; expected the folder of a run")
    names = ("id", "source", "url")
    for exact in (True, False):
        found = 0
        for path in (file for domain in domains for file in list_files(domain, ".parquet")):
            table = read_table(path)
            matches = [
                pc.fill_null(pc.equal(table[name], wanted) if exact else pc.match_substring(table[name], wanted), False)
                for name in names
            ]
            chosen = table.filter(pc.or_(pc.or_(matches[0], matches[1]), matches[2]))
            assert isinstance(chosen, pa.Table)
            for row in chosen.to_pylist():
                found += 1
                yield {**row, "_task": path.rsplit("/", 1)[-1].removesuffix(".parquet")}
                if found == limit:
                    return
        if found:
            return


def _explain(run: str, found: dict[str, Any], full: bool) -> None:
    from llama_data.pipeline.core.reasons import sentence_of
    from llama_data.pipeline.core.screen import one_line, plain

    row = {key: one_line(value) if isinstance(value, str) else value for key, value in found.items()}
    typer.echo(f"{row['id']}  ({row['source']}{', ' + row['url'] if row['url'] else ''})")
    if row["outcome"] == "kept":
        typer.echo(
            f"  kept: {row['chars_out']:,} of {row['chars_in']:,} characters, "
            f"{row['lines_out']:,} of {row['lines_in']:,} lines"
        )
    else:
        typer.echo(f"  {row['outcome']} by {row['step']}: {row['reason']} — {sentence_of(row['reason'])}")
        if row["detail"]:
            typer.echo(f"  detail: {row['detail']}")
    shown = {"id", "domain", "source", "url", "outcome", "reason", "step", "detail", "_task"}
    shown |= {"chars_in", "chars_out", "lines_in", "lines_out"}
    scores = [f"{key} {value}" for key, value in row.items() if key not in shown and value is not None]
    if scores:
        typer.echo("  " + ", ".join(scores))
    text = _text(run, found)
    if text is None:
        typer.echo("  the text is not kept (the recipe's rejected_sample says which share is)")
    else:
        text = plain(text)
        body = text if full or len(text) <= SHOWN else text[:SHOWN] + " …"
        typer.echo("\n".join("  | " + line for line in body.splitlines()))


def _follow(run: str, row: dict[str, Any], full: bool) -> None:
    """Say where a document lies in the token shards, and which training rows it ended in."""
    from llama_data.pipeline.core.errors import InputError
    from llama_data.pipeline.whereabouts import follow

    try:
        for line in follow(run, row["domain"], row["id"], None if full else ROWS_SHOWN):
            typer.echo(f"  {line}")
    except InputError as error:
        typer.echo(f"  its tokens cannot be followed: {error}")


def _text(run: str, row: dict[str, Any]) -> str | None:
    """The kept or rejected text of a ledger row; None when it was not sampled."""
    from llama_data.pipeline.core.files import join, read_jsonl
    from llama_data.pipeline.core.sink import documents_of_task

    folder = join(run, "documents" if row["outcome"] == "kept" else "rejected", row["domain"])
    records = (record for path in documents_of_task(folder, row["_task"]) for record in read_jsonl(path))
    return next((record["text"] for record in records if record["id"] == row["id"]), None)
