"""What ``llama-data models list`` shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from llama_data.pipeline.core.files import sha256_of
from llama_data.pipeline.recipe import Recipe
from llama_data.stages.steps.model_cards import card_path, read_card
from llama_data.stages.steps.model_files import CARD, DOWNLOADS, models_folder, starter_card, starters


def needed(recipe: Recipe) -> Iterator[str]:
    """Lines on what the stages of a recipe need: for which setting, under which name, and whether it is there."""
    missing: list[str] = []
    yield f"recipe {recipe.name} needs"
    for stage in recipe.chosen():
        settings = recipe.settings(stage)
        for need in settings.needs() if settings is not None else []:
            problem = need.problem(recipe.models_dir)
            state = "there" if problem is None else f"MISSING: {problem}"
            yield f"  {f'{stage}.{need.key}':<36} {need.name:<18} {state}"
            missing += need.files if problem is not None else ()
    folder = f" --models-dir {recipe.models_dir}" if recipe.models_dir else ""
    if missing:
        yield f"bring what can be downloaded: llama-data models pull {' '.join(dict.fromkeys(missing))}{folder}"
    yield ""


def rows(models_dir: str | None = None) -> Iterator[str]:
    """Lines of a table: name, size in bytes, state, what it is."""
    folder = models_folder(models_dir)
    yield f"models folder: {folder}"
    for name in starters():
        card = starter_card(name)
        yield _row(f"starter/{name}", sum(entry["size"] for entry in card["files"]), "in the package", card["about"])
    for download in DOWNLOADS.values():
        path = folder / download.name
        recorded = (read_card(card_path(path)) or {}).get("files", [{}])[0].get("sha256")
        size = path.stat().st_size if path.is_file() else download.size
        how = "" if download.sha256 else "; its checksum is recorded at first download"
        yield _row(download.name, size, state_of(path, download.sha256 or recorded), download.about + how)
    for path in sorted(folder.glob(f"*{CARD}")) if folder.is_dir() else []:
        trained = read_card(path) or {}
        if "made_by" in trained:
            for entry in trained["files"]:
                state = state_of(folder / entry["name"], entry["sha256"])
                yield _row(entry["name"], entry["size"], state, trained["about"])


def _row(name: str, size: int | None, state: str, about: str) -> str:
    return f"  {name:<26} {f'{size:,}' if size else '-':>12}  {state:<26} {about}"


def state_of(path: Path, sha256: str | None) -> str:
    """In a word or two, whether a file is there and is what it should be."""
    if not path.is_file():
        return "absent"
    if sha256 is None:
        return "present, no checksum known"
    return "present, checksum right" if sha256_of(path) == sha256 else "present, CHECKSUM WRONG"
