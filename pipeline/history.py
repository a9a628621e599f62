"""The recipe of a run as it ran: RUN/recipe.yaml, and every one before it in RUN/recipes/."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from llama_data.pipeline.core.files import atomic_write, join, list_files, read_bytes, read_if_there
from llama_data.pipeline.recipe import RECIPE_FILE, Recipe

HISTORY = "recipes"
_PARTS = ("domains", "sources")


def write_recipe(recipe: Recipe, verb: str) -> None:
    """Write the resolved recipe beside the run's output, once a verb is accepted.

    Stages of an earlier recipe that this one does not name stay, with the input they had: their results are there.
    A recipe that differs from the one before is also kept under its date and verb.
    """
    import yaml

    path = recipe.path(RECIPE_FILE)
    old = read_if_there(path)
    data = recipe.model_dump(mode="json")
    if old is not None:
        _keep_stages(data, yaml.safe_load(old))
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode()
    if text == old:
        return
    folder = recipe.path(HISTORY)
    kept = list_files(folder, ".yaml")
    if old is not None and not any(read_bytes(earlier) == old for earlier in kept[-1:]):
        _write(join(folder, f"{_name(kept)}-before.yaml"), old)
        kept.append("")
    _write(join(folder, f"{_name(kept)}-{verb}.yaml"), text)
    _write(path, text)


def _keep_stages(data: dict[str, Any], old: Any) -> None:
    """Take over the stages of the recipe before that the new one does not have."""
    if not isinstance(old, dict):
        return
    for part in _PARTS:
        for name, settings in (old.get(part) or {}).items():
            if settings is not None and data[part].get(name) is None:
                data[part][name] = {**settings, "root": settings.get("root") or old.get("input")}


def _name(kept: list[str]) -> str:
    """Number and date of the next recipe; the number keeps the order of those of one second."""
    return f"{len(kept) + 1:04d}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def _write(path: str, data: bytes) -> None:
    with atomic_write(path) as stream:
        stream.write(data)
