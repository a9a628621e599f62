"""The verbs of ``llama-data models``, as typed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llama_data.pipeline.commands.models import app
from llama_data.pipeline.core.errors import ModelError, RequestError

RUNNER = CliRunner()


def run(*arguments: str) -> str:
    done = RUNNER.invoke(app, list(arguments))
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_list_shows_every_kind_and_its_state(tmp_path: Path) -> None:
    (tmp_path / "lid.176.ftz").write_bytes(b"damaged")
    shown = run("list", "--models-dir", str(tmp_path))
    lines = {line.split()[0]: line for line in shown.splitlines()[1:]}
    assert "in the package" in lines["starter/language"]
    assert "absent" in lines["lid.176.bin"]
    assert "131,266,198" in lines["lid.176.bin"]
    assert "CHECKSUM WRONG" in lines["lid.176.ftz"]
    assert "5-gram" in lines["en.arpa.bin"]


def test_trains_lists_and_evaluates(tmp_path: Path) -> None:
    rng = random.Random(1)
    few = ["some", "small", "words", "that", "make", "no", "sense", "but", "differ"]
    rows = [{"text": " ".join(rng.choices(few, k=30))} for _ in range(200)]
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "models"
    flags = [
        "--vocab-size",
        "100",
        "--order",
        "3",
        "--prune",
        "0,0,1",
        "--estimator",
        "own",
        "--language",
        "xx",
    ]
    texts = str(tmp_path / "texts.jsonl")
    shown = run("train-perplexity", texts, "--cutoffs-from", texts, "--out", str(out), *flags)
    assert "held_out_perplexity" in shown
    assert "xx.arpa" in run("list", "--models-dir", str(out))
    assert "perplexity of 200 texts" in run("evaluate", str(out), texts, "--language", "xx")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pull", "lid.999.bin"], "not a model that can be downloaded"),
        (["train-perplexity", "x.txt", "-o", "out", "--prune", "a,b"], "expected numbers"),
        (["train-perplexity", "x.txt", "-o", "out", "--estimator", "srilm"], "expected lmplz or own"),
        (["train-language", "x", "-o", "out.bin", "--text", "books/"], "expected CODE=PATH"),
    ],
)
def test_wrong_requests_are_explained(arguments: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        run(*arguments)


def test_evaluating_a_model_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="models pull lid"):
        run("evaluate", "lid.176.bin", "x.txt", "--models-dir", str(tmp_path))
