"""``llama-data why``: what happened to one document, step by step, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llama_data.pipeline.looking.rows import Found, Ledgers
    from llama_data.pipeline.looking.told import Account

SHOWN = 600


def why(
    run: Annotated[str, typer.Argument(help="Folder or URL of the run.")],
    document: Annotated[
        str | None, typer.Argument(help="Id, source or URL of the document, a part of it, or a passage of its text.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most this many records.")] = 5,
    full: Annotated[
        bool, typer.Option("--full", help="Print the whole text, all training rows, all removed lines.")
    ] = False,
    random: Annotated[
        str | None, typer.Option("--random", help="Instead of one: draw among kept, rejected, failed or all.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="With --random: of those that went for this.")] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="Look in this domain alone.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="With --random: another seed draws others.")] = 1,
    text: Annotated[bool, typer.Option("--text", help="Look for it in the texts, not in ids and addresses.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Read the record again from the input; show what was removed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a record, for other programs.")] = False,
) -> None:
    """Say what happened to a record: each step's figure, threshold and distance, its text, and where it ended up.

    Of a kept one that is tokenized: the token shard and rows it lies in, and the training rows of every mix, by epoch.
    """
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.looking.rows import Ledgers
    from llama_data.pipeline.looking.told import Told

    if (document is None) == (random is None):
        raise RequestError("name a document (id, URL or text), or draw some with --random rejected")
    ledgers = Ledgers(run)
    if random is not None:
        found, more = _drawn(ledgers, random, domain, reason, limit, seed), 0
    else:
        assert document is not None
        found, more = _matching(ledgers, document, domain, limit, text)
    told = Told(ledgers, rows=None if full else 8)
    for number, account in enumerate(told.accounts(found, raw=raw)):
        if as_json:
            import json

            typer.echo(json.dumps(account.as_json(), ensure_ascii=False))
            continue
        if number:
            typer.echo("")
        for line in _lines(account, full, raw):
            typer.echo(line)
    if more and not as_json:
        typer.echo(f"\nand {more:,} more that match; --limit shows more of them", err=True)


def _drawn(
    ledgers: Ledgers, outcome: str, domain: str | None, reason: str | None, limit: int, seed: int
) -> list[Found]:
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.looking.rows import Filter

    outcomes = ("kept", "rejected", "failed", "all")
    if outcome not in outcomes:
        raise RequestError(f"--random {outcome}: expected one of: {', '.join(outcomes)}")
    wanted = Filter(domain=domain, outcome=None if outcome == "all" else outcome, reason=reason)
    found = ledgers.sample(wanted, limit, seed)
    if not found:
        what = " ".join(
            filter(None, (outcome if outcome != "all" else "", "record", f"for {reason}" if reason else ""))
        )
        there = f"; reasons there are: {', '.join(known)}" if reason and (known := ledgers.reasons(domain)) else ""
        raise RequestError(f"{ledgers.run}: no {what} found{f' in {domain}' if domain else ''}{there}")
    return found


def _matching(ledgers: Ledgers, wanted: str, domain: str | None, limit: int, text: bool) -> tuple[list[Found], int]:
    """The records that are meant, and how many more are: that with this id; those that hold it in a name; in a text."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.looking.finding import by_name, by_text

    if not text:
        found, more = by_name(ledgers, wanted, domain, limit)
        if found:
            return found, more
    found, more = by_text(ledgers, wanted, domain, limit)
    if not found:
        where = "text" if text else "id, source, URL or text"
        raise RequestError(
            f"{wanted}: no record with this {where} in {ledgers.run}/ledger and the texts that were kept"
        )
    return found, more


def _lines(account: Account, full: bool, raw: bool) -> Iterator[str]:
    """What a person is told of a record."""
    from llama_data.pipeline.core.screen import one_line

    row = account.row
    yield one_line(row["id"])
    yield f"  {one_line(row['url'] or row['source'])}"
    yield f"  {one_line(account.verdict)}"
    if account.share:
        yield f"  {account.share}"
    yield ""
    yield from _steps(account)
    for line in account.tokens:
        yield f"  {one_line(line)}"
    yield from _removed(account, full, raw)
    yield from _text(account, full)


def _steps(account: Account) -> Iterator[str]:
    """The steps as a table: what was measured, what is needed, how far the one is from the other."""
    from textwrap import shorten

    from llama_data.pipeline.core.screen import one_line
    from llama_data.pipeline.looking.story import ENDED, NOT_REACHED, label, number

    reached = [told for told in account.steps if told.state != NOT_REACHED]
    marks = {"passed": "ok", ENDED: "OUT", "not told": "?"}
    rows = []
    for told in reached:
        figure = "" if told.value is None else f"{label(told.figure)} {number(told.value)}"
        distance = "" if told.distance is None else f"{'+' if told.distance > 0 else ''}{number(told.distance)}"
        needs = f"needs {told.threshold}" if told.threshold and (figure or told.state == ENDED) else ""
        needs = shorten(one_line(needs), 40, placeholder=" …")
        rows.append([marks[told.state], told.step, one_line(figure), needs, distance])
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    for told, (mark, step, figure, needs, distance) in zip(reached, rows, strict=True):
        if figure or needs:
            setting = f"  {told.setting}" if told.setting else ""
            cells = f"{figure:<{widths[2]}}  {needs:<{widths[3]}}  {distance:>{widths[4]}}{setting}"
        else:
            cells = told.says
        shows = ", ".join(f"{label(name)} {number(value)}" for name, value in told.shows.items())
        joined = "; " if cells == told.says else "  "
        line = f"  {mark:>3}  {step:<{widths[1]}}  {cells}{joined + one_line(shows) if shows else ''}"
        yield line.rstrip()
    skipped = dict.fromkeys(told.step for told in account.steps if told.state == NOT_REACHED)
    if skipped:
        yield f"       not reached: {one_line(', '.join(skipped))}"


def _removed(account: Account, full: bool, raw: bool) -> Iterator[str]:
    from llama_data.pipeline.core.screen import one_line

    if not raw:
        sample = account.row.get("removed_sample")
        if sample:
            yield "  of the lines that line dedup removed, a sample:"
            yield from (f"  - {one_line(line)}" for line in sample.splitlines()[: None if full else 10])
        return
    if account.comparison is None:
        yield f"  raw text: {one_line(account.raw_why or 'there is no cleaned text to compare it with')}"
        return
    n = account.comparison.counts()
    yield f"  against the raw text: {n['removed']:,} lines removed, {n['changed']:,} changed, {n['added']:,} added"
    if account.raw_why:
        yield f"  {one_line(account.raw_why)}"
    gone = [
        line for line in account.comparison.lines if line.kind == "removed" and any(t.strip() for t, _ in line.left)
    ]
    for line in gone[: None if full else 20]:
        yield f"  - {line.left_number:>5}  {one_line(''.join(text for text, _ in line.left))[: None if full else 160]}"
    if not full and len(gone) > 20:
        yield f"    and {len(gone) - 20:,} more (--full)"


def _text(account: Account, full: bool) -> Iterator[str]:
    from llama_data.pipeline.core.screen import plain

    if account.text is None:
        yield "  the text is not kept (the recipe's rejected_sample says which share is); --raw reads it again"
        return
    text = plain(account.text)
    body = text if full or len(text) <= SHOWN else text[:SHOWN] + " …"
    yield from ("  | " + line for line in body.splitlines())
