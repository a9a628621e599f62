"""Checks everything that a run has written: ledgers, documents, token shards, the mix."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import exists, join, list_files, read_bytes, read_jsonl
from llama_data.pipeline.core.ledger import read_table
from llama_data.pipeline.core.sink import documents_of_task
from llama_data.train_handoff.shards.verify import verify_folder


@dataclass(frozen=True)
class Finding:
    """One thing that was checked, in one sentence."""

    ok: bool
    what: str


def verify_run(run: str) -> Iterator[Finding]:
    """Check a run's folder, part by part; parts that are not there yet are not checked.

    Raises:
        InputError: the folder holds nothing of a run.
    """
    ledgers = list_files(join(run, "ledger"), "")
    tokens = list_files(join(run, "tokens"), "")
    mixed = exists(join(run, "mix"))
    if not (ledgers or tokens or mixed):
        raise InputError(f"{run}: no ledger, tokens or mix there; expected the folder of a run")
    for folder in ledgers:
        yield from _documents(run, folder.rstrip("/").rsplit("/", 1)[-1])
    model = join(run, "tokenizer", "tokenizer.model")
    sha256 = hashlib.sha256(read_bytes(model)).hexdigest() if exists(model) else None
    for folder in [*tokens, *([join(run, "mix")] if mixed else [])]:
        problems = verify_folder(folder, tokenizer_sha256=sha256)
        yield from (Finding(False, str(problem)) for problem in problems)
        if not problems:
            yield Finding(True, f"{folder}: every byte of its shards is as written")


def _documents(run: str, domain: str) -> Iterator[Finding]:
    """Hold each document file against its ledger file: the same ids, in the same order, of the same length."""
    # Eight bytes an id: a crawl has billions of them.
    hashes = array("q")
    records = kept = 0
    ledgers = list_files(join(run, "ledger", domain), ".parquet")
    for path in ledgers:
        rows = read_table(path, ["id", "outcome", "chars_out"]).to_pylist()
        records += len(rows)
        hashes.extend(hash(row["id"]) for row in rows)
        expected = [(row["id"], row["chars_out"]) for row in rows if row["outcome"] == "kept"]
        kept += len(expected)
        task = path.rsplit("/", 1)[-1].removesuffix(".parquet")
        documents = join(run, "documents", domain, task)
        files = documents_of_task(join(run, "documents", domain), task)
        try:
            found = [(record["id"], len(record["text"])) for file in files for record in read_jsonl(file)]
        except InputError as error:
            yield Finding(False, str(error))
            continue
        if found != expected:
            yield Finding(False, f"{documents}: {len(found)} documents, not the {len(expected)} that its ledger keeps")
    repeated = _repeated_ids(ledgers, np.frombuffer(hashes, np.int64))
    if repeated:
        [(example, count)] = repeated.most_common(1)
        detail = f"{len(repeated)} ids stand in the ledger more than once, like {example} ({count} times)"
        yield Finding(False, f"{domain}: {detail}")
    else:
        yield Finding(True, f"{domain}: {records:,} records in the ledger, {kept:,} kept and found as documents")


def _repeated_ids(ledgers: Sequence[str], hashes: NDArray[np.int64]) -> Counter[str]:
    """How often ids stand in the ledger that stand there more than once; ``hashes``: of all of them."""
    ordered = np.sort(hashes)
    suspected = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    if not suspected:
        return Counter()
    ids = (id for path in ledgers for id in read_table(path, ["id"])["id"].to_pylist())
    counts = Counter(id for id in ids if hash(id) in suspected)
    return Counter({id: count for id, count in counts.items() if count > 1})
