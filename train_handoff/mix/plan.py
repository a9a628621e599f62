"""The mix: how many rows each domain gives, in which order, and the reader of the rows it wrote.

Weights are shares of sampled tokens, as in Table 1 of the LLaMA paper (arXiv:2302.13971), or epochs (``weights.py``).
Of shares alone nothing depends on how many rows are written: a longer mix begins with the shorter one.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.domains import TABLE_1
from llama_data.pipeline.core.errors import InputError, RecipeError
from llama_data.pipeline.core.files import exists, is_local, join, list_files, read_bytes
from llama_data.train_handoff.buckets import bucket_of, domain_of, no_rows, refuse_twice
from llama_data.train_handoff.mix.order import Assignment, draw, integer_weights
from llama_data.train_handoff.mix.unfinished import refuse_unfinished
from llama_data.train_handoff.mix.weights import (
    MOST_EPOCHS,
    Limits,
    Weights,
    limits_of,
    most_of_mix,
    most_rows,
    rows_of,
    wanted,
)
from llama_data.train_handoff.shards.cache import ShardCache
from llama_data.train_handoff.shards.file import VALIDATION, Footer, Rows, Shard, read_footer, require_agreement

MIX_FORMAT = 1
ROWS_PER_SHARD = 65536
OPEN_SHARDS = 4
OPEN_COPIES = 2  # of shards in a store: what was pushed out of the cache is freed when it is closed


@dataclass(frozen=True)
class Source:
    """One token shard of a domain: ``name`` is its path below the tokens folder."""

    path: str
    name: str
    rows: int
    content_sha256: str


@dataclass(frozen=True)
class DomainShare:
    """A domain in a mix. ``weight`` is a whole number; its share is weight / sum of weights.

    ``asked``: the epochs that it is weighted with; None: a share.
    """

    name: str
    weight: int
    share: float
    sources: tuple[Source, ...]
    max_epochs: float | None
    asked: float | None = None

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """First row of each source in the numbering of the domain's rows, and the total."""
        return np.concatenate([[0], np.cumsum([source.rows for source in self.sources])]).astype(np.int64)

    @property
    def rows(self) -> int:
        """Rows that the domain has."""
        return int(self.starts[-1])

    @property
    def most_rows(self) -> int | None:
        """Rows that ``max_epochs`` allows to draw; None: any number."""
        return most_rows(self.rows, self.max_epochs)


@dataclass(frozen=True)
class MixPlan:
    """Which row of which shard is the k-th training row, for every k below ``rows``."""

    domains: tuple[DomainShare, ...]
    rows: int
    seed: int
    rows_per_shard: int
    footer: Footer
    assignment: Assignment
    unused: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens that a model is trained to predict on these rows."""
        return self.rows * self.footer.seq_len

    @property
    def shards(self) -> int:
        """Number of files that the mix is written to."""
        return -(-self.rows // self.rows_per_shard)

    @cached_property
    def drawn(self) -> tuple[int, ...]:
        """Rows drawn from each domain."""
        return tuple(self.assignment.taken(self.rows))

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over what fixes the order of rows: shards, weights, seed; not over how many are drawn."""
        sources = [
            [domain.name, domain.weight, [[source.content_sha256, source.rows] for source in domain.sources]]
            for domain in self.domains
        ]
        record = [MIX_FORMAT, self.seed, self.footer.agreement(), sources]
        return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    def locate(self, start: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """For training rows from ``start`` on: domain index, source index in the domain, row in the source."""
        domains, within = self.assignment.rows(start, count)
        source, row = np.empty(count, np.int64), np.empty(count, np.int64)
        for index, domain in enumerate(self.domains):
            chosen = domains == index
            if chosen.any():
                place = draw(within[chosen], domain.rows, seed=self.seed, domain=domain.name)
                found = np.searchsorted(domain.starts, place, side="right") - 1
                source[chosen], row[chosen] = found, place - domain.starts[found]
        return domains, source, row

    def epochs(self) -> dict[str, float]:
        """How often each domain is seen: rows drawn / rows it has."""
        return {domain.name: drawn / domain.rows for domain, drawn in zip(self.domains, self.drawn, strict=True)}

    def table(self) -> str:
        """The plan beside LLaMA's Table 1, for a terminal."""
        asked = any(domain.asked is not None for domain in self.domains)
        heads = f"{'domain':<16}{'share':>8}{'paper':>8}{'rows':>14}{'tokens':>20}{'epochs':>9}{'paper':>7}"
        lines = [f"{heads}  weight" if asked else heads]
        for domain, drawn in zip(self.domains, self.drawn, strict=True):
            paper = TABLE_1.get(domain.name)
            lines.append(
                f"{domain.name:<16}{domain.share:>8.2%}{'-' if paper is None else f'{paper.share:.1%}':>8}{drawn:>14,}"
                f"{drawn * self.footer.seq_len:>20,}{drawn / domain.rows:>9.2f}"
                f"{'-' if paper is None else f'{paper.epochs:.2f}':>7}{_weight(domain) if asked else ''}"
            )
        lines.append(f"{'total':<16}{'':>16}{self.rows:>14,}{self.tokens:>20,}")
        if self.unused:
            lines.append(f"not in the mix (no weight): {', '.join(self.unused)}")
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """The plan as it is written to mix.json."""
        return {
            "format": MIX_FORMAT,
            "fingerprint": self.fingerprint,
            "seed": self.seed,
            "rows": self.rows,
            "tokens": self.tokens,
            "rows_per_shard": self.rows_per_shard,
            **self.footer.agreement(),
            "domains": [
                {
                    "name": domain.name,
                    "share": domain.share,
                    "weight": domain.weight,
                    "rows": domain.rows,
                    "drawn": drawn,
                    "epochs": drawn / domain.rows,
                    "max_epochs": domain.max_epochs,
                    "paper_epochs": paper.epochs if (paper := TABLE_1.get(domain.name)) else None,
                    **({} if domain.asked is None else {"asked_epochs": domain.asked}),
                    "sources": [
                        {"name": source.name, "rows": source.rows, "content_sha256": source.content_sha256}
                        for source in domain.sources
                    ],
                }
                for domain, drawn in zip(self.domains, self.drawn, strict=True)
            ],
            "unused": list(self.unused),
        }


def _weight(domain: DomainShare) -> str:
    return "  share" if domain.asked is None else f"  {domain.asked:g} epoch{'s' * (domain.asked != 1)}"


def find_sources(tokens: str, domain: str, shards: Sequence[str] | None = None) -> list[tuple[Source, Footer]]:
    """The training shards of a domain or bucket below the tokens folder, sorted by name; empty ones are left out.

    ``domain``: its name, of a bucket ``DOMAIN/BUCKET``. ``shards``: the domain's paths; None: those that lie there.
    """
    domain, _, bucket = domain.partition("/")
    found = []
    for path in list_files(join(tokens, domain), ".parquet") if shards is None else shards:
        footer = read_footer(path)
        if footer.split != "train" or footer.kind != "domain":
            raise InputError(f"{path}: expected packed training rows, found a {footer.split} shard of a {footer.kind}")
        if footer.rows and bucket in ("", bucket_of(path)):
            name = f"{domain}/{path.rsplit('/', 1)[-1]}"
            found.append((Source(path, name, footer.rows, footer.content_sha256), footer))
    return found


def plan_mix(
    tokens_folder: str,
    *,
    weights: Weights,
    present: Sequence[str],
    tokens: int | None = None,
    seed: int = 0,
    max_epochs: Limits = MOST_EPOCHS,
    rows_per_shard: int = ROWS_PER_SHARD,
    normalise: bool = False,
    shards: Mapping[str, Sequence[str]] | None = None,
) -> MixPlan:
    """Plan a mix of ``tokens`` trained tokens (None: as many as ``max_epochs`` allows) from RUN/tokens.

    ``present``: the domains that have token shards. ``shards``: the paths of each one's; None: those that lie there.
    ``weights``: shares, or ``N epochs``. ``max_epochs``: the limit of all, or of each (``limits_of``).

    Raises:
        RecipeError: weights are wrong (see ``wanted`` and ``rows_of``), name a domain that is not there, or ask for
            more than ``max_epochs`` of a domain; or fewer tokens than one row.
        InputError: a domain has no rows, or shards do not agree in tokenizer, seq_len or policy.
    """
    asked = wanted(weights, normalise=normalise)
    names = [name for name in weights if name in asked.names]
    absent = [name for name in names if domain_of(name) not in present]
    if absent:
        raise RecipeError(
            f"weights: {', '.join(absent)}: no token shards below {tokens_folder}; tokenize it first, or take it out "
            f"of the weights (there are: {', '.join(present) or 'none'})"
        )
    refuse_twice(names)
    limits = limits_of(max_epochs, names, present)
    listed = {name: None if shards is None else shards[domain_of(name)] for name in names}
    sources = {name: find_sources(tokens_folder, name, listed[name]) for name in names}
    for name, found in sources.items():
        if not found:
            raise no_rows(tokens_folder, name, listed[name])
    footer = require_agreement((source.path, footer) for found in sources.values() for source, footer in found)
    used = set(map(domain_of, names))
    rows = None if tokens is None else tokens // footer.seq_len
    shares = asked.shares
    if asked.epochs:
        there = {name: sum(source.rows for source, _ in found) for name, found in sources.items()}
        most = {name: most_rows(there[name], limits[name]) for name in names}
        drawn = rows_of(asked, there, rows=rows, most=most, seq_len=footer.seq_len)
        rows = sum(drawn.values())
        shares = {name: Fraction(count, rows) for name, count in drawn.items()}
    return make_plan(
        shares,
        {name: [source for source, _ in found] for name, found in sources.items()},
        footer=footer,
        rows=rows,
        seed=seed,
        limits=limits,
        rows_per_shard=rows_per_shard,
        unused=tuple(name for name in present if name not in used),
        epochs={name: float(times) for name, times in asked.epochs.items()},
    )


def make_plan(
    shares: Mapping[str, Fraction],
    sources: Mapping[str, Sequence[Source]],
    *,
    footer: Footer,
    rows: int | None,
    seed: int,
    limits: Mapping[str, float | None],
    rows_per_shard: int = ROWS_PER_SHARD,
    unused: tuple[str, ...] = (),
    epochs: Mapping[str, float] = MappingProxyType({}),
) -> MixPlan:
    """The plan for known shards and shares; ``plan_mix`` without reading any file. Raises RecipeError as it does.

    ``epochs``: which shares were asked for as epochs.
    """
    names = sorted(shares)
    whole = integer_weights([shares[name] for name in names])
    domains = tuple(
        DomainShare(name, weight, float(shares[name]), tuple(sources[name]), limits.get(name), epochs.get(name))
        for name, weight in zip(names, whole, strict=True)
    )
    if rows is None:
        rows = most_of_mix([domain.most_rows for domain in domains], whole)
    if rows < 1:
        raise RecipeError(f"mix: fewer tokens than one row of {footer.seq_len}; ask for more")
    plan = MixPlan(domains, rows, seed, rows_per_shard, footer, Assignment.plan(whole, rows, rows_per_shard), unused)
    _check_epochs(plan)
    return plan


def _check_epochs(plan: MixPlan) -> None:
    problems = []
    for domain, drawn in zip(plan.domains, plan.drawn, strict=True):
        if domain.most_rows is not None and drawn > domain.most_rows:
            problems.append(
                f"{domain.name}: {drawn:,} rows of {domain.rows:,} are {drawn / domain.rows:.2f} epochs, "
                f"more than its max_epochs of {domain.max_epochs:g}"
            )
    if problems:
        raise RecipeError(
            f"mix of {plan.tokens:,} tokens: {'; '.join(problems)}; ask for fewer tokens, lower its weight, "
            "or raise max_epochs"
        )


def footer_of(record: dict[str, Any]) -> Footer:
    """What a mix.json says of all shards of the mix."""
    names = ("seq_len", "vocab_size", "tokenizer_sha256", "bos_id", "eos_id", "dtype")
    return Footer(kind="mix", split="train", domain="mix", **{name: record[name] for name in names})


class Mixture:
    """The rows that a mix wrote, in training order: ``mixture[k]`` is row k as ``seq_len + 1`` ids.

    Opens shards on demand and keeps a few open. Those of a URL are read through ``cache``, the next one fetched ahead;
    without one from the store itself, row group by row group.

    Raises:
        InputError: there is no finished mix in the folder, a shard is missing, or one disagrees with mix.json.
    """

    kind = "mix"

    def __init__(self, folder: str, cache: ShardCache | None = None) -> None:
        self.folder = folder
        self.cache = None if is_local(folder) else cache
        path = join(folder, "mix.json")
        if not exists(path):
            raise InputError(f"{path}: no such file; expected the folder of a finished mix (run `llama-data mix`)")
        listed = not folder.startswith(("http://", "https://"))  # which need not have a listing
        if listed:
            refuse_unfinished(folder)
        self.record: dict[str, Any] = json.loads(read_bytes(path))
        if self.record.get("format") != MIX_FORMAT:
            raise InputError(f"{path}: mix format {self.record.get('format')}; this version reads {MIX_FORMAT}")
        self.rows: int = self.record["rows"]
        self.rows_per_shard: int = self.record["rows_per_shard"]
        self.fingerprint: str = self.record["fingerprint"]
        self.domains: tuple[str, ...] = tuple(domain["name"] for domain in self.record["domains"])
        self._open: OrderedDict[int, Shard] = OrderedDict()
        self._codes: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        names = {shard["name"] for shard in self.record["shards"]}
        missing = sorted(names - {path.rsplit("/", 1)[-1] for path in list_files(folder, ".parquet")}) if listed else []
        if missing:
            raise InputError(f"{join(folder, missing[0])}: {len(missing)} shard(s) of the mix are missing; mix again")

    @property
    def footer(self) -> Footer:
        """What all shards agree in. Of a mix in a store as mix.json says it: each shard is checked as it is opened."""
        return self.shard(0).footer if self.cache is None else footer_of(self.record)

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> Rows:
        if not 0 <= index < self.rows:
            raise IndexError(f"{self.folder}: row {index} of {self.rows}")
        return self.shard(index // self.rows_per_shard)[index % self.rows_per_shard]

    def shard(self, number: int) -> Shard:
        """One of the mix's shards, opened and compared with mix.json."""
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        expected = self.record["shards"][number]
        path = join(self.folder, expected["name"])
        shard = Shard(path) if self.cache is None else self._from_store(self.cache, number)
        wrong = shard.footer.content_sha256 != expected["content_sha256"] or shard.rows != expected["rows"]
        if wrong or any(self.record[name] != value for name, value in shard.footer.agreement().items()):
            raise InputError(f"{path}: its footer disagrees with mix.json: it belongs to another mix; mix again")
        self._open[number] = shard
        while len(self._open) > (OPEN_SHARDS if self.cache is None else OPEN_COPIES):
            self._open.popitem(last=False)
        return shard

    def _from_store(self, cache: ShardCache, number: int) -> Shard:
        """A shard's copy; the one after it is fetched ahead."""

        def opened(path: str) -> Shard:
            shard = Shard(path)
            self._keep_codes(number, shard)  # while the copy is there
            return shard

        shard = cache.read(*self._remote(number), opened)
        if number + 1 < len(self.record["shards"]):
            cache.ahead(*self._remote(number + 1), keep=self._remote(number)[1])
        return shard

    def _remote(self, number: int) -> tuple[str, str, str]:
        """Address of a shard, its name in a cache, hash of its rows."""
        expected = self.record["shards"][number]
        digest = expected["content_sha256"]
        return (
            join(self.folder, expected["name"]),
            f"{self.fingerprint[:16]}-{number:05d}-{digest[:16]}.parquet",
            digest,
        )

    def domain_of(self, index: int) -> int:
        """Index in ``domains`` of the domain that row ``index`` comes from."""
        return int(self.codes(index // self.rows_per_shard)[index % self.rows_per_shard])

    def place(self, index: int) -> str:
        """The shard and the row in it that hold row ``index``, for people."""
        name = self.record["shards"][index // self.rows_per_shard]["name"]
        return f"{join(self.folder, name)}, row {index % self.rows_per_shard:,}"

    def codes(self, number: int) -> NDArray[np.uint8]:
        """For each row of one shard, the index in ``domains`` of its domain."""
        if number not in self._codes:
            if self.cache is not None:
                self._open.pop(number, None)  # its copy may have been pushed out since
            shard = self.shard(number)
            if number not in self._codes:
                self._keep_codes(number, shard)
        return self._codes[number]

    def _keep_codes(self, number: int, shard: Shard) -> None:
        column = shard.column("domain").combine_chunks().dictionary_encode()
        column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
        names = np.array([self.domains.index(name) for name in column.dictionary.to_pylist()], np.uint8)
        self._codes[number] = names[column.indices.to_numpy()]
        while len(self._codes) > OPEN_SHARDS:
            self._codes.popitem(last=False)

    def validation(self) -> dict[str, Shard]:
        """The validation rows of each domain that has any."""
        found = {}
        for name in self.record["validation"]:
            path = join(self.folder, VALIDATION, f"{name}.parquet")
            copy = f"{self.fingerprint[:16]}-validation-{name}.parquet"
            found[name] = Shard(path) if self.cache is None else self.cache.read(path, copy, None, Shard)
        return found
