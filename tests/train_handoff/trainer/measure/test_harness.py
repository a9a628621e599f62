"""`evaluate --harness`: tasks of lm-evaluation-harness on a checkpoint, a run or an export."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import RequestError
from llama_data.tokenizer.huggingface import huggingface_files
from llama_data.tokenizer.model_file import read_model
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.measure import harness, tables

torch = pytest.importorskip("torch")

TASK = """\
task: choices
dataset_path: json
dataset_kwargs:
  data_files: {test: FILE}
output_type: multiple_choice
test_split: test
doc_to_text: "{{question}}"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
metadata: {version: 3}
"""
QUESTIONS = [
    {"question": "the", "choices": ["a b", "c"], "answer": 0},
    {"question": "of", "choices": ["d", "e f g", "h"], "answer": 2},
    {"question": "i", "choices": ["k", "l"], "answer": 1},
    {"question": "m", "choices": ["n o", "p"], "answer": 0},
]


def evaluate(*words: object) -> Any:
    done = CliRunner().invoke(app, ["evaluate", *map(str, words), "--device", "cpu"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def run(make_model: Any) -> Path:
    """RUN with a model of random weights, and a tokenizer as `tokenize` leaves it."""
    run: Path = make_model()
    facts = read_model(str(run / "tokenizer" / "tokenizer.model"))
    for name, content in huggingface_files(facts).items():
        (run / "tokenizer" / name).write_bytes(content)
    return run


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a task of four questions."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "tasks"
    folder.mkdir()
    questions = folder / "questions.jsonl"
    questions.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    (folder / "choices.yaml").write_text(TASK.replace("FILE", str(questions)))
    return folder


def likeliest(run: Path, bos: bool) -> list[int]:
    """The choice of each question by the model itself: the one whose ids are likeliest after the question's."""
    from llama_data.train_handoff.trainer.huggingface.export import load_model
    from llama_data.train_handoff.trainer.pieces import Pieces
    from llama_data.train_handoff.trainer.record import find_checkpoint

    pieces = Pieces(run / "tokenizer")
    model = load_model(find_checkpoint(run / "train"))[0].eval()
    found = []
    for item in QUESTIONS:
        scores = []
        for choice in item["choices"]:  # type: ignore[attr-defined]
            asked = [1] * bos + pieces.model.encode(item["question"])
            ids = [1] * bos + pieces.model.encode(f"{item['question']} {choice}")
            with torch.no_grad():
                logs = model(torch.tensor([ids]))[0].log_softmax(-1)
            scores.append(sum(float(logs[place - 1, ids[place]]) for place in range(len(asked), len(ids))))
        found.append(max(range(len(scores)), key=scores.__getitem__))
    return found


@pytest.mark.filterwarnings("default")
def test_a_task_of_ones_own_is_scored_as_the_model_scores_it(run: Path, task: Path, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    answers = [item["answer"] for item in QUESTIONS]
    words = ("--harness", "choices", "--tasks-path", task, "--json", tmp_path / "found.json")
    done = evaluate(run / "train", *words)
    found = json.loads((tmp_path / "found.json").read_text())["harness"]
    expected = sum(a == b for a, b in zip(answers, likeliest(run, bos=True), strict=True)) / 4
    assert found["results"]["choices"]["acc,none"] == pytest.approx(expected)
    assert found["n-samples"]["choices"]["effective"] == 4
    assert found["bos"] is True
    line = next(line for line in done.stdout.splitlines() if line.startswith("choices"))
    assert line.split()[:6] == ["choices", "3", "0", "4", "acc", f"{expected:.4f}"]
    # An export, two questions, with examples before them.
    CliRunner().invoke(app, ["export", str(run / "train"), str(tmp_path / "hf"), "--dtype", "float32"])
    evaluate(tmp_path / "hf", *words, "--limit", 2, "--few-shot", 1)
    again = json.loads((tmp_path / "found.json").read_text())["harness"]
    assert (again["n-samples"]["choices"]["effective"], again["n-shot"]["choices"], again["bos"]) == (2, 1, True)
    with pytest.raises(RequestError, match="--harness: nothing: no such task in lm-evaluation-harness and in"):
        evaluate(run / "train", "--harness", "choices,nothing", "--tasks-path", task)


def test_without_the_package_one_sentence_comes_before_anything_starts(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(
        RequestError, match=r'--harness needs lm_eval, which is not installed: `pip install "llama-data\[eval\]"`'
    ):
        evaluate(run / "nowhere", "--harness", "hellaswag")
    with pytest.raises(RequestError, match="--few-shot and --tasks-path are for --harness"):
        evaluate(run / "train", "--data", "x", "--few-shot", 2)
    with pytest.raises(RequestError, match="or --harness"):
        evaluate(run / "train")


@pytest.mark.parametrize(("rows", "bos"), [({"bos_id": None, "eos_id": 2}, False), ({"bos_id": 1, "eos_id": 2}, True)])
def test_the_harness_is_told_whether_documents_began_with_bos(make_model: Any, rows: dict[str, Any], bos: bool) -> None:
    with harness._exported(make_model(rows=rows) / "train", None, "float32") as (folder, told):
        assert told is bos
        assert (folder / "model.safetensors").exists()
    assert not folder.exists()


def test_every_figure_of_a_task_is_shown_with_its_error() -> None:
    figures = {"alias": "a", "acc,none": 0.5, "acc_stderr,none": 0.125, "f1,strict": 0.25, "f1_stderr,strict": "N/A"}
    text = tables.harness({"model": "m", "bos": False, "results": {"a": figures}})
    assert "without BOS" in text
    assert [line.split()[4:] for line in text.splitlines()[2:]] == [
        ["acc", "0.5000", "0.1250"],
        ["f1", "(strict)", "0.2500", "-"],
    ]
