"""From a training row to the documents in it, and from a document to the training rows it ended in.

Both ways are computed: the order of rows is a function that can be turned round, and the index beside a token shard
says which documents stand where. Nothing is searched from end to end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import exists, join
from llama_data.train_handoff.mix.order import epoch_keys, unpermute
from llama_data.train_handoff.mix.plan import DomainShare, MixPlan, Mixture, Source, footer_of, make_plan
from llama_data.train_handoff.shards.documents import DocumentIndex, Placed

OPEN_INDEXES = 8
CHUNK_ROWS = 1024
TOKENS = "tokens"


class Part(NamedTuple):
    """What one training row holds of one document.

    ``row`` of the mix is row ``shard_row`` of its file ``shard``, drawn in the domain's ``epoch`` (from 1) as row
    ``origin_row`` of ``origin_shard`` (below tokens/). The document has ``tokens`` ids of the row from ``offset`` on;
    the last id of a row is also the first of the domain's next. ``begins``, ``ends``: the document does so in this row.
    """

    row: int
    shard: str
    shard_row: int
    domain: str
    origin_shard: str
    origin_row: int
    epoch: int
    id: str
    source: str | None
    offset: int
    tokens: int
    begins: bool
    ends: bool


class Drawn(NamedTuple):
    """A training row that a row of a token shard became, in the domain's ``epoch`` (from 1)."""

    row: int
    epoch: int


def plan_of(record: dict[str, Any], where: str) -> MixPlan:
    """The plan that a mix.json describes. Raises InputError when what it says does not give its fingerprint."""
    plan = make_plan(
        {domain["name"]: Fraction(domain["weight"]) for domain in record["domains"]},
        {
            domain["name"]: [
                Source("", source["name"], source["rows"], source["content_sha256"]) for source in domain["sources"]
            ]
            for domain in record["domains"]
        },
        footer=footer_of(record),
        rows=record["rows"],
        seed=record["seed"],
        limits={},
        rows_per_shard=record["rows_per_shard"],
    )
    if plan.fingerprint != record["fingerprint"]:
        raise InputError(f"{where}: its shards, weights and seed do not give its fingerprint: it was edited; mix again")
    return plan


def tokens_beside(mix: str) -> str:
    """The token shards of the run that a mix (RUN/mix or RUN/mix/NAME) belongs to. Raises InputError."""
    above = mix.rstrip("/").rpartition("/")[0] or "."
    for run in (above, above.rpartition("/")[0] or "."):
        if exists(join(run, TOKENS)):
            return join(run, TOKENS)
    raise InputError(f"{join(above, TOKENS)}: no such folder; the token shards that the mix was drawn from: --tokens")


class Trace:
    """What training rows were made of, and what became of documents, in one mix. ``tokens``: folder of its shards."""

    def __init__(self, mixture: Mixture, tokens: str) -> None:
        self.mixture = mixture
        self.tokens = tokens
        self.plan = plan_of(mixture.record, join(mixture.folder, "mix.json"))
        self._indexes: OrderedDict[str, DocumentIndex] = OrderedDict()

    def index(self, source: Source) -> DocumentIndex:
        """The documents of a shard that the mix was drawn from. Raises InputError: none, or those of other rows."""
        if source.name not in self._indexes:
            self._indexes[source.name] = DocumentIndex(join(self.tokens, source.name), source.content_sha256)
            while len(self._indexes) > OPEN_INDEXES:
                self._indexes.popitem(last=False)
        self._indexes.move_to_end(source.name)
        return self._indexes[source.name]

    def parts(self, rows: range) -> Iterator[Part]:
        """What training rows hold, in their order. Raises InputError for a row that is not in the mix."""
        last = len(self.mixture) - 1
        if rows and not 0 <= rows[0] <= rows[-1] <= last:
            raise InputError(f"{self.mixture.folder}: rows {rows[0]:,} to {rows[-1]:,}: the mix has rows 0 to {last:,}")
        for start in range(rows.start, rows.stop, CHUNK_ROWS):
            count = min(CHUNK_ROWS, rows.stop - start)
            codes, sources, places = (found.tolist() for found in self.plan.locate(start, count))
            drawn = self.plan.assignment.rows(start, count)[1].tolist()
            for i in range(count):
                domain = self.plan.domains[codes[i]]
                yield from self._row(start + i, domain, domain.sources[sources[i]], places[i], drawn[i])

    def _row(self, row: int, domain: DomainShare, source: Source, place: int, drawn: int) -> Iterator[Part]:
        number, shard_row = divmod(row, self.mixture.rows_per_shard)
        shard, size = self.mixture.record["shards"][number]["name"], self.plan.footer.seq_len
        first = place * size
        for document in self.index(source).between(first, first + size + 1):
            begin, end = max(document.start, first), min(document.end, first + size + 1)
            yield Part(
                row=row,
                shard=shard,
                shard_row=shard_row,
                domain=domain.name,
                origin_shard=source.name,
                origin_row=place,
                epoch=drawn // domain.rows + 1,
                id=document.id,
                source=document.source,
                offset=begin - first,
                tokens=end - begin,
                begins=begin == document.start,
                ends=end == document.end,
            )

    def find_source(self, name: str) -> Source | None:
        """A shard that rows of the mix were drawn from, by its name below tokens/; None: the mix has none of it."""
        return next((source for domain in self.plan.domains for source in domain.sources if source.name == name), None)

    def drawn(self, source: Source, row: int) -> Iterator[Drawn]:
        """The training rows that a row of a token shard became, epoch by epoch."""
        code = next(code for code, domain in enumerate(self.plan.domains) if source in domain.sources)
        domain, drawn = self.plan.domains[code], self.plan.drawn[code]
        place = np.array([int(domain.starts[domain.sources.index(source)]) + row], np.int64)
        for epoch in range(-(-drawn // domain.rows)):
            keys = epoch_keys(self.plan.seed, domain.name, epoch)
            within = epoch * domain.rows + int(unpermute(place, domain.rows, keys)[0])
            if within < drawn:
                yield Drawn(self.plan.assignment.row_of(code, within), epoch + 1)


def rows_with(document: Placed, seq_len: int, rows: int) -> range:
    """The rows of its shard, of ``rows`` of ``seq_len`` tokens, that hold an id of a document (see ``Part``)."""
    return range(max(0, -(-document.start // seq_len) - 1), min((document.end - 1) // seq_len + 1, rows))
