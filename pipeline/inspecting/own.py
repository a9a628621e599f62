"""What the project writes: documents, ledgers, tokens, indexes, mixes, manifests, tokenizers, models, checkpoints."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import file_size, open_binary, read_bytes
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.screen import one_line, plain, size_of
from llama_data.pipeline.inspecting.asked import Asked, above, body, counted, fields

MOST_COUNTED = 1_000_000
_MOST_JSON = 64 << 20


def documents(path: str, asked: Asked) -> Iterator[str]:
    """Documents, or rejected texts: the first of them, and how many there are by domain or reason."""
    counts: Counter[str] = Counter()
    records = 0
    ended = True
    for record in read_jsonl(path):
        metadata = record.get("metadata") or {}
        records += 1
        counts[str(metadata.get("reason") or metadata.get("domain") or "document")] += 1
        if records == 1:
            what = "rejected texts" if "reason" in metadata else "documents"
            yield f"{one_line(path)}: {what}, {size_of(file_size(path))}"
        if records <= asked.limit:
            yield ""
            yield f"=== {one_line(record['id'])}"
            yield "  " + ", ".join(f"{one_line(key)}={one_line(value)}" for key, value in metadata.items())
            yield from body(record["text"], asked)
        elif not asked.whole and records >= 10_000:
            ended = False
            break
    if not records:
        yield f"{one_line(path)}: no document"
        return
    yield ""
    yield f"{'' if ended else 'at least '}{records:,}: {counted(counts)}{'' if ended else '; --all counts them all'}"


def parquet_kind(path: str) -> str | None:
    """Which of the project's tables a parquet file is; None: none of them. Raises InputError: it cannot be read."""
    from llama_data.stages.steps import signature_files
    from llama_data.train_handoff.shards import documents as index
    from llama_data.train_handoff.shards.file import FOOTER_KEY

    try:
        with open_binary(path) as stream:
            file = pq.ParquetFile(stream)
            keys, names = set(file.metadata.metadata or {}), set(file.schema_arrow.names)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable parquet file: {error}") from None
    if FOOTER_KEY.encode() in keys:
        return "token shard"
    if index.KEY.encode() in keys:
        return "index of documents"
    if signature_files.FOOTER in keys:
        return "signatures"
    return "ledger" if {"id", "outcome", "step", "chars_in"} <= names else None


def table(path: str, kind: str, asked: Asked) -> Iterator[str]:
    """A ledger, an index or signatures: columns, the first rows, and counts."""
    with open_binary(path) as stream:
        file = pq.ParquetFile(stream)
        rows = file.metadata.num_rows
        yield f"{one_line(path)}: {kind}, {rows:,} rows in {file.metadata.num_row_groups:,} row groups"
        yield "  columns: " + ", ".join(f"{one_line(field.name)} {field.type}" for field in file.schema_arrow)
        for key, value in (file.metadata.metadata or {}).items():
            if key.startswith(b"llama_data.") and not key.endswith(b"crc32"):
                yield f"  {one_line(key.decode())}: {one_line(value.decode('utf-8', 'replace'))[:400]}"
        first = next(file.iter_batches(batch_size=asked.limit, use_threads=False), None)
        for row in [] if first is None else first.to_pylist():
            yield ""
            shown = {name: _short(value) for name, value in row.items() if value is not None}
            yield "  " + ", ".join(f"{one_line(name)}={one_line(value)}" for name, value in shown.items())
        if kind == "ledger":
            counts: Counter[str] = Counter()
            for batch in file.iter_batches(columns=["outcome", "reason"], use_threads=False):
                pairs = zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
                counts.update(str(reason or outcome) for outcome, reason in pairs)
            yield ""
            yield f"{rows:,} records: {counted(counts)}"


def _short(value: Any) -> Any:
    return f"{len(value):,} bytes" if isinstance(value, bytes) else value


def shard(path: str, asked: Asked) -> Iterator[str]:
    """A token shard: its footer, or the text of a row."""
    from llama_data.train_handoff.shards.file import Shard
    from llama_data.train_handoff.shards.view import view_row

    opened = Shard(path)
    if asked.row is None:
        yield f"{one_line(path)}: token shard, {size_of(file_size(path))}; --row N shows the text of a row"
        yield from fields(vars(opened.footer))
        return
    tokenizer = asked.tokenizer or above(path, "tokenizer", "tokenizer.model")
    if tokenizer is None:
        raise RequestError(f"{path}: no tokenizer in a folder above it; give --tokenizer PATH")
    yield from plain(str(view_row(opened, asked.row, tokenizer))).split("\n")


def json_file(path: str, what: str) -> Iterator[str]:
    """A JSON object: its keys and what they hold. Raises InputError: it is none."""
    if file_size(path) > _MOST_JSON:
        raise InputError(f"{path}: {size_of(file_size(path))} of JSON are more than is shown")
    try:
        value = orjson.loads(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path}: not readable JSON: {error}") from None
    yield f"{one_line(path)}: {what}"
    if isinstance(value, dict):
        yield from _nested(value, "  ", 2)
    else:
        yield f"  {one_line(json.dumps(value, ensure_ascii=False))[:400]}"


def _nested(value: dict[str, Any], indent: str, levels: int) -> Iterator[str]:
    flat = {name: one for name, one in value.items() if not (isinstance(one, dict) and one and levels)}
    yield from fields(flat, indent)
    for name, one in value.items():
        if name not in flat:
            yield f"{indent}{one_line(name)}"
            yield from _nested(one, indent + "  ", levels - 1)


def mix(path: str) -> Iterator[str]:
    """A mix by its mix.json: rows, seed, and of each domain its weight and how often its rows are drawn."""
    try:
        record = orjson.loads(read_bytes(path))
        rows = record["rows"]
        weights = {domain["name"]: _weight(domain["weight"]) for domain in record["domains"]}
        total = sum(weights.values())
        own = {domain["name"]: sum(source["rows"] for source in domain["sources"]) for domain in record["domains"]}
        shards, size = len(record["shards"]), record["seq_len"]
        yield f"{one_line(path)}: mix of {rows:,} training rows in {shards:,} shards, seed {record['seed']}"
        yield f"  {rows * size:,} tokens, {size:,} a row; fingerprint {record['fingerprint'][:16]}"
        for name, weight in weights.items():
            share = weight / total
            epochs = share * rows / own[name]
            yield f"  {one_line(name):<16} {share:>7.2%}  {own[name]:>12,} rows, drawn {epochs:.2f} times"
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise InputError(f"{path}: not a mix.json that this version reads: {error!r}") from None


def _weight(text: Any) -> float:
    from fractions import Fraction

    return float(Fraction(text))


def manifest_file(folder: str) -> Iterator[str]:
    """A finished result by its manifest. Raises InputError: it is damaged or was changed."""
    from llama_data.pipeline.core import manifest

    found = manifest.find(folder)
    assert found is not None
    about, made = found.record["about"], found.made_from
    by = f"finished {one_line(about.get('finished'))} by `{one_line(about.get('command'))}`"
    yield f"{one_line(folder)}: {one_line(found.content['what'])}, {by}"
    yield f"  sha256 {found.sha256}"
    yield "  " + ", ".join(f"{one_line(name)} {count:,}" for name, count in found.content["totals"].items())
    account = found.content["account"]
    for name in ("outcomes", "reasons"):
        if account.get(name):
            yield f"  {name}: {counted(account[name])}"
    inputs = made.get("inputs") or {}
    yield f"  inputs: {inputs.get('count', 0):,}, sha256 {one_line(inputs.get('sha256'))}"
    for model in made.get("models", []):
        yield f"  model: {one_line(' '.join(map(str, model)))}"
    for before, sha256 in made.get("before", {}).items():
        yield f"  made from {one_line(before)}, {one_line(sha256)}"


def json_lines(path: str, what: str, asked: Asked) -> Iterator[str]:
    """Lines of JSON that a run has left: the first, and how many there are."""
    yield f"{one_line(path)}: {what}"
    count = 0
    for record in islice(read_jsonl(path), None if asked.whole else MOST_COUNTED):
        count += 1
        if count <= asked.limit:
            yield f"  {one_line(json.dumps(record, ensure_ascii=False))[:400]}"
    yield f"{'' if asked.whole or count < MOST_COUNTED else 'at least '}{count:,} lines"
