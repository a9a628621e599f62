"""Writes docs/recipes.md from the settings classes, so that the page cannot drift from the code.

python docs/settings.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from llama_data.pipeline.core.domains import DOMAINS
from llama_data.pipeline.explain import about, defaults, kind
from llama_data.pipeline.recipe import (
    ExecutorSettings,
    MixSettings,
    RaySettings,
    Recipe,
    SlurmSettings,
    TokenizerChoice,
    load_recipe,
)
from llama_data.stages.custom.fields import Fields, SplitBy
from llama_data.stages.custom.jobs import Settings as SourceSettings
from llama_data.stages.steps.catalogue import STEPS
from llama_data.tokenizer.train import TokenizerSettings
from llama_data.train_handoff.pack import PackSettings

PAGE = Path(__file__).with_name("recipes.md")

HEAD = """# Recipes

A recipe is a YAML file that describes a whole run. `extends` names a preset (`llama`, `redpajama`, `corpus`,
`quickstart`) or a path; keys are laid on those of the recipe it extends, mapping by mapping (`weights` as a whole).
Flags of the command line come last. Unknown keys are errors that name the file, the line and the nearest known key.
`null` means off: of a threshold or limit that there is none, of a list to choose from that all are taken. 0 means 0.
`starter` means the model that comes with the package, wherever a model is named; `--starter-models` of `plan` and
`run` takes them for all. Counts may carry a unit: `1.4T`, `200M`; `1e9` and `100_000` are read too. A time of Slurm
needs quotes: `time: "12:00:00"`.

`llama-data recipes list` names the presets, which are found from any folder (`-c corpus`, `plan corpus`);
`recipes show NAME` prints one, with `--resolved` every setting. One to start from, in which every further setting
stands with what it means and its default, is written by

    llama-data recipes new mine.yaml --domain books --source mine=/data/mine --executor slurm
    llama-data plan mine.yaml        # checks it, names all that is missing, and plans the rest

A domain that is absent under `domains` (or null) is not run. Every domain also takes `inputs` (globs relative to
`input`), `root` (another input folder or URL for this domain), `share` (`1%` of the input files, the same ones for
everyone), `base` (what relative paths in a list of files are below) and `max_task_bytes` (pieces into which an input
that can be split is cut, one task each). An input whose name ends in `.paths` or `.paths.gz` is a list of files:
[downloads.md](downloads.md#without-downloading).

A glob is `*`, `?` and `[...]` inside a name, `**` for any folders; what follows the first dot of a file's name matches
in any case (`*.txt` takes `BOOK.TXT`). A link to a file is a file, a link to a folder a folder; one that leads back to
a folder it lies in is not followed. Folders and files may be called anything. `plan` and `run` say which files of the
input folders no glob takes, which folders none looks into, and which globs of the recipe match nothing.

    extends: llama
    name: mine
    input: /data/dumps
    output: s3://bucket/run
    domains:
      commoncrawl: {dedup_group: all, reference_threshold: 0.25}
      arxiv: null
    mix:
      weights: {commoncrawl: 0.7, c4: 0.1, github: 0.05, wikipedia: 0.05, books: 0.05, stackexchange: 0.05}
      tokens: 1.0T

This page is written by `python docs/settings.py`.
"""


def section(title: str, model: type[BaseModel], hidden: set[str], values: BaseModel | None = None) -> str:
    """One settings class: its docstring, and a table of its fields with their defaults."""
    rows = []
    for name, default in defaults(model).items():
        if name in hidden:
            continue
        if values is not None:
            default = getattr(values, name)
        shown = "required" if default is PydanticUndefined else _show(default)
        rows.append(f"| `{name}` | {kind(model.model_fields[name].annotation)} | {shown} |")
    table = ["| key | type | default |", "|---|---|---|", *rows] if rows else ["It has no settings."]
    return "\n".join([f"## {title}", "", about(model), "", *table, ""])


def _show(value: Any) -> str:
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(map(str, value[:20])) + (", …" if len(value) > 20 else "") + "]`"
    if isinstance(value, BaseModel):
        return "see below"
    return f"`{value}`"


def page() -> str:
    """The whole page."""
    llama = load_recipe("llama")
    parts = [HEAD]
    hidden = {"domains", "sources", "executor", "tokenizer", "tokens", "mix"}
    parts.append(section("The recipe", Recipe, hidden))
    parts.append(
        "And the sections below: `domains`, `sources` (one must be there), `tokenizer`, `tokens`, `mix`, `executor`.\n"
    )
    for name in DOMAINS:
        settings = llama.settings(name)
        parts.append(section(f"domains.{name}", type(settings), {"inputs", "root", "share", "base", "max_task_bytes"}))
    parts.append(section("sources.NAME", SourceSettings, {"root", "share", "base", "max_task_bytes"}))
    parts.append(section("sources.NAME.fields", Fields, set()))
    parts.append(section("sources.NAME.split", SplitBy, set()))
    parts.append("## steps\n\nWhat `sources.NAME.steps` may name; [own-data.md](own-data.md) shows them at work.\n")
    parts += [section(name, step, set()).replace("## ", "### ", 1) for name, step in STEPS.items()]
    tokenizer = section("tokenizer", TokenizerChoice, set())
    own = about(TokenizerSettings).split("\n\n", 1)[-1]
    parts.append(tokenizer.replace("\n| key", f"\n{own}\n\n| key", 1))
    parts.append(section("tokens", PackSettings, set()))
    parts.append(section("mix", MixSettings, set()))
    # the defaults of these depend on the machine, so they are named rather than printed
    executor = section("executor", ExecutorSettings, {"workers"})
    parts.append(executor.rstrip("\n") + "\n| `workers` | int | the number of cores |\n")
    parts.append(section("executor.slurm", SlurmSettings, set()))
    parts.append(section("executor.ray", RaySettings, set()))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
