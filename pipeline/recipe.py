"""The recipe: one validated description of a whole run, from a YAML file, its presets and the command's flags."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, create_model, field_validator, model_validator

from llama_data.pipeline.core.domains import DOMAINS
from llama_data.pipeline.core.errors import RecipeError, RequestError
from llama_data.pipeline.core.files import is_local, join, read_bytes
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.paths import ALL, Choice
from llama_data.pipeline.core.settings import Count, DomainSettings, Places, Strict, parse_yaml, read_text, validate
from llama_data.pipeline.registry import STAGES
from llama_data.stages.custom.jobs import Settings as SourceSettings
from llama_data.tokenizer.train import TokenizerSettings
from llama_data.train_handoff.buckets import domain_of
from llama_data.train_handoff.mix.weights import MOST_EPOCHS, Limit, Weight, is_used
from llama_data.train_handoff.pack import PackSettings

RECIPE_FILE = "recipe.yaml"
# What the commands call all domains, and the folders in which they keep their own logs.
_NO_DOMAINS = ("all", "tokenizer", "tokenize", "mix")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def slurm_seconds(time: str) -> float:
    """A limit of time as Slurm writes it, in seconds. Raises ValueError: it is none."""
    if time.upper() in ("UNLIMITED", "INFINITE"):
        return float("inf")
    days, dash, rest = time.rpartition("-")
    parts = rest.split(":")
    if not (all(part.isdigit() for part in parts) and len(parts) <= 3 and (days.isdigit() or not dash)):
        raise ValueError(f"{time!r} is no time; expected HH:MM:SS or D-HH:MM:SS")
    numbers = [int(part) for part in parts]
    if dash:  # D-HH[:MM[:SS]]
        hours, minutes, seconds = [*numbers, 0, 0][:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:  # MM[:SS]
        hours, (minutes, seconds) = 0, [*numbers, 0][:2]
    return int(days or 0) * 86_400.0 + hours * 3600 + minutes * 60 + seconds


class SlurmSettings(Strict):
    """What datatrove's Slurm executor needs.

    ``time`` is the limit of one task, HH:MM:SS or D-HH:MM:SS, in quotes: YAML reads 1:00:00 as the number 3600.
    ``venv_path``: a virtual environment, its folder or its script ``activate``; without it and ``env_command`` the jobs
    use the Python that submits them. ``max_array_size``: the cluster's MaxArraySize; a job of more tasks has several
    arrays.
    """

    partition: str
    time: str = "04:00:00"
    cpus_per_task: int = Field(default=1, gt=0)
    mem_per_cpu_gb: int = Field(default=4, gt=0)
    qos: str = "normal"
    venv_path: str | None = None
    env_command: str | None = None
    max_array_size: int = Field(default=1001, gt=0)
    sbatch_args: dict[str, str] = Field(default_factory=dict)

    @field_validator("sbatch_args", mode="before")
    @classmethod
    def _are_texts(cls, value: Any) -> Any:
        for name, given in value.items() if isinstance(value, dict) else ():
            if not isinstance(given, str):
                raise ValueError(
                    f"{name}: {given!r} is no text; quote it as sbatch shall read it, for YAML has rules of its own: "
                    "16:00 is the number 960, and no is false"
                )
        return value

    @field_validator("time", mode="before")
    @classmethod
    def _is_a_time(cls, value: Any) -> Any:
        if isinstance(value, int | float):
            hours, rest = divmod(int(value), 3600)
            meant = f'"{hours}:{rest // 60:02d}:{rest % 60:02d}"'
            if value < 60:  # no time with a colon is so small a number
                meant = f'"{value}" for minutes, "0:{value:02.0f}:00"'
            raise ValueError(f"{value} is a number; a time needs quotes, for YAML reads it in base 60: time: {meant}")
        if isinstance(value, str):
            slurm_seconds(value)
        return value


class RaySettings(Strict):
    """What datatrove's Ray executor needs; the cluster is the one that ``ray.init`` finds."""

    cpus_per_task: int = Field(default=1, gt=0)
    mem_per_cpu_gb: float = Field(default=4, gt=0)


class ExecutorSettings(Strict):
    """Which of datatrove's executors runs the jobs, and how many tasks run at the same time.

    ``max_task_failures``: tasks of a job that may fail before no further one is begun (null: any number).
    ``max_task_deaths``: deaths of its process (killed, out of memory, crashed) after which a task counts as failed;
    until then it is tried again in a fresh one. ``max_task_seconds``: time after which a task is ended and counts as
    failed (null: no limit; on Slurm there is also slurm.time).
    """

    kind: Literal["local", "slurm", "ray"] = "local"
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, gt=0)
    max_task_failures: int | None = Field(default=100, ge=0)
    max_task_deaths: int = Field(default=3, gt=0)
    max_task_seconds: float | None = Field(default=None, gt=0)
    slurm: SlurmSettings | None = None
    ray: RaySettings = RaySettings()

    @model_validator(mode="after")
    def _slurm_has_settings(self) -> ExecutorSettings:
        if self.kind == "slurm" and self.slurm is None:
            raise ValueError(
                "executor.kind is slurm, so executor.slurm.partition must be given: in the recipe, "
                "`executor: {kind: slurm, slurm: {partition: NAME}}`"
            )
        return self


class _Domains(Strict):
    unknown_hint: ClassVar[str] = "; a domain of your own stands under `sources`"


if TYPE_CHECKING:

    class Domains(Strict):
        """The domains of the run, each with its settings or None."""

else:
    Domains = create_model(
        "Domains",
        __base__=_Domains,
        __doc__="The domains of the run; one that is absent (or null) is not run.",
        **{name: (stage.settings | None, None) for name, stage in STAGES.items()},
    )


class TokenizerChoice(TokenizerSettings):
    """The tokenizer: trained on the run's documents, or ``model``, an existing SentencePiece tokenizer.model."""

    model: str | None = None


class MixSettings(Strict):
    """The mixture: ``weights`` are shares of sampled tokens by domain (LLaMA Table 1); a tokenizer and a mix need them.
    ``DOMAIN/BUCKET`` names one of the buckets that ``tokens.buckets`` makes of a domain. ``2 epochs`` instead of a
    share: so often each row of it; shares then divide what is left of ``tokens``.

    ``normalise``: shares that do not sum to 1 are divided by their sum. ``tokens``: how many are drawn, like ``1.4T``,
    ``1e9`` or ``100_000`` (null: as many as ``max_epochs`` allows). ``max_epochs``: how often a domain may be repeated;
    or a mapping of domains and buckets to that, ``all`` for the others (4 unless given).
    """

    weights: dict[str, Weight] = Field(default_factory=dict)
    normalise: bool = False
    tokens: Count | None = None
    max_epochs: Limit | dict[str, Limit | None] | None = MOST_EPOCHS
    rows_per_shard: int = Field(default=65_536, gt=0)


class Recipe(Strict):
    """A whole run. Paths are local or any fsspec URL; globs of the domains are relative to ``input``.

    ``rejected_sample``: share of the rejected texts kept in full (null: none). ``failure_limit``: share of a
    domain's records that may fail before the run counts as failed (null: all). ``documents_per_file``: most
    documents in a file (null: a task's documents are one file). ``inputs_by``: how an input is known to be the same
    when a run goes on: by ``time`` (name, size, and time of modification or a store's etag), or by ``hash`` (sha256 of
    its content, taken once while its time stays). ``sources``: domains of your own, by name.
    """

    name: str
    input: str | None = None
    output: str | None = None
    seed: int = Field(default=1, ge=0)
    rejected_sample: float | None = Field(default=0.01, ge=0.0, le=1.0)
    failure_limit: float | None = Field(default=0.01, ge=0.0, le=1.0)
    models_dir: str | None = None
    documents_per_file: int | None = Field(default=None, gt=0)
    inputs_by: Literal["time", "hash"] = "time"
    executor: ExecutorSettings = Field(default_factory=ExecutorSettings)
    domains: Domains = Domains()
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    tokenizer: TokenizerChoice = TokenizerChoice()
    tokens: PackSettings = PackSettings()
    mix: MixSettings = MixSettings()

    @field_validator("sources")
    @classmethod
    def _names_are_free(cls, sources: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        taken = {*DOMAINS, *_NO_DOMAINS}
        for source, settings in sources.items():
            for name in dict.fromkeys([source, *settings.outputs(source)]):
                if not _NAME.fullmatch(name):
                    raise ValueError(f"{name!r} is no name for a domain: lower-case letters, digits, - and _")
                if name in taken:
                    raise ValueError(f"the name {name!r} is taken by another domain or a command")
                taken.add(name)
        return sources

    def chosen(self) -> list[str]:
        """The stages that the recipe runs: domains in the order of LLaMA's Table 1, then the user's sources."""
        return [*(name for name in DOMAINS if getattr(self.domains, name) is not None), *self.sources]

    def settings(self, stage: str) -> DomainSettings | None:
        """The settings of a domain or source; None: the recipe does not run it."""
        found: DomainSettings | None = self.sources.get(stage) or getattr(self.domains, stage, None)
        return found

    def with_settings(self, stage: str, settings: DomainSettings) -> Recipe:
        """The recipe with other settings of a domain or source."""
        if stage in self.sources:
            return self.model_copy(update={"sources": {**self.sources, stage: settings}})
        return self.model_copy(update={"domains": self.domains.model_copy(update={stage: settings})})

    def outputs(self, stage: str) -> list[str]:
        """The domains that get documents of a stage: itself, but for a source that is split."""
        return self.sources[stage].outputs(stage) if stage in self.sources else [stage]

    def ledgers(self, stage: str) -> list[str]:
        """The domains that get rows of a stage's ledger."""
        return list(dict.fromkeys([stage, *self.outputs(stage)]))

    def stage_of(self, domain: str) -> str:
        """The stage that gives a domain its documents; itself where the recipe runs none that does."""
        return next((stage for stage in self.chosen() if domain in self.ledgers(stage)), domain)

    def documents(self) -> list[str]:
        """The domains that get documents of any stage."""
        return [domain for stage in self.chosen() for domain in self.outputs(stage)]

    def context(self, stage: str | None = None) -> RunContext:
        """Where the run (of one stage) reads and writes. Raises RecipeError when a path is missing."""
        settings = self.settings(stage) if stage else None
        root = (settings.root if settings else None) or self.input
        if self.output is None:
            raise RecipeError("no output folder: give `output` in the recipe or --output on the command line")
        if root is None and settings is not None and settings.reads_dumps:
            raise RecipeError("no input folder: give `input` in the recipe or --input on the command line")
        return RunContext(
            input=root or "",
            output=self.output,
            seed=self.seed,
            rejected_sample=self.rejected_sample or 0.0,
            models_dir=self.models_dir,
            documents_per_file=self.documents_per_file,
            choice=Choice(settings.share, self.seed, settings.base) if settings else ALL,
        )

    def weights(self) -> dict[str, float | str]:
        """The weights of the mix. Raises RequestError: the recipe gives none."""
        if not self.mix.weights:
            example = ", ".join(f"{name}: {1 / len(self.documents()):.2g}" for name in self.documents())
            raise RequestError(
                f"recipe {self.name!r}: no mix.weights, the shares of the domains in sampled tokens; give them, like "
                f"`mix: {{weights: {{{example}}}}}`"
            )
        total = sum(weight for weight in self.mix.weights.values() if isinstance(weight, float))
        if self.mix.normalise and total > 0:
            return {
                name: weight / total if isinstance(weight, float) else weight
                for name, weight in self.mix.weights.items()
            }
        return dict(self.mix.weights)

    def weighted(self) -> list[str]:
        """The domains with a weight above zero, whole or in buckets. Raises RequestError as ``weights``."""
        return list(dict.fromkeys(domain_of(name) for name, weight in self.weights().items() if is_used(weight)))

    def path(self, *parts: str) -> str:
        """A path below the run's output folder."""
        return join(self.context().output, *parts)


def presets() -> list[str]:
    """Names of the recipes that the package brings."""
    folder = resources.files("llama_data.configs")
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_recipe(source: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe by path or preset name, with what it extends; ``overrides`` (dotted keys) come last.

    Raises:
        RecipeError: no such recipe, unknown key, wrong value (with file, line and field), or a cycle.
    """
    data, places = _load(source, None, ())
    for dotted, value in (overrides or {}).items():
        path = tuple(dotted.split("."))
        _put(data, path, value)
        flag = "executor" if dotted == "executor.kind" else path[-1].replace("_", "-")
        places[path] = f"--{flag}"
    return validate(Recipe, data, source, places)


def recipe_text(source: str) -> str:
    """A recipe as it is written, by path or preset name. Raises RecipeError: there is none."""
    return _find(source, None)[0]


def _load(source: str, beside: Path | None, chain: tuple[str, ...]) -> tuple[dict[str, Any], Places]:
    text, where, folder = _find(source, beside)
    if where in chain:
        raise RecipeError(f"{where}: `extends` goes round in a circle: {' -> '.join([*chain, where])}")
    data, places = parse_yaml(text, where)
    base = data.pop("extends", None)
    if base is None:
        return data, places
    if not isinstance(base, str):
        raise RecipeError(f"{places[('extends',)]}: extends: expected the name or path of one recipe, found {base!r}")
    merged, merged_places = _load(base, folder, (*chain, where))
    _merge(merged, data)
    return merged, {**merged_places, **places}


def _find(source: str, beside: Path | None) -> tuple[str, str, Path | None]:
    """The text of a recipe, how to call it in messages, and the folder that holds it (None for a preset)."""
    if not is_local(source):  # a path would make one slash of two; what it extends is a preset or has a full name
        try:
            return read_bytes(source).decode(), source, None
        except UnicodeDecodeError as error:
            raise RecipeError(f"{source}: cannot be read: {error}") from None
    if "/" in source or source.endswith((".yaml", ".yml")):
        path = Path(source)
        if beside is not None and not path.is_absolute():
            path = beside / path
        if path.stem in presets() and not path.exists():
            raise RecipeError(f"{path}: no such file; the package's own recipe is given by its name alone: {path.stem}")
        return read_text(path), str(path), path.parent
    if source not in presets():
        known = ", ".join(presets())
        here = f" (a path needs a slash: ./{source})" if Path(source).exists() else ""
        raise RecipeError(f"{source}: no such recipe; expected a path to a .yaml file{here} or one of: {known}")
    return (
        resources.files("llama_data.configs").joinpath(f"{source}.yaml").read_text("utf-8"),
        f"{source}.yaml",
        None,
    )


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Lay ``over`` on ``base``: mappings key by key, everything else whole. Weights replace as a whole."""
    for key, value in over.items():
        if key != "weights" and isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        inner = data.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = data[part] = {}
        data = inner
    data[path[-1]] = value
