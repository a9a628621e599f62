"""A recipe to start from: what is asked for, and every further setting with its default behind a ``#``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from llama_data.pipeline.core.domains import DOMAINS
from llama_data.pipeline.core.version import VERSION
from llama_data.pipeline.explain import about, defaults
from llama_data.pipeline.recipe import ExecutorSettings, RaySettings, Recipe, SlurmSettings, load_recipe
from llama_data.stages.custom.jobs import Settings as SourceSettings
from llama_data.stages.steps.catalogue import STEPS

WIDTH = 110
_TIME = re.compile(r"[\d-]+(?::\d+)+")
_SECTIONS = ("domains", "sources", "executor", "tokenizer", "tokens", "mix", "name", "input", "output")
Kind = Literal["local", "slurm", "ray"]


def new_recipe(
    *,
    extends: str = "llama",
    name: str = "mine",
    domains: Sequence[str] = DOMAINS,
    sources: Mapping[str, str] | None = None,
    executor: Kind = "local",
    input: str = "DUMPS",
    output: str = "RUN",
) -> str:
    """The text of a recipe for some domains and for sources of one's own (name to folder).

    Raises RecipeError: there is no recipe ``extends``.
    """
    base = load_recipe(extends)
    sources = sources or {}
    lines = [
        f"# A recipe of llama-data {VERSION}. What stands behind `# ` in the column of a key is its default: take the",
        "# mark away to change it. A file of this kind is checked by `llama-data plan FILE`.",
        f"extends: {extends}",
        *_values({"name": name, "input": input, "output": output}),
        *_section(Recipe, {key: getattr(base, key) for key in Recipe.model_fields}, hidden=_SECTIONS),
        "",
        "domains:",
    ]
    for domain in DOMAINS:
        settings = base.settings(domain)
        if domain not in domains or settings is None:
            lines.append(f"  {domain}: null")
            continue
        lines += _indented(_part(domain, settings, ("inputs",)))
    if sources:
        lines += ["", "sources:", *_indented(line for item in sources.items() for line in _source(*item))]
    lines += ["", "executor:", *_indented(_executor(executor))]
    lines += ["", *_part("tokenizer", base.tokenizer, ("vocab_size",)), "", *_part("tokens", base.tokens, ("seq_len",))]
    mix = base.mix.model_copy(update={"weights": _weights(base, domains, sources)})
    given = ["weights"]
    if not domains:  # LLaMA's 1.4 T tokens are of LLaMA's domains: of others there are as many as there are
        mix, given = mix.model_copy(update={"tokens": None}), ["weights", "tokens"]
    lines += ["", *_part("mix", mix, given)]
    return "\n".join(lines) + "\n"


def _part(name: str, settings: BaseModel, given: Sequence[str]) -> Iterator[str]:
    """A mapping of the recipe: what the settings are, the keys that are given, and all others behind ``# ``.

    One must be given: a mapping without keys would switch the part off.
    """
    yield f"{name}:"
    values = {key: _plain(value) for key, value in dict(settings).items()}
    yield from _indented(_section(type(settings), values, given))
    yield from _indented(_values({key: values[key] for key in given}))


def _source(name: str, root: str) -> Iterator[str]:
    """A source of one's own: its folder, all that it holds, and the steps that there are."""
    given = {"root": root, "inputs": ["**/*"]}
    yield f"{name}:"
    yield from _indented([*_values(given), *_section(SourceSettings, {}, hidden=(*given, "steps"))])
    yield "  # What the texts go through, in this order. Those that there are, with their defaults:"
    for step, settings in STEPS.items():
        values = {key: _plain(value) for key, value in defaults(settings).items() if value is not PydanticUndefined}
        values |= {key: key.upper() for key, value in defaults(settings).items() if value is PydanticUndefined}
        yield f"  #   - {_inline({step: values})}"
    yield "  steps: [length]"


def _executor(kind: Kind) -> Iterator[str]:
    yield from _values({"kind": kind})
    hidden = ("kind", "slurm", "ray", "workers")
    yield from _section(ExecutorSettings, {}, hidden)
    if kind != "slurm":
        yield "# workers: 4"
    if kind == "slurm":
        yield "## Array elements of a job that run at the same time; the default would be the cores of this machine."
        yield "workers: 100"
        yield from _part("slurm", SlurmSettings(partition="PARTITION"), ("partition", "time"))
    if kind == "ray":
        yield from _part("ray", RaySettings(), ("mem_per_cpu_gb",))


def _weights(base: Recipe, domains: Sequence[str], sources: Mapping[str, str]) -> dict[str, float | str]:
    """Shares of the mix: those of the recipe that is extended, for each source their mean; they sum to one.

    What that recipe weighs in epochs stays as it is.
    """
    # The sources of the recipe that is extended stay, so their shares do, or those of their buckets.
    stay = [name for name in base.mix.weights if name.partition("/")[0] in base.sources]
    of_base = {name: base.mix.weights.get(name, 0.0) for name in [*domains, *stay]}
    epochs = {name: weight for name, weight in of_base.items() if isinstance(weight, str)}
    known = {name: Decimal(str(weight)) for name, weight in of_base.items() if name not in epochs}
    each = sum(known.values(), Decimal(0)) / len(known) if sum(known.values(), Decimal(0)) else Decimal(1)
    wanted = {name: share for name, share in {**known, **dict.fromkeys(sources, each)}.items() if share}
    total = sum(wanted.values(), Decimal(0))
    shares = {name: round(share / total, 4) for name, share in wanted.items()}
    if shares:
        first = next(iter(shares))
        shares[first] += 1 - sum(shares.values())
    return {**{name: float(share) for name, share in shares.items()}, **epochs}


def _section(model: type[BaseModel], values: Mapping[str, Any], hidden: Sequence[str] = ()) -> Iterator[str]:
    """What a settings class says of itself, then its keys with their values, all behind ``# ``."""
    for paragraph in about(model).split("\n\n"):
        yield from textwrap.wrap(paragraph, WIDTH, initial_indent="## ", subsequent_indent="## ")
    for key, value in {**defaults(model), **values}.items():
        if key not in hidden and value is not PydanticUndefined:
            yield f"# {key}: {_inline(_plain(value))}"


def _values(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        yield f"{key}: {_inline(value)}"


def _inline(value: Any) -> str:
    """A value on one line, as YAML."""
    if isinstance(value, str) and _TIME.fullmatch(value):
        return f'"{value}"'  # YAML reads 12:00:00 as a number
    text = yaml.safe_dump(value, default_flow_style=True, width=1 << 20, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(value: Any) -> Any:
    """A setting as YAML has it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def _indented(lines: Any) -> list[str]:
    return [f"  {line}" if line else "" for line in lines]
