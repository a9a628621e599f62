"""Tells what a file or folder is, by its content and its name, and shows it: the project's own first, then dumps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.errors import LlamaDataError, RequestError
from llama_data.pipeline.core.files import exists, file_system, is_local, join, list_files, local_path
from llama_data.pipeline.core.head import Head
from llama_data.pipeline.core.screen import one_line
from llama_data.pipeline.inspecting import dumps, models, own
from llama_data.pipeline.inspecting.asked import Asked
from llama_data.pipeline.looking.heads import read_head
from llama_data.stages.github.repositories import is_repository

LISTED = 40
_DOCUMENT = {"id", "text", "metadata"}
_NAMED_JSON = {
    "record.json": "record of a checkpoint",
    "summary.json": "what a training run ended with",
    "jobs.json": "jobs of a run",
    "made-from.json": "what a group of jobs was begun with",
    "stats.json": "statistics of a job",
    "tokenizer.json": "tokenizer in Hugging Face's form",
}


def look(path: str, asked: Asked) -> Iterator[str]:
    """Lines about a file or folder. Raises RequestError: there is none, or nothing says what it is."""
    if not exists(path):
        raise RequestError(f"{path}: no such file")
    fs, target = file_system(path)
    if fs.isdir(target):
        yield from _folder(path.rstrip("/") or path, asked)
        return
    head = read_head(path)
    if asked.domain is not None:
        yield from dumps.look(path, head, asked)
        return
    view = _own(path, head, asked)
    yield from dumps.look(path, head, asked) if view is None else view()


def _own(path: str, head: Head, asked: Asked) -> Callable[[], Iterator[str]] | None:
    """The view of a file that the project writes; None: it is none of them."""
    name = head.name
    if head.data.startswith(b"PAR1"):
        kind = own.parquet_kind(path)
        if kind is None:
            return None
        return lambda: own.shard(path, asked) if kind == "token shard" else own.table(path, kind, asked)
    if head.data.startswith(models.FASTTEXT):
        return lambda: models.fasttext(path)
    if head.data.startswith(models.KENLM) or head.data.lstrip().startswith(models.ARPA):
        return lambda: models.kenlm(path, head.data)
    if name.endswith(".model"):
        return lambda: models.tokenizer(path, asked)
    if name.endswith(".templates"):
        return lambda: models.templates(path)
    return _own_text(path, head, asked)


def _own_text(path: str, head: Head, asked: Asked) -> Callable[[], Iterator[str]] | None:
    name = head.name
    if name == "mix.json":
        return lambda: own.mix(path)
    if name == manifest.MANIFEST:
        return lambda: own.manifest_file(path.rpartition("/")[0] or ".")
    if name in (manifest.FILES, manifest.INPUTS):
        what = "files of a result: name, bytes, rows, sha256" if name == manifest.FILES else "inputs of a result"
        return lambda: own.json_lines(path, what, asked)
    if name.startswith("metrics") and name.endswith(".jsonl"):
        return lambda: own.json_lines(path, "metrics of a training run", asked)
    # Of a long document the head shows id and text alone.
    if head.fields >= _DOCUMENT or (name.endswith(".jsonl.zst") and (not head.data or head.fields == {"id", "text"})):
        return lambda: own.documents(path, asked)
    if name in _NAMED_JSON or name.endswith((".card.json", ".cutoffs.json")) or name == "card.json":
        what = _NAMED_JSON.get(name, "card of a model" if "card" in name else "cut-offs of a model of perplexity")
        return lambda: own.json_file(path, what)
    if name.endswith((".yaml", ".yml")):
        return lambda: _recipe(path)
    return None


def _recipe(path: str) -> Iterator[str]:
    from llama_data.pipeline.recipe import load_recipe

    recipe = load_recipe(path)
    yield f"{one_line(path)}: recipe {recipe.name!r}"
    yield f"  stages: {', '.join(recipe.chosen())}"
    yield f"  input {one_line(recipe.input)}, output {one_line(recipe.output)}, seed {recipe.seed}"
    for stage in recipe.chosen():
        settings = recipe.settings(stage)
        changed = {} if settings is None else settings.model_dump(exclude_defaults=True)
        yield f"  {stage}: {one_line(changed)[:300]}"


def _folder(path: str, asked: Asked) -> Iterator[str]:
    """A folder by the files that stand in it."""
    if exists(join(path, "record.json")):
        yield from models.checkpoint(path)
    elif exists(join(path, "mix.json")):
        yield from own.mix(join(path, "mix.json"))
    elif exists(join(path, "tokenizer.model")):
        yield from models.tokenizer(path, asked)
    elif exists(join(path, manifest.MANIFEST)):
        yield from own.manifest_file(path)
    elif exists(join(path, "ledger")) or exists(join(path, "recipe.yaml")):
        yield from _run(path)
    elif is_local(path) and is_repository(local_path(path)):
        yield from dumps.look(path, None, asked)
    else:
        yield from _listing(path, asked)


def _run(path: str) -> Iterator[str]:
    """The results of a run, and its recipes."""
    from llama_data.pipeline.chain import results
    from llama_data.pipeline.history import HISTORY

    yield f"{one_line(path)}: a run"
    for folder, found in results(path).items():
        if found is None:
            yield f"  {one_line(folder):<28} not finished"
            continue
        totals = ", ".join(f"{name} {count:,}" for name, count in found.content["totals"].items())
        yield f"  {one_line(folder):<28} {one_line(totals)}"
    kept = [one.rpartition("/")[2] for one in list_files(join(path, HISTORY), ".yaml")]
    if kept:
        yield f"  recipes: {one_line(', '.join(kept))}"


def _listing(path: str, asked: Asked) -> Iterator[str]:
    """The files of a folder, and what each is."""
    inside = list_files(path, "")
    yield f"{one_line(path)}: a folder of {len(inside):,}"
    for one in inside[:LISTED]:
        name = one.rstrip("/").rpartition("/")[2]
        yield f"  {one_line(name):<40} {_briefly(one)}"
    if len(inside) > LISTED:
        yield f"  and {len(inside) - LISTED:,} more"


def _briefly(path: str) -> str:
    if is_local(path) and os.path.isdir(local_path(path)):
        return "git repository" if is_repository(local_path(path)) else "folder"
    try:
        head = read_head(path)
        found = dumps.claimed(head)
        if head.data.startswith(b"PAR1"):
            return own.parquet_kind(path) or (f"rows of {found[0]}" if found else "parquet")
        if head.fields >= _DOCUMENT:
            return "documents"
        if head.name.endswith((".yaml", ".yml")):
            return "recipe"
        return f"dump of {found[0]}" if found else ""
    except LlamaDataError as error:
        return one_line(error)[:80]
