"""``llama-data report`` and ``llama-data diff``: a run on one page, two runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llama_data.pipeline.report.compare import Comparison, DomainPair

ARROW = "\N{RIGHTWARDS ARROW}"
_SHOWN = 5  # reasons that a domain's lines name


def report(
    run: Annotated[str, typer.Argument(help="Folder or URL of the run.")],
    other: Annotated[str | None, typer.Argument(help="A second run, to compare the first with.")] = None,
    output: Annotated[
        str | None, typer.Option("--output", help="File to write [default: RUN/report.html; of two: compare.html].")
    ] = None,
) -> None:
    """Write the whole run on one self-contained page, or, of two runs, what the second did otherwise."""
    typer.echo(write_report(run, output) if other is None else write_comparison(run, other, output))


def diff(
    run: Annotated[str, typer.Argument(help="Folder or URL of the first run.")],
    other: Annotated[str, typer.Argument(help="Folder or URL of the second run.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for other programs.")] = False,
) -> None:
    """Say what a second run did otherwise: documents gained and lost with reasons, tokens, epochs."""
    from llama_data.pipeline.core.screen import one_line
    from llama_data.pipeline.report.compare import as_json as to_json
    from llama_data.pipeline.report.compare import compare

    found = compare(run, other, texts=False)
    if as_json:
        import json

        typer.echo(json.dumps(to_json(found)))
        return
    for line in _lines(found):
        typer.echo("  " * (len(line) - len(line.lstrip())) + one_line(line) if line else "")


def write_report(run: str, output: str | None = None) -> str:
    """Write the page of a run and return its path."""
    from llama_data.pipeline.core.files import join
    from llama_data.pipeline.report.collect import collect
    from llama_data.pipeline.report.render import render

    return _write(output or join(run, "report.html"), render(collect(run)))


def write_comparison(run: str, other: str, output: str | None = None) -> str:
    """Write the page of two runs and return its path."""
    from llama_data.pipeline.core.files import join
    from llama_data.pipeline.report.compare import compare
    from llama_data.pipeline.report.render import render_comparison

    return _write(output or join(other, "compare.html"), render_comparison(compare(run, other)))


def _write(path: str, page: str) -> str:
    from llama_data.pipeline.core.files import atomic_write
    from llama_data.pipeline.report.render import encode

    with atomic_write(path) as stream:
        stream.write(encode(page))
    return path


def _lines(found: Comparison) -> Iterator[str]:
    """The comparison in short, as a person reads it; each line is indented by its depth."""
    yield f"A: {found.a.run}"
    yield f"B: {found.b.run}"
    for item in found.domains:
        yield from _domain_lines(item)
    yield from _figures("tokens", found.tokens(), "{:,}")
    yield from _figures("epochs", found.epochs(), "{:.2f}")
    settings = [line for line in found.recipe if line[:1] in "+-" and line[1:].strip()]
    if settings:
        yield "recipe"
    yield from (f" {line}" for line in settings[:40])
    if len(settings) > 40:
        yield f" and {len(settings) - 40} more lines; `llama-data report A B` shows them"


def _figures(what: str, rows: Sequence[tuple[str, float | None, float | None]], form: str) -> Iterator[str]:
    """What differs of a figure of every domain; one line where only one run has it at all."""
    for side, name in ((1, "A"), (2, "B")):
        if rows and all(row[side] is None for row in rows):
            yield f"{what}: {name} has none yet"
            return
    changed = [row for row in rows if row[1] != row[2]]
    if changed:
        yield what
    for domain, *values in changed:
        before, after = ("none" if value is None else form.format(value) for value in values)
        yield f" {domain}: {before} {ARROW} {after}"


def _domain_lines(item: DomainPair) -> Iterator[str]:
    a, b = item.pair("kept")
    if item.a is None or item.b is None:
        yield f"{item.domain}: only in {'B' if item.a is None else 'A'}, {max(a.records, b.records):,} documents"
        return
    if item.same:
        yield f"{item.domain}: the same, {a.records:,} documents"
        return
    yield (
        f"{item.domain}: {a.records:,} {ARROW} {b.records:,} documents ({b.records - a.records:+,}), "
        f"{a.chars_out:,} {ARROW} {b.chars_out:,} characters"
    )
    if item.unfinished:
        yield f" not finished in {item.unfinished}: what is not written there yet counts as absent"
    if item.diff is None:
        return
    for what, rows, said in (("gained", item.diff.gained(), "A"), ("lost", item.diff.lost(), "B")):
        if rows:
            reasons = ", ".join(f"{reason} {moved.records:,}" for reason, moved in rows[:_SHOWN])
            more = f", and {len(rows) - _SHOWN} more reasons" if len(rows) > _SHOWN else ""
            yield f" {what} {sum(moved.records for _, moved in rows):,} ({said}: {reasons}{more})"
    if item.diff.rewritten:
        yield f" of those that both keep, {item.diff.rewritten:,} have another length"
