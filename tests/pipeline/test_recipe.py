"""Recipes: presets, inheritance, flags, and errors that name file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from llama_data.pipeline.core.domains import DOMAINS
from llama_data.pipeline.core.errors import RecipeError, RequestError
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

    made = load_recipe("corpus", {"input": "in", "output": "out"})
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(made.model_dump(mode="json")))
    assert load_recipe(str(file)) == made


SOURCES = """
extends: llama
name: mine
domains: {commoncrawl: null}
sources:
  news:
    inputs: ["*.jsonl"]
    fields: {text: body}
    steps:
      - length: {min_characters: 20}
      - datatrove.pipeline.filters:RegexFilter: {regex_exp: x}
      - exact_dup
  pile:
    layout: pile
    split: {field: meta.pile_set_name, into: {pile-books: [Books3], pile-law: [FreeLaw]}}
mix:
  weights: {news: 0.5, pile-books: 0.5}
"""


def test_sources_stand_beside_the_domains(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SOURCES)
    recipe = load_recipe(str(path))
    assert recipe.chosen() == [*DOMAINS[1:], "news", "pile"]
    assert recipe.documents() == [*DOMAINS[1:], "news", "pile-books", "pile-law"]
    assert recipe.ledgers("pile") == ["pile", "pile-books", "pile-law"]
    assert [name for name, _ in (step.chosen() for step in recipe.sources["news"].steps)] == [
        "length", "outside", "exact_dup",
    ]  # fmt: skip
    again = tmp_path / "again.yaml"
    again.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    assert load_recipe(str(again)) == recipe


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("  news:\n", "  News!:\n", r"mine\.yaml:\d+: sources: 'News!' is no name for a domain"),
        ("  news:\n", "  wikipedia:\n", r"'wikipedia' is taken by another domain"),
        ("pile-law: [FreeLaw]", "news: [FreeLaw]", r"'news' is taken"),
        ("  news:\n", "  all:\n", r"'all' is taken by another domain or a command"),
        ("  news:\n", "  mix:\n", r"'mix' is taken by another domain or a command"),
        ("pile-law: [FreeLaw]", "tokenize: [FreeLaw]", r"'tokenize' is taken"),
        ("pile-law: [FreeLaw]", "tokenizer: [FreeLaw]", r"'tokenizer' is taken"),
        ("      - exact_dup\n", "      - exact_dupe\n", r"mine\.yaml:12: sources\.news\.steps\.2: there is no step"),
        ("min_characters: 20", "min_chars: 20", r"mine\.yaml:10: .*steps\.0\.length\.min_chars: unknown key; did"),
        ("{text: body}", "{txt: body}", r"mine\.yaml:8: sources\.news\.fields\.txt: unknown key; did you mean 'text'"),
        ("layout: pile", "layout: heap", r"mine\.yaml:14: sources\.pile\.layout: .*there are: pile"),
    ],
)  # fmt: skip
def test_mistakes_in_sources_are_named_with_their_line(tmp_path: Path, wrong: str, right: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SOURCES.replace(wrong, right))
    with pytest.raises(RecipeError, match=message):
        load_recipe(str(path))


def test_a_recipe_without_weights_runs_until_the_mix(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nsources:\n  a: {}\n  b: {}\n")
    recipe = load_recipe(str(path))
    assert recipe.chosen() == ["a", "b"]
    with pytest.raises(RequestError, match=r"no mix.weights.*like `mix: \{weights: \{a: 0.5, b: 0.5\}\}`"):
        recipe.weights()


def test_only_what_reads_dumps_needs_an_input_folder() -> None:
    recipe = load_recipe("llama", {"output": "out", "domains.commoncrawl.from_ledger": "scores"})
    assert recipe.context("commoncrawl").output == "out"
    for stage, changes in (("c4", {}), ("commoncrawl", {"domains.commoncrawl.from_ledger": None})):
        with pytest.raises(RecipeError, match="no input folder"):
            load_recipe("llama", {"output": "out", **changes}).context(stage)
