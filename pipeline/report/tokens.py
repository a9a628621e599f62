"""Tokens of a run: how many each domain has, what the mixes draw of them, and how well the tokenizer compresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline.chain import names_in
from llama_data.pipeline.core.domains import TABLE_1
from llama_data.pipeline.core.files import exists, join, list_files, open_binary, read_bytes
from llama_data.pipeline.report.domain import DomainLedger
from llama_data.train_handoff.buckets import bucket_of

SAMPLED = 20_000  # documents of a domain whose tokens are compared with their texts
GROUPS = 12


class DomainTokens(NamedTuple):
    """Token shards of a domain, or of one of its buckets (``is_bucket``), which the domain's own figures hold too.

    ``held_out``: tokens kept for validation; ``dropped``: of partial last rows.
    """

    domain: str
    shards: int
    documents: int
    rows: int
    tokens: int
    held_out: int
    dropped: int
    is_bucket: bool = False


class MixShare(NamedTuple):
    """A domain of a mix, beside LLaMA's Table 1 (None: a domain that is not there).

    ``asked``: the epochs that it was weighted with; None: a share.
    """

    domain: str
    share: float
    drawn: int
    rows: int
    epochs: float
    paper_share: float | None
    paper_epochs: float | None
    asked: float | None


@dataclass(frozen=True)
class MixReport:
    """A mix. ``name``: empty for the first."""

    name: str
    rows: int
    tokens: int
    seq_len: int
    seed: int
    fingerprint: str
    domains: list[MixShare]

    @property
    def in_epochs(self) -> bool:
        """Whether a domain was weighted in epochs."""
        return any(share.asked is not None for share in self.domains)


class Compression(NamedTuple):
    """Characters and tokens of the documents that were compared; a document's BOS and EOS count."""

    domain: str
    group: str
    documents: int
    chars: int
    tokens: int

    @property
    def ratio(self) -> float:
        """Characters a token."""
        return self.chars / max(self.tokens, 1)


def read_json(path: str) -> dict[str, Any] | None:
    """A small JSON file of the run; None: it is not there."""
    if not exists(path):
        return None
    found: dict[str, Any] = orjson.loads(read_bytes(path))
    return found


def tokens_of(run: str) -> list[DomainTokens]:
    """The tokenized domains of a run, those of LLaMA in the order of its Table 1; below each its buckets."""
    found = []
    for domain in ordered(names_in(run, "tokens")):
        record = read_json(join(run, "tokens", domain, "tokens.json"))
        if record is None:
            continue
        train = [shard for shard in record["shards"] if shard["split"] == "train"]
        others = [shard for shard in record["shards"] if shard["split"] != "train"]
        found.append(_domain_tokens(domain, train, others))
        for bucket in sorted({bucket_of(shard["name"]) for shard in train} - {""}):
            inside = [shard for shard in train if bucket_of(shard["name"]) == bucket]
            found.append(_domain_tokens(f"{domain}/{bucket}", inside, [])._replace(is_bucket=True))
    return found


def _domain_tokens(name: str, train: list[dict[str, Any]], others: list[dict[str, Any]]) -> DomainTokens:
    return DomainTokens(
        domain=name,
        shards=len(train),
        documents=sum(shard["documents"] for shard in train),
        rows=sum(shard["rows"] for shard in train),
        tokens=sum(shard["tokens"] for shard in train),
        held_out=sum(shard["tokens"] for shard in others),
        dropped=sum(shard["dropped_tokens"] for shard in [*train, *others]),
    )


def ordered(names: list[str]) -> list[str]:
    """Domains as LLaMA's Table 1 has them, then the others by name."""
    return [*(name for name in TABLE_1 if name in names), *sorted(name for name in names if name not in TABLE_1)]


def mix_of(folder: str, record: dict[str, Any]) -> MixReport:
    """A mix, from its mix.json."""
    rows = {row["name"]: row for row in record["domains"]}
    shares = []
    for name in ordered(list(rows)):
        row, paper = rows[name], TABLE_1.get(name)
        share = record["rows"] and row["drawn"] / record["rows"]
        shares.append(
            MixShare(
                name,
                share,
                row["drawn"],
                row["rows"],
                row["epochs"],
                paper.share if paper else None,
                paper.epochs if paper else None,
                row.get("asked_epochs"),
            )
        )
    figures = {key: record[key] for key in ("rows", "tokens", "seq_len", "seed", "fingerprint")}
    return MixReport(name=folder.partition("/")[2], domains=shares, **figures)


def sampled_tokens(run: str, domain: str) -> dict[str, int]:
    """Tokens by id of at most 20,000 documents of a domain, spread evenly over its shards."""
    folder = join(run, "tokens", domain, "documents")
    paths = [*list_files(folder, ".parquet"), *list_files(join(folder, "validation"), ".parquet")]
    files = [(path, _rows(path)) for path in paths]
    stride = max(1, -(-sum(rows for _, rows in files) // SAMPLED))
    found: dict[str, int] = {}
    skip = 0
    for path, rows in files:
        if skip >= rows:
            skip -= rows
            continue
        with open_binary(path) as stream:
            file = pq.ParquetFile(stream)
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                places = range(skip, size, stride)
                if places:
                    table = file.read_row_group(group, columns=["id", "tokens"], use_threads=False).take(list(places))
                    found |= dict(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))
                skip = skip - size if not places else places[-1] + stride - size
    return found


def _rows(path: str) -> int:
    with open_binary(path) as stream:
        return int(pq.ParquetFile(stream).metadata.num_rows)


def compression_of(found: DomainLedger, tokens: dict[str, int]) -> list[Compression]:
    """A domain's compression, whole (group empty) and by language, the commonest first."""
    groups: dict[str, list[int]] = {}
    for id, (group, chars) in found.sampled.items():
        for name in ("", group) if group else ("",):
            sums = groups.setdefault(name, [0, 0, 0])
            sums[0], sums[1], sums[2] = sums[0] + 1, sums[1] + chars, sums[2] + tokens[id]
    if len(groups) == 2:  # one language is the whole
        groups = {"": groups[""]}
    ranked = sorted(groups.items(), key=lambda item: (item[0] != "", -item[1][0], item[0]))
    return [Compression(found.domain, name, *sums) for name, sums in ranked[: GROUPS + 1]]
