"""The benchmarks are found under their names, say what they lack, and do not pass where nothing was compared."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SOURCES = (
    "commoncrawl line_hash language c4_vs_datatrove c4_vs_plain github wikipedia books_signatures books_candidates"
)
TOKENS = "encode_cold encode_warm gigatoken_cold gigatoken_warm tokenize_job mix_write"
FLOORS: dict[str, dict[str, Any]] = json.loads((FOLDER / "floors.json").read_text())


@pytest.fixture(scope="module")
def runner() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location("benchmark_runner", FOLDER / "run.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def test_every_benchmark_is_found_by_its_name_and_has_a_floor() -> None:
    shown = subprocess.run(
        [sys.executable, str(FOLDER / "run.py"), "--help"], capture_output=True, text=True, check=True
    ).stdout
    known = set(shown[shown.index("NAME  ") :].split("options:")[0].split()[1:])
    assert set(f"{SOURCES} {TOKENS}".split()) <= known
    assert known == set(FLOORS)


@pytest.mark.parametrize("name", FLOORS)
def test_a_floor_says_which_figure_is_held_and_what_must_have_been_compared(name: str) -> None:
    floor = FLOORS[name]
    assert len({"ratio", "least", "most"} & set(floor)) == 1
    assert set(floor) <= {"ratio", "least", "most", "compared", "packages", "files"}
    assert floor["compared"]


def test_what_a_benchmark_lacks_is_said_before_any_runs(runner: ModuleType, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    floors = {
        "one": {"packages": ["no_such_package"], "files": ["../models/m.model"]},
        "two": {"packages": ["no_such_package", "json"]},
        "three": {},
    }
    assert runner.missing(["one", "two", "three"], floors, corpus) == [
        "no_such_package is not installed, which one, two compares with: pip install -e '.[bench]'",
        f"{tmp_path}/models/m.model is not there, which one needs",
    ]
    assert runner.missing(["three"], floors, corpus) == []


@pytest.mark.parametrize(
    ("identical", "compared", "expected"),
    [
        (True, {"kept": 1, "rejected": 1}, None),
        (None, {"kept": 1, "rejected": 1}, None),
        (False, {"kept": 1, "rejected": 1}, "the two made different decisions"),
        (True, {"kept": 1}, "nothing was compared of: rejected"),
        (True, {"kept": 0, "rejected": 0}, "nothing was compared of: kept, rejected"),
    ],
)
def test_a_comparison_holds_only_where_each_kind_of_decision_came_up(
    runner: ModuleType, identical: bool | None, compared: dict[str, int], expected: str | None
) -> None:
    row = {"identical": identical, "compared": compared}
    assert runner.complaint(row, {"compared": ["kept", "rejected"]}) == expected


@pytest.mark.parametrize(
    ("floor", "expected"),
    [
        ({"ratio": 2.0}, "2.00x (floor 2.0: held)"),
        ({"ratio": 2.01}, "2.00x (floor 2.01: MISSED)"),
        ({"least": 8}, "8.00 MB/s (floor 8: held)"),
        ({"least": 8.1}, "8.00 MB/s (floor 8.1: MISSED)"),
        ({"most": 8}, "8.00 MB/s (at most 8: held)"),
        ({"most": 7.9}, "8.00 MB/s (at most 7.9: MISSED)"),
    ],
)
def test_the_last_table_tells_a_figure_from_its_floor(
    runner: ModuleType, floor: dict[str, float], expected: str
) -> None:
    assert runner.against_floor({"ratio": 2.0, "ours": 8.0, "unit": "MB/s"}, floor) == expected
