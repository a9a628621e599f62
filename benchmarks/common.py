"""What the benchmarks share: the plain transcriptions that the tests hold the stages to, pages, and timing in turn."""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from llama_data.stages.shared.wet import WetRecord, read_wet

TESTS = Path(__file__).resolve().parent.parent / "tests"
# Frequent words that together mark a page as English, so that no model is needed to choose the pages.
_ENGLISH = (b" the ", b" and ", b" of ", b" to ", b" is ")
sys.path.append(str(TESTS / "plain"))  # the transcriptions import each other by name


def load(path: Path) -> ModuleType:
    """Import a file by its path."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; the plain transcriptions are part of the tests")
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def wet_pages(corpus: Path) -> list[bytes]:
    """The pages of the corpus's WET files, in UTF-8 as they are stored there."""
    paths = sorted((corpus / "cc").glob("*.wet.gz"))
    return [page.body for path in paths for page in read_wet(str(path)) if isinstance(page, WetRecord)]


def english_pages(corpus: Path, share: int) -> list[bytes]:
    """Every ``share``-th English page of them."""
    return [page for page in wet_pages(corpus) if all(word in page for word in _ENGLISH)][::share]


def row(
    name: str,
    peer_name: str,
    megabytes: float,
    compared: Mapping[str, int],
    identical: bool,
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    *,
    rounds: int = 3,
) -> dict[str, Any]:
    """Time both in turn; rates are medians. CPU seconds of this process are not lengthened by other work.

    ``compared``: of what kind and how many the decisions are that ``identical`` speaks of.
    """
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(rounds):
        for who, call in (("ours", ours), ("peer", peer)):
            start = time.process_time()
            call()
            times[who].append(time.process_time() - start)
    mine, theirs = (megabytes / statistics.median(times[who]) for who in ("ours", "peer"))
    return {
        "name": name,
        "unit": "MB/s",
        "ours": mine,
        "peer": theirs,
        "peer_name": peer_name,
        "ratio": mine / theirs,
        "identical": identical,
        "compared": dict(compared),
    }
