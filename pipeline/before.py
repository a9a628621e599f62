"""What a verb takes from the verb before: finished results only, known by their manifests."""

from __future__ import annotations

from llama_data.pipeline.chain import TOKENIZER, redo
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import list_files
from llama_data.pipeline.core.manifest import MANIFEST, Manifest
from llama_data.pipeline.core.written import in_short, unlike_disk
from llama_data.pipeline.made_from import older_version
from llama_data.pipeline.recipe import Recipe
from llama_data.pipeline.record import is_of_older_version


def documents_of(recipe: Recipe, domain: str) -> Manifest:
    """The finished documents of a domain. Raises RequestError: there are none, or they are not finished."""
    stage = recipe.stage_of(domain)
    return _finished(recipe, f"documents/{domain}", stage, f"run {stage}", "", "documents")


def tokenizer_of(recipe: Recipe) -> Manifest:
    """The tokenizer that was trained in the run's folder. Raises RequestError: there is none, or it is not finished."""
    advice = ", or set tokenizer.model in the recipe"
    return _finished(recipe, TOKENIZER, TOKENIZER, "train-tokenizer", advice, "tokenizer")


def tokens_of(recipe: Recipe, domain: str) -> Manifest:
    """The finished token shards of a domain. Raises RequestError: there are none, or they are not finished."""
    return _finished(recipe, f"tokens/{domain}", f"tokenize/{domain}", f"tokenize {domain}", "", "token shards")


def _finished(recipe: Recipe, folder: str, group: str, command: str, advice: str, what: str) -> Manifest:
    path, verb = recipe.path(folder), f"llama-data {command}"
    anew = redo(command, "--output", recipe.path())
    found = manifest.find(path)
    if found is not None:
        wrong = unlike_disk(found.root, found.files)
        if wrong:
            raise RequestError(f"{in_short(wrong)}; put it back, or make it anew with {anew}")
        return found
    if is_of_older_version(recipe.path(), group):
        raise RequestError(older_version(recipe.path(), group, anew))
    if list_files(path, ""):
        raise RequestError(
            f"{path}: not finished: it has no {MANIFEST}; give `{verb}` again, which goes on where it was "
            f"stopped{advice}"
        )
    raise RequestError(f"{path}: no {what}; run `{verb}` first{advice}")


def has_begun(recipe: Recipe, domain: str) -> bool:
    """True when there is anything of a domain's documents, finished or not."""
    found = list_files(recipe.context().documents(domain), "")
    return any(path.endswith((f"/{MANIFEST}", ".jsonl.zst")) for path in found)
