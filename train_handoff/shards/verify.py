"""Checks shards against everything that is known of them: each byte, the tokenizer, the list they belong to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import LlamaDataError
from llama_data.pipeline.core.files import exists, join, list_files, open_binary, read_bytes
from llama_data.train_handoff.shards.checked import check_value, stated_value
from llama_data.train_handoff.shards.documents import FOLDER, DocumentIndex, id_hash, index_path, read_index
from llama_data.train_handoff.shards.file import VALIDATION, Shard, document_starts

# What parsing a damaged parquet footer or page can raise.
DAMAGE = (pa.ArrowException, OSError, ValueError, TypeError, LookupError, OverflowError, MemoryError)


@dataclass(frozen=True)
class Problem:
    """Something wrong with a file, in one sentence."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def verify(
    paths: Sequence[str], *, tokenizer_sha256: str | None = None, vocab_size: int | None = None
) -> list[Problem]:
    """Read every byte of the shards and check them, also against a tokenizer when its facts are given."""
    problems = []
    for path in paths:
        problems += _verify_shard(path, tokenizer_sha256, vocab_size)
    return problems


def verify_folder(folder: str, *, tokenizer_sha256: str | None = None, vocab_size: int | None = None) -> list[Problem]:
    """Check a folder against its mix.json or tokens.json (missing, surplus and foreign shards), and each shard."""
    listed = next((join(folder, name) for name in ("mix.json", "tokens.json") if exists(join(folder, name))), None)
    if listed is None:
        return [Problem(folder, "no mix.json or tokens.json: the shards here were never finished, or it was lost")]
    try:
        record: dict[str, Any] = json.loads(read_bytes(listed))
        expected = {shard["name"]: shard for shard in record["shards"]}
    except (ValueError, KeyError, TypeError) as error:
        return [Problem(listed, f"not readable: {error}")]
    problems = []
    present = {}
    for below in ("", VALIDATION):
        where = join(folder, below) if below else folder
        for path in list_files(where, ".parquet"):
            present[f"{below}/{path.rsplit('/', 1)[-1]}".lstrip("/")] = path
    indexed = {f"{FOLDER}/{name}" for name, shard in expected.items() if "index_crc32" in shard}
    known = {*expected, *(f"{VALIDATION}/{name}.parquet" for name in record.get("validation", []))}
    problems += [
        Problem(join(folder, name), "missing: it is listed but not there") for name in sorted(known - set(present))
    ]
    problems += [Problem(present[name], "surplus: it is not listed") for name in sorted(set(present) - known)]
    for name in sorted(known & set(present)):
        problems += _verify_shard(present[name], tokenizer_sha256, vocab_size, expected.get(name))
    if "domains" in record and not problems:
        try:
            problems = _verify_drawn(listed, record, [present[name] for name in sorted(expected)])
        except (LlamaDataError, *DAMAGE) as error:
            return [Problem(listed, f"not readable: {type(error).__name__}: {error}")]
    problems += [
        Problem(path, "surplus: it is the index of no shard that is listed")
        for below in (FOLDER, f"{FOLDER}/{VALIDATION}")
        for path in list_files(join(folder, below), ".parquet")
        if f"{below}/{path.rpartition('/')[2]}" not in indexed
    ]
    return problems


def _verify_drawn(listed: str, record: dict[str, Any], shards: Sequence[str]) -> list[Problem]:
    """Hold what mix.json says of each domain, rows drawn and epochs, against the rows themselves."""
    counts: Counter[str] = Counter()
    for path in shards:
        for found in Shard(path).column("domain").value_counts().to_pylist():
            counts[found["values"]] += found["counts"]
    problems = []
    for domain in record["domains"]:
        name, drawn, rows = domain["name"], domain["drawn"], sum(source["rows"] for source in domain["sources"])
        asked = domain.get("asked_epochs")
        if counts.pop(name, 0) != drawn:
            problems.append(f"{name}: its rows in the shards are not the {drawn:,} that are listed")
        if rows != domain["rows"] or drawn / max(rows, 1) != domain["epochs"]:
            problems.append(f"{name}: {domain['epochs']} epochs are not {drawn:,} rows of {rows:,}")
        if asked is not None and drawn != int(rows * Fraction(str(asked))):
            problems.append(f"{name}: {drawn:,} rows of {rows:,} are not the {asked:g} epochs of its weight")
    problems += [f"{name}: {count:,} rows of a domain that is not listed" for name, count in counts.items()]
    return [Problem(listed, what) for what in problems]


def _verify_shard(
    path: str, tokenizer_sha256: str | None, vocab_size: int | None, expected: dict[str, Any] | None = None
) -> list[Problem]:
    found = []
    damage = check_value(path)
    if damage is not None:
        found.append(Problem(path, damage))
    try:
        shard = Shard(path)
        footer = shard.footer
    except (LlamaDataError, *DAMAGE) as error:
        return [*found, Problem(path, f"cannot be opened: {error}")]
    if tokenizer_sha256 is not None and footer.tokenizer_sha256 != tokenizer_sha256:
        found.append(Problem(path, f"made with tokenizer {footer.tokenizer_sha256[:12]}, not {tokenizer_sha256[:12]}"))
    if vocab_size is not None and footer.vocab_size != vocab_size:
        found.append(Problem(path, f"made for {footer.vocab_size} pieces, the tokenizer has {vocab_size}"))
    if expected is not None and (footer.content_sha256, footer.rows) != (expected["content_sha256"], expected["rows"]):
        found.append(Problem(path, "its rows are not those that were listed: it belongs to another run"))
    found += _verify_rows(shard)
    if expected is not None and "index_crc32" in expected:
        found += [Problem(index_path(path), what) for what in _verify_index(shard, expected["index_crc32"])]
    return found


def _verify_index(shard: Shard, crc32: str) -> list[str]:
    """Hold the index of a shard's documents against the list, and against the shard itself."""
    path, footer = index_path(shard.path), shard.footer
    if not exists(path):
        return ["missing: it is listed but not there"]
    damage = check_value(path)
    if damage is not None:
        return [damage]
    if stated_value(path) != crc32:
        return ["its documents are not those that were listed: it belongs to another run"]
    try:
        index = DocumentIndex(shard.path, footer.content_sha256).footer
        table = read_index(path)
        starts, lengths, hashes, order = (
            table.column(name).to_numpy() for name in ("start", "tokens", "hash", "hash_document")
        )
        wanted = np.fromiter(map(id_hash, table.column("id").to_pylist()), np.uint32, len(table))
    except (LlamaDataError, *DAMAGE) as error:
        return [str(error).removeprefix(f"{path}: ")]
    found = []
    whole = footer.tokens + footer.dropped_tokens
    sums = (len(table), int(lengths.sum()), index.documents, index.tokens)
    if sums != (footer.documents, whole, footer.documents, whole):
        found.append(f"{sums[0]:,} documents of {sums[1]:,} tokens; the shard has {footer.documents:,} of {whole:,}")
    elif not np.array_equal(starts, np.cumsum(lengths) - lengths) or not _begin_there(shard, starts):
        found.append("its documents do not begin where the shard's do")
    if not np.array_equal(np.argsort(wanted, kind="stable"), order) or not np.array_equal(wanted[order], hashes):
        found.append("its hashes are not those of its ids")
    return found


def _begin_there(shard: Shard, starts: NDArray[np.int64]) -> bool:
    """Whether the shard's rows say that documents begin at these places of its stream, and at no others."""
    size = shard.footer.seq_len
    lists = shard.column("doc_starts").combine_chunks()
    counts = np.diff(lists.offsets.to_numpy())
    offsets = np.asarray(lists.values)
    rows = np.repeat(np.arange(len(counts)), counts)
    places = np.unique(rows * size + offsets)
    last = shard.rows * size + (1 if shard.footer.bos_id is not None else 0)
    return bool(np.array_equal(places, starts[starts < last] if shard.rows else starts[:0]))


def _verify_rows(shard: Shard) -> list[Problem]:
    footer, found, digest = shard.footer, [], sha256()
    opened = True
    for number in range(shard.groups):
        rows = shard.group(number)
        digest.update(np.ascontiguousarray(rows).data)
        if rows.size and int(rows.max()) >= footer.vocab_size:
            found.append(Problem(shard.path, f"row group {number}: id {int(rows.max())} of {footer.vocab_size} pieces"))
        try:
            with open_binary(shard.path) as stream:
                reader = pq.ParquetFile(stream, page_checksum_verification=True)
                table = reader.read_row_group(number, use_threads=False)
                starts = table.column("doc_starts").combine_chunks()
                first = table.column("origin_row").to_numpy() == 0 if footer.kind == "mix" else None
        except DAMAGE as error:
            found.append(Problem(shard.path, f"row group {number}: a page is damaged: {error}"))
            opened = False
            continue
        opens = first if first is not None else np.arange(len(rows)) + number == 0
        if footer.split == VALIDATION:
            # A mix joins held-out rows of several files, and where one of these began only the rows themselves say.
            opens |= np.array([bool(row) and row[0] == 0 for row in starts.to_pylist()], np.bool_)
        if not starts.equals(document_starts(rows, footer, opens)):
            found.append(Problem(shard.path, f"row group {number}: doc_starts are not where documents begin"))
    if digest.hexdigest() != footer.content_sha256:
        found.append(Problem(shard.path, "the token ids are not those that were written (content hash)"))
    if footer.rows != shard.rows and opened:
        found.append(Problem(shard.path, f"{shard.rows} rows, but its footer says {footer.rows}"))
    return found
