"""The command to type next: it can be pasted, and holds for the recipe and the folder of this run."""

from __future__ import annotations

import shlex

from llama_data.pipeline.before import has_begun
from llama_data.pipeline.chain import TOKENIZER, names_in
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.files import join
from llama_data.pipeline.recipe import RECIPE_FILE, Recipe


def after_documents(recipe: Recipe) -> list[str]:
    """Stages that the mix needs and that were not run; then the tokenizer, or what it is for; the report."""
    missing = [domain for domain in _wanted(recipe) if not has_begun(recipe, domain)]
    stages = [stage for stage in recipe.chosen() if set(missing) & set(recipe.outputs(stage))]
    report = _line("report", recipe.path())
    if missing:  # of those no stage makes the recipe has to say more before there can be a mix
        return [*([_line("run", *stages, "-c", recipe.path(RECIPE_FILE))] if stages else []), report]
    if not recipe.mix.weights or recipe.tokenizer.model is not None or _is_finished(recipe, TOKENIZER):
        return [*after_tokenizer(recipe), report]
    return [_line("train-tokenizer", "--output", recipe.path()), report]


def after_tokenizer(recipe: Recipe) -> list[str]:
    """Token shards."""
    if recipe.tokenizer.model is None and not recipe.mix.weights:
        return []
    return [_line("tokenize", "--output", recipe.path())]


def after_tokens(recipe: Recipe, affordable: int | None) -> list[str]:
    """The token shards that the mix still lacks; then the mix.

    ``affordable``: how many tokens there are for it, where the recipe asks for more than that.
    """
    made = [domain for domain in names_in(recipe.path(), "tokens") if _is_finished(recipe, f"tokens/{domain}")]
    missing = [domain for domain in _wanted(recipe) if domain not in made]
    if any(has_begun(recipe, domain) for domain in missing):
        begun = [domain for domain in missing if has_begun(recipe, domain)]
        return [_line("tokenize", *begun, "--output", recipe.path())]
    if missing or not recipe.mix.weights:
        return after_documents(recipe)[-2:]
    fewer = [] if affordable is None else ["--tokens", str(affordable)]
    return [_line("mix", "--output", recipe.path(), *fewer), _line("report", recipe.path())]


def after_mix(recipe: Recipe, folder: str) -> list[str]:
    """Training, and the whole run on a page."""
    train = shlex.join(["llama-train", "launch", "--data", recipe.path(folder)])
    return [train, _line("report", recipe.path())]


def while_submitted(recipe: Recipe) -> list[str]:
    """What tells how far a cluster is."""
    return [_line("status", recipe.path(), "--watch")]


def _wanted(recipe: Recipe) -> list[str]:
    return recipe.weighted() if recipe.mix.weights else []


def _is_finished(recipe: Recipe, folder: str) -> bool:
    return manifest.find(join(recipe.path(), folder)) is not None


def _line(*words: str) -> str:
    return shlex.join(["llama-data", *words])
