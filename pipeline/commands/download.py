"""``llama-data download``: raw dumps from their official places."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from llama_data.pipeline.core.screen import size_of

if TYPE_CHECKING:
    from llama_data.pipeline.download.queue import Plan, Progress
    from llama_data.pipeline.download.source import Source

EVERY = 30.0  # seconds between two lines that say how far it is


def download(
    source: Annotated[
        str, typer.Argument(help="commoncrawl, c4, github, wikipedia, gutenberg, arxiv or stackexchange.")
    ],
    what: Annotated[
        list[str] | None,
        typer.Argument(help="Crawls, languages, sites or months, like CC-MAIN-2020-05 or en,de.", show_default=False),
    ] = None,
    output: Annotated[str, typer.Option("--output", help="Folder; each domain has one in it.")] = "dumps",
    share: Annotated[
        str | None, typer.Option("--share", help="A share of the files, like 1%; the same ones for everyone.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the share, as in a recipe.")] = 1,
    date: Annotated[
        str | None, typer.Option("--date", help="Of the dump (wikipedia, stackexchange) or revision (c4).")
    ] = None,
    kind: Annotated[str, typer.Option("--kind", help="commoncrawl: wet or warc.")] = "wet",
    mirror: Annotated[str | None, typer.Option("--from", help="Another place with the same layout, as a URL.")] = None,
    connections: Annotated[
        int | None, typer.Option("--connections", min=1, help="At the same time; at most what the source bears.")
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option("--contact", envvar="LLAMA_DATA_CONTACT", help="Your address, for the server's log."),
    ] = None,
    requester_pays: Annotated[
        bool, typer.Option("--requester-pays", help="arxiv: you pay Amazon for the transfer.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Fetch again what has changed at the source.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List files and bytes, download nothing.")] = False,
) -> None:
    """Download raw dumps from their official places; the same command goes on where it stopped."""
    import os
    from pathlib import Path

    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.http import CONTACT_VARIABLE
    from llama_data.pipeline.core.paths import Choice, choose
    from llama_data.pipeline.core.settings import parse_share
    from llama_data.pipeline.download import queue
    from llama_data.pipeline.download.catalogue import SOURCES
    from llama_data.pipeline.download.record import RECORD
    from llama_data.pipeline.download.source import Ask

    if source not in SOURCES:
        raise RequestError(f"{source}: no such source; expected one of {', '.join(SOURCES)}")
    part = None if share is None else parse_share(share)
    try:
        part = None if part is None else float(part)
        if part is not None and not 0 < part <= 1:
            raise ValueError
    except ValueError:
        raise RequestError(f"--share {share}: expected a share of the files, like 1% or 0.01") from None
    if contact:
        os.environ[CONTACT_VARIABLE] = contact
    chosen = SOURCES[source]
    words = tuple(word for given in what or [] for word in given.split(",") if word)
    base = (mirror or chosen.base).rstrip("/") + "/"
    items = chosen.files(Ask(words, base, date, kind, requester_pays))
    if not items:
        raise RequestError(f"{source}: the index at {base} names no such file")
    items = choose(items, Choice(part, seed), lambda item: item.name)
    plan = queue.make_plan(Path(output).expanduser() / chosen.domain, items, overwrite=overwrite)
    if dry_run:
        for item in plan.items:
            size = "?" if item.size is None else f"{item.size:,}"
            typer.echo(f"{size:>18}  {item.url}")
    _describe(chosen, plan, base)
    if source == "arxiv" and requester_pays:
        _cost(plan)
    if dry_run:
        return
    if plan.todo:
        most = chosen.connections if mirror is None else max(chosen.connections, connections or 0)
        queue.download(
            plan,
            chosen,
            connections=min(connections or chosen.connections, most, len(plan.todo)),
            pays=requester_pays,
            tell=_teller(source),
        )
    typer.echo(f"{plan.folder}: {_files(len(plan.items))} complete; {RECORD} says where each came from")
    typer.echo(f"next: llama-data run {chosen.domain} --input {plan.folder} --output RUN")


def _describe(source: Source, plan: Plan, base: str) -> None:
    about = "" if plan.exact else "about "
    typer.echo(
        f"{source.name}: {_files(len(plan.items))}, {about}{size_of(plan.bytes_all)}, from {base}; to come: "
        f"{_files(len(plan.todo))}, {about}{size_of(plan.bytes_todo)}, into {plan.folder}",
        err=True,
    )
    typer.echo(f"  licence: {source.licence}; terms: {source.terms}; checksums: {source.checksums}", err=True)


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def _cost(plan: Plan) -> None:
    from llama_data.pipeline.download.arxiv import DOLLARS_A_GB

    dollars = plan.bytes_todo / 1e9 * DOLLARS_A_GB
    typer.echo(f"  you pay Amazon: some ${dollars:,.2f} at ${DOLLARS_A_GB} a GB (none inside us-east-1)", err=True)


def _teller(name: str) -> Callable[[Progress], None]:
    """Says every half a minute how far a download is."""
    begun = last = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < EVERY:
            return
        last = now
        rate = max(progress.bytes, 0) / (now - begun)
        left = (progress.bytes_all - progress.bytes) / rate / 60 if rate else 0.0
        failed = f", {progress.failed} failed" if progress.failed else ""
        typer.echo(
            f"  {name}: {progress.files:,} of {_files(progress.files_all)}, {size_of(progress.bytes)} of "
            f"{size_of(progress.bytes_all)}, {rate / 1e6:,.1f} MB/s, {max(left, 0):,.0f} min left{failed}",
            err=True,
        )

    return tell
