"""Manifests for what a version made that wrote none: everything is read and checked once, and then listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline import chain
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.files import exists, join, open_binary, read_bytes, sha256_of
from llama_data.pipeline.core.hashed import WrittenFile
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.written import sizes_in
from llama_data.pipeline.finish import Result, about
from llama_data.pipeline.groups import domain_result, mix_result, tokenizer_result, tokens_result
from llama_data.pipeline.record import is_of_older_version, record_path
from llama_data.pipeline.summary import summarise
from llama_data.pipeline.verify import check_content
from llama_data.train_handoff.shards.documents import FOLDER as INDEXES
from llama_data.train_handoff.shards.file import read_footer

ADOPTED = "adopted"


def adopt(run: str) -> Iterator[str]:
    """Write a manifest for every result of an older version; says of each that it did.

    What a result was made from is not known but for its settings, so the verb that made it will not take it for its
    own; the verbs after it go on from it.

    Raises:
        RunError: something in the run is damaged; nothing is written then.
    """
    wrong = [finding.what for finding in check_content(run) if not finding.ok]
    if wrong:
        raise RunError(f"{run}: {wrong[0]}; a damaged result cannot be adopted: make it anew with --overwrite")
    for folder in chain.folders(run):
        if manifest.find(join(run, folder)) is not None or not is_of_older_version(run, _group(folder)):
            continue
        result = _result(folder)
        files = result.own(_files(run, result, folder))
        settings = orjson.loads(read_bytes(record_path(run, _group(folder))))["settings"]
        account: dict[str, Any] = {}
        if folder.startswith("documents/"):
            account = summarise(RunContext(input="", output=run), folder.partition("/")[2]).record()
        manifest.write(
            join(run, folder),
            levels=len(folder.split("/")) if not result.base else 0,
            what=folder,
            files=files,
            totals=result.totals(files),
            made_from=_made_from(run, folder, settings),
            account=account,
            inputs=[],
            about=about(run, chain.command_of(folder), {}),
        )
        yield f"{join(run, folder)}: {len(files):,} files read and listed in its {manifest.MANIFEST}"


def _group(folder: str) -> str:
    first, _, name = folder.partition("/")
    return {"documents": name, "tokens": f"tokenize/{name}"}.get(first, first)


def _result(folder: str) -> Result:
    first, _, name = folder.partition("/")
    if first == "documents":
        return domain_result(name)
    if first == "tokens":
        return tokens_result(name)
    return tokenizer_result() if first == chain.TOKENIZER else mix_result(None)


def _made_from(run: str, folder: str, settings: Any) -> dict[str, Any]:
    """What is known: the settings, and the results of the step before as they are now."""
    first, _, name = folder.partition("/")
    earlier: list[str] = []
    if first == "tokens":
        earlier = [f"documents/{name}"]
    elif first == chain.TOKENIZER:
        read = orjson.loads(read_bytes(join(run, folder, "card.json")))["input"]
        earlier = [f"documents/{domain}" for domain in read]
    elif first == chain.MIX:
        drawn = orjson.loads(read_bytes(join(run, folder, "mix.json")))["domains"]
        earlier = list(dict.fromkeys(f"tokens/{domain['name'].partition('/')[0]}" for domain in drawn))
    found = {name: manifest.find(join(run, name)) for name in earlier}
    before = {name: made.sha256 for name, made in found.items() if made is not None}
    inputs = {"count": 0, "sha256": manifest.content_hash([])}
    return {
        "version": ADOPTED,
        "settings": settings,
        "jobs": [],
        "inputs": inputs,
        "models": [],
        "before": before,
    }


def _files(run: str, result: Result, folder: str) -> Iterator[WrittenFile]:
    root = join(run, "")
    for path, size in sorted(sizes_in([join(run, part) for part, _ in result.parts]).items()):
        if path.endswith(".tmp"):
            continue
        is_index = f"/{INDEXES}/" in path.removeprefix(join(run, folder))
        if folder.split("/")[0] in ("tokens", chain.MIX) and path.endswith(".parquet") and not is_index:
            footer = read_footer(path)
            yield WrittenFile(path.removeprefix(root), size, footer.rows, footer.content_sha256)
            continue
        yield WrittenFile(path.removeprefix(root), size, _rows(path), sha256_of(path))


def _rows(path: str) -> int:
    if path.endswith(".jsonl.zst"):
        return sum(1 for _ in read_jsonl(path))
    if path.endswith(".parquet") and exists(path):
        with open_binary(path) as stream:
            return int(pq.read_metadata(stream).num_rows)
    return 0
