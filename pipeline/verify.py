"""Checks a run: that every link from mix to input holds, that every file is there, and, in full, every byte."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline import chain
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import (
    exists,
    file_system,
    is_local,
    join,
    list_entries,
    list_files,
    local_path,
    sha256_of,
)
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.ledger import read_table
from llama_data.pipeline.core.listing import stamp_of
from llama_data.pipeline.core.manifest import MANIFEST, Manifest
from llama_data.pipeline.core.sink import documents_of_task
from llama_data.pipeline.core.written import sizes_beside, unlike_disk
from llama_data.pipeline.differences import changed_stamp
from llama_data.pipeline.made_from import hash_of, hash_unless_known
from llama_data.train_handoff.shards.verify import verify_folder

_SHARD_FOLDERS = ("tokens", "mix")
_SHOWN = 20


@dataclass(frozen=True)
class Finding:
    """One thing that was checked, in one sentence."""

    ok: bool
    what: str


def verify_run(run: str, *, full: bool = False) -> Iterator[Finding]:
    """Check a run's folder, part by part; parts that are not there yet are not checked.

    Of every result: its manifest, its files by name and size, and whether what it was made from is still the same.
    ``full``: reads every byte besides.

    Raises:
        InputError: the folder holds nothing of a run.
    """
    folders = chain.folders(run)
    if not folders:
        raise InputError(f"{run}: no ledger, tokens or mix there; expected the folder of a run")
    found: dict[str, Manifest | None] = {}
    for folder in folders:
        try:
            found[folder] = manifest.find(join(run, folder))
        except InputError as error:
            found[folder] = None
            yield Finding(False, str(error))
        else:
            if found[folder] is None:
                command = chain.command_of(folder)
                what = f"not finished: it has no {MANIFEST}; `llama-data {command}` makes it, or goes on"
                yield Finding(False, f"{join(run, folder)}: {what}")
    for folder, made in found.items():
        if made is not None:
            yield from _result(run, folder, made, found)
    if full:
        for folder, made in found.items():
            yield from _bytes(folder, made)
        yield from check_content(run)


def _result(run: str, folder: str, made: Manifest, found: Mapping[str, Manifest | None]) -> Iterator[Finding]:
    """Hold a result against its manifest, and the manifest against those of the results that it was made from."""
    try:
        files = made.files
    except InputError as error:
        yield Finding(False, str(error))
        return
    present = sizes_beside(made.root, files)
    problems = [*unlike_disk(made.root, files, present), *_surplus(made, present)]
    again = chain.redo(chain.command_of(folder, made), "--output", run)
    where = join(run, folder)
    for earlier, expected in made.made_from["before"].items():
        now = found.get(earlier)
        if now is None:
            problems.append(
                f"{where} is stale: made from {earlier} {expected[:12]}, which is not there or not finished"
            )
        elif now.sha256 != expected:
            told = f"made from {earlier} {expected[:12]}, which is {now.sha256[:12]} now"
            problems.append(f"{where} is stale: {told}; {again}")
    models, gone_models = _models(run, made)
    inputs, gone = _inputs(made)
    problems += [f"{where} is stale: {told}; {again}" for told in (*models, *inputs)]
    yield from (Finding(False, problem) for problem in problems[:_SHOWN])
    if len(problems) > _SHOWN:
        yield Finding(False, f"{where}: and {len(problems) - _SHOWN:,} more")
    if not problems:
        count = made.made_from["inputs"]["count"]
        absent = f"; {gone:,} of its {count:,} inputs are no longer there and were not compared" if gone else ""
        absent += f"; not compared, as they are no longer there: {', '.join(gone_models)}" if gone_models else ""
        yield Finding(True, f"{where}: {len(files):,} files as they were written, made from what is there now{absent}")


def _surplus(made: Manifest, present: Mapping[str, int]) -> list[str]:
    """Files in the result's folders that its manifest does not name: nobody reads them."""
    known = {join(made.root, file.name) for file in made.files}
    own = (MANIFEST, manifest.FILES, manifest.INPUTS)
    return [
        f"{path}: surplus: the manifest does not name it; no verb reads it"
        for path in sorted(set(present) - known)
        if path.rpartition("/")[2] not in own
    ]


def _models(run: str, made: Manifest) -> tuple[list[str], list[str]]:
    """Which files that steps depend on are others by now, and which are not there."""
    about = made.record["about"]
    stale, gone = [], []
    for path, (*touched, expected) in about["models"].items():
        # A run may have been moved, with the tokenizer in it.
        here = join(run, path.removeprefix(join(about["run"], ""))) if path.startswith(join(about["run"], "")) else path
        if not exists(here):
            gone.append(path)
            continue
        now = _hash_of(here, touched, expected)
        if now != expected:
            stale.append(f"made with {path} {expected[:12]}, which is {now[:12]} now")
    return stale, gone


def _hash_of(path: str, touched: Sequence[int], known: str) -> str:
    """The hash of a file, taken again only where it was touched since."""
    if path.endswith(f"/{MANIFEST}"):
        found = manifest.find(path.rpartition("/")[0])
        return "not finished" if found is None else found.sha256
    return str(hash_unless_known(path, [*touched, known])[-1])


def _inputs(made: Manifest) -> tuple[list[str], int]:
    """Which inputs are others by now, and how many are not there any more."""
    stale: list[str] = []
    gone: set[str] = set()
    rows = {row["path"]: row for row in made.inputs() if row["stamp"]}
    stamps = stamps_of(rows)
    for path, row in rows.items():
        now = stamps.get(path)
        if now is None:
            gone.add(path)
            continue
        told = changed_stamp({**row, "sha256": None}, {**row, "stamp": now, "sha256": None})
        if told is not None and not (row.get("sha256") and hash_of(path) == row["sha256"]):
            stale.append(f"input {path} {told}")
    return stale, len(gone)


def stamps_of(paths: Iterable[str]) -> dict[str, str]:
    """For each file that is there what changes when it does; a store is asked once for each folder."""
    found: dict[str, str] = {}
    folders: dict[str, list[str]] = {}
    for path in paths:
        if is_local(path):
            with suppress(FileNotFoundError, NotADirectoryError):
                found[path] = str(os.stat(local_path(path)).st_mtime_ns)
        else:
            folders.setdefault(path.rpartition("/")[0], []).append(path)
    for folder, members in folders.items():
        fs, _ = file_system(folder)
        if len(members) == 1:  # its folder may hold a million others
            with suppress(FileNotFoundError, NotADirectoryError):
                found[members[0]] = stamp_of(fs.info(file_system(members[0])[1]))
            continue
        names = {file_system(path)[1]: path for path in members}
        for entry in list_entries(folder):
            if entry["name"] in names:
                found[names[entry["name"]]] = stamp_of(entry)
    return found


def _bytes(folder: str, made: Manifest | None) -> Iterator[Finding]:
    """Hash the files of documents and tokenizer; shards have hashes and check values of their own."""
    if made is None or folder.split("/")[0] in _SHARD_FOLDERS:
        return
    for file in made.files:
        path = join(made.root, file.name)
        try:
            now = sha256_of(path)
        except InputError as error:
            if exists(path):  # else it is said already
                yield Finding(False, str(error))
            continue
        if now != file.sha256:
            yield Finding(False, f"{path}: sha256 {now[:12]}, expected {file.sha256[:12]}: a byte was changed")


def check_content(run: str) -> Iterator[Finding]:
    """Check that documents are those of their ledgers, and every byte of token shards and mixes."""
    for domain in chain.names_in(run, "ledger"):
        yield from _documents(run, domain)
    model = join(run, "tokenizer", "tokenizer.model")
    sha256 = sha256_of(model) if exists(model) else None
    shards = [*(f"tokens/{name}" for name in chain.names_in(run, "tokens")), *chain.mixes(run)]
    for folder in [join(run, name) for name in shards]:
        problems = verify_folder(folder, tokenizer_sha256=sha256)
        yield from (Finding(False, str(problem)) for problem in problems)
        if not problems:
            drawn = ", as many of each domain as mix.json lists" if exists(join(folder, "mix.json")) else ""
            yield Finding(True, f"{folder}: every byte of its shards is as written{drawn}")


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
