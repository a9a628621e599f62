"""Where a document went: the token shard and rows it lies in, and the training rows of every mix it ended in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from llama_data.pipeline.chain import mixes
from llama_data.pipeline.core.files import join, list_files
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.mix.trace import Trace, rows_with
from llama_data.train_handoff.shards.documents import DocumentIndex, Placed
from llama_data.train_handoff.shards.file import VALIDATION, Footer, read_footer


def follow(run: str, domain: str, id: str, most: int | None) -> Iterator[str]:
    """Sentences about a document's tokens; ``most``: so many training rows of a mix are named, None all.

    Every shard of the domain is asked by the hash of the id, which reads two row groups of the index it is in.

    Raises:
        InputError: a shard has no index of its documents, or it is damaged.
    """
    folder = join(run, "tokens", domain)
    names = [path.rsplit("/", 1)[-1] for path in list_files(folder, ".parquet")]
    if not names:
        return
    held = {path.rsplit("/", 1)[-1] for path in list_files(join(folder, VALIDATION), ".parquet")}
    found = False
    for name in [*names, *(f"{VALIDATION}/{name}" for name in sorted(held))]:
        path = join(folder, name)
        footer = read_footer(path)
        for document in DocumentIndex(path, footer.content_sha256).find(id):
            found = True
            yield from _in_shard(run, f"{domain}/{name}", footer, document, most)
    if not found:
        yield f"tokens: in none of the shards of {folder}: it was kept after they were made; tokenize again"


def _in_shard(run: str, name: str, footer: Footer, document: Placed, most: int | None) -> Iterator[str]:
    rows = rows_with(document, footer.seq_len, footer.rows)
    where = f"tokens: {document.tokens:,} tokens in tokens/{name}"
    lost = document.end - max(document.start, footer.tokens)
    if not rows:
        yield f"{where}, all of them in the tail that filled no row"
        return
    place = f"from place {document.start - rows[0] * footer.seq_len} of row {rows[0]:,}"
    yield f"{where}, {place} to row {rows[-1]:,}" + (f"; the last {lost:,} filled no row" if lost > 0 else "")
    if footer.split == VALIDATION:
        yield "held out for validation: no training row has it"
        return
    for folder in [join(run, name) for name in mixes(run)]:
        mixture = Mixture(folder)
        trace = Trace(mixture, join(run, "tokens"))
        source = trace.find_source(name)
        if source is None or source.content_sha256 != footer.content_sha256:
            yield f"{folder}: drawn from other shards than these"
            continue
        drawn = ((row, one) for row in rows for one in trace.drawn(source, row))
        shown = list(islice(drawn, most))
        rest = sum(1 for _ in drawn)
        listed = ", ".join(f"{one.row:,} (row {row:,}, epoch {one.epoch})" for row, one in shown)
        more = f", and {rest:,} more (--full)" if rest else ""
        yield f"{folder}: training rows {listed}{more}" if shown else f"{folder}: not drawn"
