"""The recipe of a run as it ran, and how it changed."""

from __future__ import annotations

import re
from difflib import unified_diff
from itertools import pairwise
from typing import NamedTuple

from llama_data.pipeline.core.files import join, list_files, read_bytes
from llama_data.pipeline.history import HISTORY
from llama_data.pipeline.recipe import RECIPE_FILE

NEWEST = 30
LINES = 200
_NAME = re.compile(r"(\d+)-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-(.+)\.yaml")


class Change(NamedTuple):
    """A recipe of the past: when it was first used, by which verb, and what was new in it, as a diff."""

    number: str
    when: str
    verb: str
    diff: list[str]
    left_out: int


def recipe_text(run: str) -> str:
    """RUN/recipe.yaml."""
    return read_bytes(join(run, RECIPE_FILE)).decode("utf-8", "replace")


def changes_of(run: str) -> tuple[list[Change], int]:
    """The newest recipes, the newest last, and how many earlier ones are not shown."""
    paths = list_files(join(run, HISTORY), ".yaml")
    shown = paths[-NEWEST:]
    before = paths[-NEWEST - 1 : -NEWEST] if len(paths) > NEWEST else []
    texts = [read_bytes(path).decode("utf-8", "replace") for path in (*before, *shown)]
    diffs = [_diff(old, new) for old, new in pairwise(texts)]
    if not before and shown:
        diffs.insert(0, [])
    return [_change(path, diff) for path, diff in zip(shown, diffs, strict=True)], len(paths) - len(shown)


def _diff(old: str, new: str) -> list[str]:
    return [line for line in unified_diff(old.splitlines(), new.splitlines(), n=2, lineterm="")][2:]


def _change(path: str, diff: list[str]) -> Change:
    name = path.rpartition("/")[2]
    found = _NAME.fullmatch(name)
    number, year, month, day, hour, minute, second, verb = found.groups() if found else (name, *[""] * 7)
    when = f"{year}-{month}-{day} {hour}:{minute}:{second} UTC" if found else ""
    return Change(number, when, verb, diff[:LINES], max(0, len(diff) - LINES))
