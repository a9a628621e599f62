"""What a request lacks, said all at once: inputs, models, packages; and the jobs of all that lacks no input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.extras import is_installed, require, require_store
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.core.needs import STARTER, Need
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.pipeline.jobs import stage_jobs
from llama_data.pipeline.recipe import Recipe

STARTER_FLAG = "--starter-models"


@dataclass
class Found:
    """What was found of a recipe's stages.

    ``jobs``: of each stage whose input is there. ``recipe``: with stand-ins for models that are missing, from which the
    jobs can be made, but not run. ``lacks``: what is missing, a sentence with what to do, and which stages miss it.
    ``missing``: the models among it.
    """

    recipe: Recipe
    jobs: dict[str, list[Job]] = field(default_factory=dict)
    lacks: dict[str, list[str]] = field(default_factory=dict)
    missing: list[tuple[str, Need]] = field(default_factory=list)

    def lack(self, stage: str, sentence: str) -> None:
        """Take note of something that a stage lacks ("": the whole run)."""
        stages = self.lacks.setdefault(sentence, [])
        if stage and stage not in stages:
            stages.append(stage)

    def lines(self) -> list[str]:
        """What is missing, with what to do: a line for each, then what mends several at once."""
        told = [f"{', '.join(stages)}: {sentence}" if stages else sentence for sentence, stages in self.lacks.items()]
        return told + self._for_models()

    def _for_models(self) -> list[str]:
        files = list(dict.fromkeys(file for _, need in self.missing for file in need.files))
        folder = f" --models-dir {self.recipe.models_dir}" if self.recipe.models_dir else ""
        told = [f"all that can be downloaded: llama-data models pull {' '.join(files)}{folder}"] if files else []
        keys: dict[str, str] = {}
        for _, need in self.missing:
            if need.starter and is_installed(need.package or "typer"):
                key, dot, language = need.key.partition("perplexity_models.")
                keys[need.key] = f"perplexity_models: {{{language}: {STARTER}}}" if dot else f"{key}: {STARTER}"
        if keys:
            told.append(
                f"or, to try it, the small models that come with the package: the same command with {STARTER_FLAG} "
                f"(in a recipe: {', '.join(dict.fromkeys(keys.values()))})"
            )
        return told

    def require(self) -> None:
        """Raise RequestError with all that is missing."""
        if not self.lacks:
            return
        lines = self.lines()
        if len(lines) == 1:
            raise RequestError(next(iter(self.lacks)))
        count = len(self.lacks)
        head = "one thing is missing" if count == 1 else f"{count} things are missing"
        raise RequestError("\n  ".join([f"{head}; nothing was started:", *lines]))


def find(recipe: Recipe, stages: Sequence[str], left_out: LeftOut | None = None) -> Found:
    """Look for all that the stages need; what is not there is noted, and the rest is planned."""
    found = Found(recipe)
    _find_packages(recipe, stages, found)
    for stage in stages:
        settings = recipe.settings(stage)
        if settings is not None:
            missing = [(need, told) for need in settings.needs() if (told := need.problem(recipe.models_dir))]
            found.missing += [(stage, need) for need, _ in missing]
            for _, told in missing:
                found.lack(stage, told)
            try:
                settings = _with_stand_ins(settings, recipe.models_dir)
            except ValidationError:  # a step that is nothing without its model: there are no jobs to show
                continue
            found.recipe = found.recipe.with_settings(stage, settings)
        try:
            found.jobs[stage] = stage_jobs(found.recipe, stage, left_out)
        except RequestError as error:
            found.lack(stage, str(error).removeprefix(f"{stage}: "))
    return found


def _find_packages(recipe: Recipe, stages: Iterable[str], found: Found) -> None:
    """Note the packages that the executor and the addresses need."""
    if recipe.executor.kind == "ray":
        _attempt(found, lambda: require("ray", "executor.kind ray"))
    roots = [settings.root for stage in stages if (settings := recipe.settings(stage)) is not None]
    for path in dict.fromkeys(filter(None, [recipe.output, recipe.input, *roots])):
        _attempt(found, lambda path=path: require_store(path))


def _attempt(found: Found, check: Any) -> None:
    try:
        check()
    except RequestError as error:
        found.lack("", str(error))


def with_starters(recipe: Recipe, stages: Iterable[str]) -> tuple[Recipe, list[str]]:
    """The recipe with the package's own models wherever it has one; and for each stage what they stand for."""
    told = []
    for stage in stages:
        settings = recipe.settings(stage)
        wanted = [need for need in settings.needs() if need.starter and need.name != STARTER] if settings else []
        if settings is not None and wanted:
            recipe = recipe.with_settings(stage, changed(settings, {need.key: STARTER for need in wanted}))
            names = ", ".join(f"{need.name} ({need.key})" for need in wanted)
            told.append(f"{stage}: the package's small models in place of {names}")
    return recipe, told


def _with_stand_ins(settings: DomainSettings, models_dir: str | None) -> DomainSettings:
    """The settings with the package's models for those that are missing, so that jobs can be made; else without."""
    for value in (STARTER, None):
        missing = [need for need in settings.needs() if need.problem(models_dir)]
        if missing:
            settings = changed(settings, {need.key: value for need in missing})
    return settings


def changed(settings: DomainSettings, values: Mapping[str, str | None]) -> DomainSettings:
    """The settings with other values at dotted keys; None takes a mapping's entry away."""
    data = settings.model_dump(mode="json")
    for key, value in values.items():
        *path, last = key.split(".")
        inner: Any = data
        for part in path:
            inner = inner[int(part) if isinstance(inner, list) else part]
        if value is None and path:
            del inner[last]
        else:
            inner[last] = value
    # What was not given stays so: of globs only those that a recipe gives are said to match nothing.
    given = settings.model_fields_set | {key.partition(".")[0] for key in values}
    return type(settings).model_validate({key: value for key, value in data.items() if key in given})
