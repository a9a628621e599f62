"""Recipes: presets, inheritance, flags, and errors that name file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_data.pipeline.core.domains import DOMAINS
from llama_data.pipeline.core.errors import RecipeError
from llama_data.pipeline.recipe import load_recipe, presets

TABLE_1 = {
    "commoncrawl": 0.67,
    "c4": 0.15,
    "github": 0.045,
    "wikipedia": 0.045,
    "books": 0.045,
    "arxiv": 0.025,
    "stackexchange": 0.02,
}


@pytest.mark.parametrize("name", ["llama", "redpajama", "corpus", "quickstart"])
def test_every_preset_loads_with_all_seven_domains(name: str) -> None:
    assert name in presets()
    assert load_recipe(name).chosen() == list(DOMAINS)


def test_the_default_weights_are_table_1() -> None:
    assert load_recipe("llama").mix.weights == TABLE_1
    assert load_recipe("llama").mix.tokens == 1_400_000_000_000


def test_redpajama_differs_where_it_differs() -> None:
    cc = load_recipe("redpajama").domains.commoncrawl
    faithful = load_recipe("llama").domains.commoncrawl
    assert cc is not None
    assert faithful is not None
    assert (faithful.reference_threshold, cc.reference_threshold) == (0.5, 0.25)
    github = load_recipe("redpajama").domains.github
    assert github is not None
    assert github.header == "redpajama"


def test_a_recipe_lays_its_keys_on_the_one_it_extends(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: llama\nname: base\ndomains:\n  books: {measure: jaccard}\n")
    (tmp_path / "mine.yaml").write_text("extends: ./base.yaml\nname: mine\nmix:\n  weights: {books: 1.0}\n")
    made = load_recipe(str(tmp_path / "mine.yaml"))
    assert made.domains.books is not None
    assert made.domains.books.measure == "jaccard"
    assert made.domains.arxiv is not None
    assert made.mix.weights == {"books": 1.0}


def test_flags_come_last() -> None:
    made = load_recipe("llama", {"input": "s3://bucket/dumps", "executor.workers": 7})
    assert (made.input, made.executor.workers) == ("s3://bucket/dumps", 7)
    with pytest.raises(RecipeError, match=r"--workers: executor\.workers: .*greater than 0, found -1"):
        load_recipe("llama", {"executor.workers": -1})


def test_mistakes_are_named_in_the_file_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: llama\nname: base\ndomains:\n  books:\n    mesure: jaccard\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nname: mine\n")
    with pytest.raises(RecipeError, match=r"base\.yaml:5: domains\.books\.mesure: unknown key; did you mean 'measure'"):
        load_recipe(str(tmp_path / "mine.yaml"))
    (tmp_path / "circle.yaml").write_text("extends: ./circle.yaml\nname: a\n")
    with pytest.raises(RecipeError, match="round in a circle"):
        load_recipe(str(tmp_path / "circle.yaml"))
    with pytest.raises(RecipeError, match=r"lama: no such recipe; expected .* one of: corpus, llama"):
        load_recipe("lama")
    with pytest.raises(RecipeError, match=r"absent\.yaml: no such file"):
        load_recipe(str(tmp_path / "absent.yaml"))


def test_an_executor_that_does_not_exist_is_named_by_its_flag() -> None:
    with pytest.raises(RecipeError, match=r"^--executor: executor\.kind: "):
        load_recipe("llama", {"executor.kind": "nope"})


def test_slurm_needs_a_partition() -> None:
    with pytest.raises(RecipeError, match=r"executor: executor\.kind is slurm, so executor\.slurm\.partition"):
        load_recipe("llama", {"executor.kind": "slurm"})


def test_a_resolved_recipe_loads_as_it_is(tmp_path: Path) -> None:
    import yaml

    made = load_recipe("corpus", {"input": "in", "output": "out"})
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(made.model_dump(mode="json")))
    assert load_recipe(str(file)) == made
