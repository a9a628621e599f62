"""Recipes to start from, and what a recipe with a mistake is told."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from llama_data.pipeline import cli
from llama_data.pipeline.commands import quickstart
from llama_data.pipeline.commands.examples import EXAMPLES
from llama_data.pipeline.core.domains import DOMAINS
from llama_data.pipeline.core.errors import RecipeError
from llama_data.pipeline.core.examples import commands_of
from llama_data.pipeline.new_recipe import new_recipe
from llama_data.pipeline.recipe import Recipe, load_recipe, presets
from llama_data.train_handoff.trainer import cli as trainer
from llama_data.train_handoff.trainer.examples import EXAMPLES as TRAINER_EXAMPLES

SOURCES = {"mine": "/data/mine", "other": "/data/other"}


def load(text: str, folder: Path) -> Recipe:
    (folder / "new.yaml").write_text(text)
    return load_recipe(str(folder / "new.yaml"))


@pytest.mark.parametrize("executor", ["local", "slurm", "ray"])
@pytest.mark.parametrize("extends", presets())
def test_a_new_recipe_is_the_one_it_goes_out_from(executor: str, extends: str, tmp_path: Path) -> None:
    made = load(new_recipe(extends=extends, executor=executor), tmp_path)  # type: ignore[arg-type]
    base = load_recipe(extends)
    assert made.domains == base.domains
    assert (made.tokenizer, made.tokens) == (base.tokenizer, base.tokens)
    assert made.mix == base.mix
    assert made.executor.kind == executor


@pytest.mark.parametrize("executor", ["local", "slurm", "ray"])
def test_every_setting_stands_in_a_new_recipe_with_its_default(executor: str, tmp_path: Path) -> None:
    text = new_recipe(sources=SOURCES, executor=executor)  # type: ignore[arg-type]
    as_it_is = load(text, tmp_path)
    # Every key behind a mark is taken in, but the list of steps that there are.
    whole = re.sub(r"^( *)# (\w+: )", r"\1\2", text, flags=re.MULTILINE)
    assert whole.count("\n") == text.count("\n")
    assert len(re.findall(r"^ *# \w+: ", text, re.MULTILINE)) > 100
    taken_in = load(whole, tmp_path)
    assert taken_in.model_copy(update={"executor": as_it_is.executor}) == as_it_is
    assert set(Recipe.model_fields) <= set(re.findall(r"^(?:# )?(\w+):", whole, re.MULTILINE)) | {"domains"}


def test_only_what_is_asked_for_is_run_and_its_weights_sum_to_one(tmp_path: Path) -> None:
    made = load(new_recipe(domains=["books", "wikipedia"], sources=SOURCES), tmp_path)
    assert made.chosen() == ["wikipedia", "books", "mine", "other"]
    assert made.weights() == {"books": 0.25, "wikipedia": 0.25, "mine": 0.25, "other": 0.25}
    for chosen in (["commoncrawl", "arxiv"], [*DOMAINS], []):
        made = load(new_recipe(domains=chosen, sources=SOURCES), tmp_path)
        assert sum(made.weights().values()) == pytest.approx(1, abs=1e-12)
        assert made.mix.tokens == (14 * 10**11 if chosen else None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("domains: {mine: {}}", "domains.mine: unknown key; a domain of your own stands under `sources`; expected"),
        ("domains: {wikipedai: {}}", "domains.wikipedai: unknown key; did you mean 'wikipedia'?"),
        ("reference_threshold: 1", "unknown key; did you mean domains.commoncrawl.reference_threshold?"),
        ("workers: 3", "workers: unknown key; did you mean executor.workers?"),
        ("domains: {commoncrawl: {perplexity_models: starter}}", "each language has a model of its own: {en: starter}"),
        ("mix: {tokens: lots}", "expected a count like 1.4T, 200M, 1e9 or 100_000"),
        ("mix: {tokens: 1.5}", "mix.tokens: input should be a valid integer"),
        ("failure_limit: 5%", "expected a share between 0 and 1, like 0.01 for 1%, found '5%'"),
        ("domains: [books]", "domains: expected keys with values below it, like `key: value`"),
        ("executor: {kind: slurm}", "`executor: {kind: slurm, slurm: {partition: NAME}}`"),
        ("executor: {slurm: {partition: p, time: 12:00:00}}", 'time: "12:00:00"'),
    ],
)
def test_a_mistake_in_a_recipe_is_told_how_to_mend_it(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as error:
        load(f"extends: llama\n{text}\n", tmp_path)
    assert says in str(error.value)
    assert "new.yaml:2: " in str(error.value)


@pytest.mark.parametrize(
    ("written", "tokens"),
    [("1e9", 10**9), ("100_000", 10**5), ("1.0T", 10**12), ('"1.4 T"', 14 * 10**11), ("2.0e+3", 2000), ("7", 7)],
)
def test_tokens_are_read_as_people_write_them(written: str, tokens: int, tmp_path: Path) -> None:
    assert load(f"extends: llama\nmix: {{tokens: {written}}}\n", tmp_path).mix.tokens == tokens


def test_weights_may_be_normalised(tmp_path: Path) -> None:
    text = "extends: llama\nmix: {{weights: {{books: 3, c4: 1}}, normalise: {}}}\n"
    assert load(text.format("true"), tmp_path).weights() == {"books": 0.75, "c4": 0.25}
    assert load(text.format("false"), tmp_path).weights() == {"books": 3.0, "c4": 1.0}


def test_a_preset_is_given_by_name_and_a_path_to_one_that_is_not_there_says_so() -> None:
    with pytest.raises(RecipeError, match="the package's own recipe is given by its name alone: corpus"):
        load_recipe("nowhere/corpus.yaml")


@pytest.mark.parametrize(("module", "examples"), [(cli, EXAMPLES), (trainer, TRAINER_EXAMPLES)])
def test_every_verb_has_an_example_that_can_be_pasted(module: object, examples: dict[str, str]) -> None:
    app = module.app  # type: ignore[attr-defined]
    assert {path for path, info in commands_of(app) if not info.hidden} == set(examples)
    for path, info in commands_of(app):
        for line in examples.get(path, "").splitlines():
            assert f"  {line}" in info.epilog
            assert shlex.split(line)[1:][: len(path.split())] == path.split()
            parse(app, line)


def parse(app: typer.Typer, line: str) -> None:
    """Read a command line as a shell and the program would, without running it."""
    program, *words = shlex.split(line)
    assert program == app.info.name
    command: Any = typer.main.get_command(app)
    context = command.make_context(program, list(words), resilient_parsing=True)
    while found := getattr(command, "commands", {}).get(words[0]) if words else None:
        command, words = found, words[1:]
    command.make_context(command.name, words, parent=context)


def test_what_quickstart_names_next_can_be_pasted(tmp_path: Path) -> None:
    lines = quickstart._then(tmp_path / "a run", train=False)
    assert {shlex.split(line)[0] for line in lines} == {"llama-data", "llama-train"}
    for line in lines:
        parse(cli.app if line.startswith("llama-data") else trainer.app, line)
