"""The file and line in an error of a recipe that extends another: where the wrong value stands, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llama_data.pipeline.core.errors import RecipeError
from llama_data.pipeline.recipe import load_recipe

BASE = """extends: llama
name: base
seed: 7
domains:
  books:
    measure: jaccard
  github:
    licences:
      - mit
      - apache-2.0
    max_line: 900
executor:
  workers: 2
"""
MINE = """name: mine

extends: base.yaml
domains:
  books:
    # A comment.
    max_overlap: 0.8
  github:
    licences: [mit,
      bsd-2-clause]
"""


def message(tmp_path: Path, base: str, mine: str) -> str:
    (tmp_path / "base.yaml").write_text(base)
    (tmp_path / "mine.yaml").write_text(mine)
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(tmp_path / "mine.yaml"))
    return str(caught.value)


def test_the_recipes_are_sound_before_a_mistake_is_made(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "mine.yaml").write_text(MINE)
    made = load_recipe(str(tmp_path / "mine.yaml"))
    assert made.seed == 7
    assert made.domains.books is not None
    assert (made.domains.books.measure, made.domains.books.max_overlap) == ("jaccard", 0.8)
    assert made.domains.github is not None
    assert made.domains.github.licences == ("mit", "bsd-2-clause")


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ("seed: 7", "seed: -7", 3, "seed"),
        ("seed: 7", "sead: 7", 3, "sead"),
        ("    measure: jaccard", "    measure: cosine", 6, "domains.books.measure"),
        ("    max_line: 900", "    max_line: long", 11, "domains.github.max_line"),
        ("  workers: 2", "  workers: 0", 13, "executor.workers"),
        ("  workers: 2", "  workers: 2\n  kind: slurm", 12, "executor"),
    ],
)
def test_a_mistake_in_the_base_is_named_there(tmp_path: Path, old: str, new: str, line: int, field: str) -> None:
    assert old in BASE
    found = message(tmp_path, BASE.replace(old, new), MINE)
    assert re.match(rf"{re.escape(str(tmp_path))}/base\.yaml:{line}: {re.escape(field)}: ", found), found


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ("name: mine\n", "name: mine\nseed: -1\n", 2, "seed"),
        ("    max_overlap: 0.8", "    max_overlap: high", 7, "domains.books.max_overlap"),
        ("    max_overlap: 0.8", "    max_overlap: 0.8\n    measure: cosine", 8, "domains.books.measure"),
        ("    max_overlap: 0.8", "    max_overlapp: 0.8", 7, "domains.books.max_overlapp"),
        ("      bsd-2-clause]", "      [bsd]]", 10, "domains.github.licences.1"),
        ("[mit,", "[[mit],", 9, "domains.github.licences.0"),
        ("licences: [mit,\n      bsd-2-clause]", "licences:\n    - mit\n    - {}", 11, "domains.github.licences.1"),
        ("  github:\n    licences: [mit,\n      bsd-2-clause]\n", "  github: 5\n", 8, "domains.github"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_child_is_named_there_also_over_a_key_of_the_base(
    tmp_path: Path, old: str, new: str, line: int, field: str
) -> None:
    assert old in MINE
    found = message(tmp_path, BASE, MINE.replace(old, new))
    assert re.match(rf"{re.escape(str(tmp_path))}/mine\.yaml:{line}: {re.escape(field)}: ", found), found


def test_a_mistake_in_a_list_of_the_base_is_named_there_until_the_child_gives_another(tmp_path: Path) -> None:
    base = BASE.replace("      - apache-2.0", "      - {}")
    child = MINE.replace("  github:\n    licences: [mit,\n      bsd-2-clause]\n", "  github:\n    max_line: 800\n")
    assert message(tmp_path, base, child).startswith(f"{tmp_path}/base.yaml:10: domains.github.licences.1: ")
    (tmp_path / "mine.yaml").write_text(MINE)
    assert load_recipe(str(tmp_path / "mine.yaml")).name == "mine"


def test_mistakes_in_both_files_are_each_named_where_they_stand(tmp_path: Path) -> None:
    found = message(
        tmp_path, BASE.replace("seed: 7", "seed: x"), MINE.replace("max_overlap: 0.8", "max_overlap: y")
    ).splitlines()
    assert {line.removeprefix(f"{tmp_path}/").split(": ")[0] for line in found} == {"base.yaml:3", "mine.yaml:7"}


@pytest.mark.parametrize(
    ("text", "where"), [("name: mine\nextends: [base.yaml]\n", ":2"), ("\n\nextends: 5\nname: mine\n", ":3")]
)
def test_a_base_that_is_no_name_is_named_with_its_line(tmp_path: Path, text: str, where: str) -> None:
    assert f"mine.yaml{where}: extends: expected the name" in message(tmp_path, BASE, text)
