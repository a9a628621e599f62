"""Packages that are only needed by some requests: the others work without, and those say what to install."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from llama_data.pipeline.core.errors import ModelError, RequestError
from llama_data.pipeline.core.extras import COMPILED, EXTRAS, STORES, require
from llama_data.pipeline.jobs import stage_jobs
from llama_data.pipeline.models.fasttext_train import FastTextSettings, LabelProbabilities, train_fasttext
from llama_data.pipeline.models.perplexity import PerplexitySettings, train_perplexity
from llama_data.pipeline.ready import find
from llama_data.pipeline.recipe import load_recipe
from llama_data.pipeline.samples import build_samples
from llama_data.stages.steps.perplexity import Perplexity

ROOT = Path(__file__).resolve().parents[2]


def test_without_kenlm_a_recipe_that_needs_it_is_refused_before_it_starts_and_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_samples(tmp_path / "dumps")
    recipe = load_recipe("quickstart", {"input": str(tmp_path / "dumps"), "output": str(tmp_path / "run")})
    assert stage_jobs(recipe, "commoncrawl")
    monkeypatch.setitem(sys.modules, "kenlm", None)
    with pytest.raises(ModelError, match="pip install ufal-kenlm"):
        stage_jobs(recipe, "commoncrawl")
    assert stage_jobs(recipe, "books")
    settings = recipe.settings("commoncrawl")
    assert settings is not None
    without = recipe.with_settings("commoncrawl", settings.model_copy(update={"perplexity_models": None}))
    assert stage_jobs(without, "commoncrawl")
    Perplexity(models={}, kept=("all",))


def test_training_says_what_is_missing_before_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kenlm", None)
    monkeypatch.setitem(sys.modules, "fasttext", None)
    out = tmp_path / "out"
    with pytest.raises(ModelError, match="pip install ufal-kenlm"):
        train_perplexity([], [], str(out), PerplexitySettings(language="en"), licence="none")
    with pytest.raises(RequestError, match="pip install fasttext-numpy2"):
        train_fasttext([], str(out / "model.bin"), FastTextSettings())
    with pytest.raises(RequestError, match="pip install fasttext-numpy2"):
        LabelProbabilities(str(out / "model.bin"))
    assert not out.exists()


def test_every_optional_package_is_one_of_the_table_and_its_extra_brings_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    always = {re.split(r"[^a-z0-9-]", line.lower())[0].replace("-", "_") for line in project["dependencies"]}
    modules = {"pyyaml": "yaml", "fasttext_numpy2": "fasttext", "ufal_kenlm": "kenlm"}
    always = {modules.get(name, name) for name in always} | set(sys.stdlib_module_names) | {"llama_data", "llama_data_"}
    # Of these each comes with one that is always there, or in an extra with one that is named.
    beside = {
        *("click", "dill", "multiprocess", "pydantic_core", "rich", "huggingface_hub", "llvmlite", "markupsafe"),
        *("botocore", "aiobotocore", "aiohttp", "jax", "flax"),
    }
    unknown = {}
    for room in ("pipeline", "stages", "tokenizer", "train_handoff"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
                for name in {each.split(".")[0] for each in names} - always - beside - EXTRAS.keys():
                    unknown[name] = str(path)
    assert unknown == {}
    for module, extra in EXTRAS.items():
        brings = " ".join(project["optional-dependencies"][extra]).replace("-", "_")
        assert module in brings, f"the extra {extra} does not bring {module}"
    assert set(STORES.values()) <= EXTRAS.keys()


@pytest.mark.parametrize("module", [*EXTRAS, *COMPILED])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    command = re.escape(f'pip install "llama-data[{EXTRAS[module]}]"' if module in EXTRAS else "pip install ")
    with pytest.raises(RequestError, match=f"^this needs {module}, which is not installed: `{command}"):
        require(module, "this")


def test_what_a_run_needs_is_checked_before_it_starts_and_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("s3fs", "ray", "kenlm"):
        monkeypatch.setitem(sys.modules, module, None)
    recipe = load_recipe("llama", {"input": str(tmp_path), "output": "s3://bucket/run", "executor.kind": "ray"})
    said = "\n".join(find(recipe, ["commoncrawl", "books"]).lines())
    for command in ('pip install "llama-data[s3]"', 'pip install "llama-data[ray]"', "pip install ufal-kenlm"):
        assert command in said
    assert "perplexity_models: {en: starter}" not in said  # which would not help without KenLM
