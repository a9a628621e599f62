"""Which rows a step read, and which documents were in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.loader import batches
from llama_data.train_handoff.trainer.rows import ask

pytest.importorskip("torch")

SKIP = ((9, 12), (14, 15), (22, 30))


@pytest.fixture(scope="module")
def run(traced: Path, tmp_path_factory: pytest.TempPathFactory, alone: Callable[[TrainConfig], None]) -> Path:
    """Four steps of four rows and then, with other settings, two of eight; ranges of rows are skipped."""
    output = tmp_path_factory.mktemp("trained")
    values: dict[str, Any] = {
        "name": "test", "data": str(traced / "mix"), "output": str(output),
        "model": {"dim": 32, "n_heads": 2, "n_layers": 1, "multiple_of": 32},
        "batch_tokens": 4 * 16, "micro_rows": 4, "steps": 4, "dtype": "float32", "device": "cpu", "skip_rows": SKIP,
    }  # fmt: skip
    alone(TrainConfig.model_validate(values))
    values |= {"batch_tokens": 8 * 16, "steps": 6, "change": True}
    alone(TrainConfig.model_validate(values))
    return output


def told(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["rows", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def parts(*arguments: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told(*arguments, "--json").splitlines()]


def test_a_step_has_the_rows_that_the_loader_gave_it(traced: Path, run: Path) -> None:
    mixture = Mixture(str(traced / "mix"))
    common: dict[str, Any] = {"rank": 0, "world": 1, "skip": SKIP}
    first = list(batches(mixture, batch_rows=4, start_row=0, first=0, steps=4, **common))
    then = list(batches(mixture, batch_rows=8, start_row=first[-1].end, first=4, steps=6, **common))
    for batch in [*first, *then]:
        rows = [row for piece in ask(run, step=batch.step, rows=None, data=None).rows for row in piece]
        assert np.array_equal(batch.ids, np.stack([mixture[row] for row in rows]))
        found = parts(run, "--step", batch.step)
        assert list(dict.fromkeys(part["row"] for part in found)) == rows
        assert {part["step"] for part in found} == {batch.step}
    assert [batch.left_out for batch in [*first, *then]] == [(), (), SKIP[:2], (), SKIP[2:], ()]


def test_text_is_that_of_the_documents(run: Path, traced_texts: dict[str, list[str]]) -> None:
    whole = 0
    for part in parts(run, "--rows", "0:400", "--text"):
        text = traced_texts[part["domain"]][int(part["id"].partition("/")[2])]
        assert part["text"].strip() in text
        if part["begins"] and part["ends"]:
            assert part["text"] == text
            whole += 1
    assert whole > 5


def test_people_are_told_the_same(run: Path) -> None:
    found = parts(run, "--step", 2)
    lines = told(run, "--step", 2).splitlines()
    assert lines[0].startswith("step 2: rows 8 to 8, 12 to 13, 15 to 15 of ")
    for row, group in groupby(found, lambda part: part["row"]):
        at = next(i for i, line in enumerate(lines) if line.startswith(f"row {row} "))
        for number, part in enumerate(group):
            ends = "whole" if part["begins"] and part["ends"] else "ends here" if part["ends"] else "here"
            wanted = rf"\s+{part['offset']} \+{part['tokens']}\s+{part['id']}  \({part['source']}; .*{ends}\)"
            assert re.fullmatch(wanted, lines[at + 1 + number])


def test_lines_without_what_was_skipped_are_read_with_the_checkpoints(run: Path, tmp_path: Path) -> None:
    import shutil

    old = tmp_path / "old"
    shutil.copytree(run, old)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    bare = [{key: value for key, value in line.items() if key != "left_out"} for line in lines]
    again = {**bare[2], "row": 4, "tokens": 8 * 16}
    (old / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in bare) + '{"step": 2, "ro')
    (old / "metrics-replaced.jsonl").write_text(json.dumps(again) + "\n")
    assert ask(old, step=2, rows=None, data=None).rows == ask(run, step=2, rows=None, data=None).rows
    assert "an attempt that was taken back had read rows 4 to 7" in told(old, "--step", 2)
    shutil.rmtree(old / "checkpoints")
    with pytest.raises(InputError, match=r"read 4 of the rows 8 to 15, .* --rows 8:16 shows all"):
        ask(old, step=2, rows=None, data=None)


def test_what_cannot_be_shown_is_said(traced: Path, mix: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="step 6: its steps are 0 to 5; name the rows"):
        ask(run, step=6, rows=None, data=None)
    with pytest.raises(RequestError, match="it was trained on the mix"):
        ask(run, step=0, rows=None, data=str(mix))
    with pytest.raises(InputError, match=r"train\.json: not there"):
        ask(tmp_path, step=0, rows=None, data=None)
    assert ask(traced / "mix", step=None, rows=(3, 5), data=None).rows == (range(3, 5),)
    for arguments in ([], ["--step", "1", "--rows", "0:2"], ["--rows", "5:5"]):
        with pytest.raises(RequestError, match=r"one of the two|expected A:B"):
            told(run, *arguments)
    with pytest.raises(InputError, match="made before shards had an index of their documents; `llama-data tokenize"):
        told(mix, "--rows", "0:1")


def test_control_characters_do_not_reach_a_terminal(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sentencepiece import SentencePieceProcessor

    monkeypatch.setattr(SentencePieceProcessor, "decode", lambda self, ids: "a\x1b[31m\x07\x9bb\tc\nd\x00\r")
    assert {part["text"] for part in parts(run, "--rows", "0:1", "--text")} == {"a\tc\nd"}
    assert "\x1b" not in told(run, "--rows", "0:1", "--text")
