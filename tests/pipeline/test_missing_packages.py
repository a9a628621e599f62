"""Packages that are only needed by some requests: the others work without, and those say what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llama_data.pipeline.core.errors import ModelError, RequestError
from llama_data.pipeline.jobs import stage_jobs
from llama_data.pipeline.models.fasttext_train import FastTextSettings, LabelProbabilities, train_fasttext
from llama_data.pipeline.models.perplexity import PerplexitySettings, train_perplexity
from llama_data.pipeline.recipe import load_recipe
from llama_data.pipeline.samples import build_samples
from llama_data.stages.steps.perplexity import Perplexity


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
