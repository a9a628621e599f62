"""The groups of jobs of a run: what each makes, where, and by which verb."""

from __future__ import annotations

import re

from llama_data.pipeline.chain import MIX, TOKENIZER
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import join, list_entries
from llama_data.pipeline.finish import Group, Result
from llama_data.pipeline.recipe import Recipe
from llama_data.train_handoff.pack import group_of
from llama_data.train_handoff.shards.documents import FOLDER as INDEXES
from llama_data.train_handoff.shards.file import VALIDATION

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PARTS = {"documents": "documents", "ledger": "records", "rejected": "rejected", "signatures": "signatures"}
# Files of a domain that are no rows of anything, and are not counted.
_REPORTS = "reports"


def domain_result(domain: str) -> Result:
    """What a domain's manifest lists."""
    parts = tuple((f"{part}/{domain}", name) for part, name in _PARTS.items())
    return Result(f"documents/{domain}", (*parts, (f"{_REPORTS}/{domain}", "")))


def tokenizer_result() -> Result:
    """What the tokenizer's manifest lists."""
    return Result(TOKENIZER, ((TOKENIZER, "rows"),))


def tokens_result(domain: str) -> Result:
    """What the manifest of a domain's token shards lists: the shards, and the indexes of their documents."""
    folder = f"tokens/{domain}"
    shards = ((folder, "rows"), (f"{folder}/{VALIDATION}", "validation_rows"))
    indexes = (f"{folder}/{INDEXES}", f"{folder}/{INDEXES}/{VALIDATION}")
    return Result(folder, (*shards, (indexes[0], "documents"), (indexes[1], "validation_documents")))


def mix_result(name: str | None) -> Result:
    """What the manifest of a mix lists, from its own folder on."""
    folder = mix_folder(name)
    return Result(folder, ((folder, "rows"), (f"{folder}/{VALIDATION}", "validation_rows")), base=folder)


def stage_group(recipe: Recipe, stage: str) -> Group:
    """The documents, ledgers, rejected texts, signatures and reports of a domain or source."""
    domains = recipe.ledgers(stage)
    results = [domain_result(domain) for domain in domains]
    outputs = tuple(f"{part}/{domain}" for domain in domains for part in (*_PARTS, _REPORTS))
    return Group(stage, f"run {stage}", tuple(results), outputs, recipe.context().work(stage))


def tokenizer_group(recipe: Recipe) -> Group:
    """The tokenizer of a run."""
    return Group(TOKENIZER, "train-tokenizer", (tokenizer_result(),), (TOKENIZER,), recipe.context().work(TOKENIZER))


def tokens_group(recipe: Recipe, domain: str) -> Group:
    """The token shards of a domain."""
    folder = f"tokens/{domain}"
    return Group(
        group_of(domain), f"tokenize {domain}", (tokens_result(domain),), (folder,), recipe.context().work(domain)
    )


def mix_folder(name: str | None) -> str:
    """The folder of a mix, below the run's. Raises RequestError: it is no name for one."""
    if name is None:
        return MIX
    if not _NAME.fullmatch(name) or name == VALIDATION:
        raise RequestError(
            f"--name {name}: no name for a mix: letters, digits, and . _ - after the first; not {VALIDATION}, "
            "which is the folder of a mix's held-out rows"
        )
    return f"{MIX}/{name}"


def mix_group(recipe: Recipe, name: str | None) -> Group:
    """A mix. Further ones have folders in the first one's, which are not its own."""
    folder = mix_folder(name)
    present = list_entries(recipe.path(folder))
    names = [entry["name"].rstrip("/").rpartition("/")[2] for entry in present if entry["type"] == "file"]
    outputs = tuple(f"{folder}/{file}" for file in [*sorted(names), VALIDATION])
    # A dot is in the name of no source, so the logs of a mix are never those of one.
    group = MIX if name is None else f"{MIX}.{name}"
    command = MIX if name is None else f"{MIX} --name {name}"
    return Group(group, command, (mix_result(name),), outputs, join(recipe.path("work"), group))
