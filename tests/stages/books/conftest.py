"""Books made in the test, and the whole stage run over them in this process."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from llama_data.stages.books import jobs


@pytest.fixture
def run_stage(run_files: Callable[..., Any]) -> Callable[..., Any]:
    """Run all jobs over files: (name to text, output folder, settings)."""
    return partial(run_files, jobs)


@pytest.fixture
def run_over(run_domain: Callable[..., Any]) -> Callable[..., Any]:
    """Run all jobs over a folder that is there: (input, output, order of the tasks, settings)."""
    return partial(run_domain, jobs)


@pytest.fixture
def prose() -> Callable[[str, int], str]:
    """Words of a book: (seed, number of words) to a text in which no two shingles are alike, in lines."""

    def make(seed: str, words: int) -> str:
        chance = random.Random(seed)
        parts = [f"{seed}{chance.randrange(10**9)}" for _ in range(words)]
        return "\n".join(" ".join(parts[start : start + 9]) for start in range(0, words, 9))

    return make
