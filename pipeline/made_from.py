"""What stands in a run's folder was made from something; it is only gone on with, or used, when that is unchanged."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

import orjson

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import (
    atomic_write,
    exists,
    file_system,
    is_local,
    list_files,
    local_path,
    read_bytes,
    remove_tree,
)
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.version import VERSION
from llama_data.pipeline.jobs import input_splits
from llama_data.pipeline.recipe import Recipe


def fingerprint(jobs: Sequence[Job], settings: Any) -> str:
    """What a group of jobs depends on: its settings, its inputs' names and sizes, its tasks."""
    content = {
        "version": VERSION,
        "settings": settings,
        "inputs": [split.identity() for split in input_splits(jobs)],
        "jobs": [[job.name, job.tasks] for job in jobs],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def prepare(
    group: str, jobs: Sequence[Job], recipe: Recipe, settings: Any, *, overwrite: bool, outputs: Sequence[str]
) -> None:
    """Make sure that what stands in the run's folder was made from the same inputs and settings.

    A folder that holds other work is an error unless ``overwrite``; then the group's logs and ``outputs``
    (folders) are removed first.

    Raises:
        RequestError: the folder holds output of other inputs or settings, or files of someone else.
    """
    _check_output(recipe)
    record = recipe.path("logs", group, "made-from.json")
    current = fingerprint(jobs, settings)
    if exists(record) and not overwrite:
        if orjson.loads(read_bytes(record)).get("fingerprint") == current:
            return
        raise RequestError(
            f"{recipe.path()}: {group} was made there from other inputs or settings; "
            "give another --output, or --overwrite to make it anew"
        )
    foreign = [folder for folder in outputs if not overwrite and exists(folder) and list_files(folder, "")]
    if foreign:
        raise RequestError(
            f"{foreign[0]}: there is something that this run did not make; "
            "give another --output, or --overwrite to remove it"
        )
    for folder in (recipe.path("logs", group), *outputs):
        remove_tree(folder)
    with atomic_write(record) as stream:
        stream.write(orjson.dumps({"fingerprint": current, "settings": settings}, default=str))


def _check_output(recipe: Recipe) -> None:
    """Refuse an output that cannot be a folder of ours."""
    output = recipe.path()
    file_system(output)
    if is_local(output):
        try:
            os.makedirs(local_path(output), exist_ok=True)
        except OSError as error:
            raise RequestError(f"{output}: cannot be used as the run's folder: {error.strerror}") from None
        if not os.access(local_path(output), os.R_OK | os.W_OK | os.X_OK):
            raise RequestError(f"{output}: cannot be used as the run's folder: no permission to write there")


def write_recipe(recipe: Recipe) -> None:
    """Write the resolved recipe beside the run's output, exactly as run."""
    import yaml

    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    with atomic_write(recipe.path("recipe.yaml")) as stream:
        stream.write(text.encode())
