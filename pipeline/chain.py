"""The results of a run and how they hang together: input → documents → tokenizer, tokens → mixes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextvars import ContextVar

from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.files import is_file, join, list_entries, list_files
from llama_data.pipeline.core.manifest import Manifest

MIX = "mix"
TOKENIZER = "tokenizer"
_MARKS = (manifest.MANIFEST, "mix.json")
typed: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())
"""The options that the command was given which runs, but for those that ``redo`` adds; none outside of a command."""


def names_in(run: str, folder: str) -> list[str]:
    """The names of what lies directly in a folder of the run."""
    return [path.rstrip("/").rpartition("/")[2] for path in list_files(join(run, folder), "")]


def mixes(run: str) -> list[str]:
    """The folders of the mixes of a run, below it: ``mix`` first, then the named ones."""
    present = {entry["name"].rstrip("/").rpartition("/")[2]: entry["type"] for entry in list_entries(join(run, MIX))}
    named = [f"{MIX}/{name}" for name, kind in sorted(present.items()) if kind == "directory"]
    first = [MIX] if set(_MARKS) & set(present) else []
    return first + [folder for folder in named if any(is_file(join(run, folder, mark)) for mark in _MARKS)]


def folders(run: str) -> list[str]:
    """The folders of a run that have a manifest when they are finished, in the order of the way."""
    documents = [f"documents/{name}" for name in names_in(run, "ledger")]
    tokenizer = [TOKENIZER] if names_in(run, TOKENIZER) else []
    return [*documents, *tokenizer, *(f"tokens/{name}" for name in names_in(run, "tokens")), *mixes(run)]


def results(run: str) -> dict[str, Manifest | None]:
    """The manifest of every folder that should have one; None: it is not finished, or damaged."""
    return {folder: manifest.find(join(run, folder)) for folder in folders(run)}


def command_of(folder: str, found: Manifest | None = None) -> str:
    """The verb that makes a folder of a run."""
    if found is not None and "command" in found.record["about"]:
        return str(found.record["about"]["command"])
    first, _, name = folder.partition("/")
    if first == MIX:
        return f"mix --name {name}" if name else "mix"
    return {"documents": f"run {name}", "tokens": f"tokenize {name}"}.get(first, "train-tokenizer")


def redo(command: str, *options: str) -> str:
    """A verb that makes something anew, as a person types it: with the recipe or the run's folder in its options."""
    return f"`{shlex.join(['llama-data', *command.split(), *options, '--overwrite'])}`"


def dependents(run: str, changed: Sequence[str]) -> list[str]:
    """The verbs that make anew what was made from some folders of a run, and what was made from that."""
    stale, commands = set(changed), []
    for folder, found in results(run).items():
        if found is None or folder in stale:
            continue
        uses = {*found.made_from["before"]}
        if any(path.endswith(f"/{TOKENIZER}/tokenizer.model") for path in found.record["about"]["models"]):
            uses.add(TOKENIZER)
        if stale & uses:
            stale.add(folder)
            commands.append(command_of(folder, found))
    return commands
