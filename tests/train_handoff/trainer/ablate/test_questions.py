"""The harness's tasks in an ablation: intervals over seeds and questions, chance, and tasks from files."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import InputError, RunError
from llama_data.pipeline.report.ablation import render_ablation
from llama_data.tokenizer.huggingface import huggingface_files
from llama_data.tokenizer.model_file import read_model
from llama_data.train_handoff.trainer.ablate import verdicts
from llama_data.train_handoff.trainer.ablate.arms import CONTROL
from llama_data.train_handoff.trainer.ablate.questions import tasks_compared, tasks_table
from llama_data.train_handoff.trainer.ablate.runs import Outcome, train_all
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.measure.harness import of_questions
from llama_data.train_handoff.trainer.measure.requests import write_tasks

SEEDS, QUESTIONS = 3, 200


def drawn(chooser: np.random.Generator, of_seeds: float, of_questions: float, rest: float) -> Any:
    return (
        chooser.normal(0, of_seeds, (SEEDS, 1))
        + chooser.normal(0, of_questions, (1, 80))
        + chooser.normal(0, rest, (SEEDS, 80))
    )


@pytest.mark.parametrize("spread", [(0.0, 1.0, 0.3), (0.0, 0.0, 1.0), (0.1, 0.0, 0.3), (0.05, 1.0, 0.3)])
def test_where_nothing_differs_about_one_in_twenty_intervals_leaves_zero_out(
    spread: tuple[float, float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "RESAMPLES", 200)
    chooser = np.random.default_rng(5)
    outside = sum(verdicts.paired_questions(drawn(chooser, *spread)).p < verdicts.LEVEL for _ in range(200))  # type: ignore[operator]
    assert outside <= 20  # of 200; ten are to be expected


def test_a_difference_is_found_and_its_figures_are_the_same_again() -> None:
    values = drawn(np.random.default_rng(6), 0.01, 0.3, 0.2) + 0.2
    found = verdicts.paired_questions(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.differences == pytest.approx(values.mean(1))
    assert found.low is not None
    assert found.p is not None
    assert found.p < 0.001
    assert found.low > 0
    assert verdicts.paired_questions(values) == found
    # With one question alone there is no error to be had, and without any spread none.
    assert verdicts.paired_questions(values[:, :1]).p is None
    assert verdicts.paired_questions(np.full((3, 5), 0.5)).p == 0
    assert verdicts.paired_questions(np.zeros((3, 5))).p == 1


def sample(number: int, choices: int, right: int, logs: list[float], **changes: Any) -> dict[str, Any]:
    best = max(range(choices), key=logs.__getitem__)
    return {
        "doc_id": number, "doc_hash": f"h{number}", "filter": "none", "target": right, "metrics": ["acc"],
        "arguments": [("Q", f" ab{choice}") for choice in range(choices)], "acc": float(best == right),
        "filtered_resps": [(log, False) for log in logs], **changes,
    }  # fmt: skip


def test_each_question_keeps_its_chance_its_score_and_the_bits_of_its_answer() -> None:
    found = of_questions([sample(0, 2, 1, [-2.0, -1.0]), sample(1, 4, 0, [-9.0, -1.0, -2.0, -3.0])])
    assert found["ids"] == ["h0-0", "h1-1"]
    assert found["chance"] == [0.5, 0.25]
    assert found["scores"]["acc,none"] == [1.0, 0.0]
    assert found["scores"]["bits per byte of the answer,none"] == pytest.approx(
        [1 / math.log(2) / 3, 9 / math.log(2) / 3]
    )
    # Scores beside guesses without the question: there are twice as many answers as choices.
    both = {"arguments": [("Q", " a"), ("Q", " b"), ("", " a"), ("", " b")], "metrics": ["acc", "acc_mutual_info"]}
    assert of_questions([sample(0, 2, 1, [-2.0, -1.0], **both, acc_mutual_info=1.0)])["chance"] == [0.5]
    # What is generated, and what has several right answers, has no chance level.
    free = sample(0, 1, 0, [-1.0], metrics=["exact_match"], exact_match=1.0, target="42")
    assert of_questions([free])["chance"] == [None]
    assert list(of_questions([free])["scores"]) == ["exact_match,none"]
    assert of_questions([sample(0, 3, 0, [-1.0] * 3, target=[0, 2])])["chance"] == [None]


def outcomes(right: dict[str, float], name: str = "acc", drop: int | None = None) -> tuple[Any, list[Outcome]]:
    """Runs of arms that answer such a share of 200 questions of four choices rightly."""
    names = ("old", "new", CONTROL)
    plan = SimpleNamespace(
        arms=[SimpleNamespace(name=one) for one in names[:2]], names=names, budget=SimpleNamespace(seeds=SEEDS)
    )
    hard = np.random.default_rng(1).random(QUESTIONS)
    made = []
    for arm in names:
        for seed in range(1, SEEDS + 1):
            luck = np.random.default_rng(seed).normal(0, 0.02, QUESTIONS)
            scores = [float(value) for value in hard + luck < right[arm]]
            questions = {
                "ids": [f"q{n}" for n in range(QUESTIONS)], "chance": [0.25] * QUESTIONS,
                "scores": {f"{name},none": scores}, "higher_is_better": {name: True},
            }  # fmt: skip
            if drop is not None and arm == "new":  # asked fewer questions, in another order
                questions["ids"], questions["chance"] = questions["ids"][drop:][::-1], questions["chance"][drop:]
                questions["scores"] = {f"{name},none": scores[drop:][::-1]}
            mean = float(np.mean(questions["scores"][f"{name},none"]))
            run: Any = SimpleNamespace(arm=arm, seed=seed)
            made.append(Outcome(run, tasks={f"quiz: {name}": mean}, questions={"quiz": questions}))
    return plan, made


def words(found: list[dict[str, Any]]) -> dict[str, str]:
    return {arm["arm"]: arm["verdict"] for arm in found[0]["arms"]}


def test_verdicts_are_by_question_and_none_where_all_guess() -> None:
    found = tasks_compared(*outcomes({"old": 0.5, "new": 0.7, CONTROL: 0.5}))
    assert words(found) == {"new": "better", CONTROL: verdicts.UNDECIDED}
    assert (found[0]["set"], found[0]["questions"], found[0]["chance"], found[0]["signal"]) == (
        "quiz: acc",
        200,
        0.25,
        True,
    )
    assert found[0]["baseline"]["above_chance"] is True
    assert words(tasks_compared(*outcomes({"old": 0.7, "new": 0.5, CONTROL: 0.7})))["new"] == "worse"
    guesses = tasks_compared(*outcomes({"old": 0.05, "new": 0.25, CONTROL: 0.05}))  # far apart, but nobody knows more
    assert words(guesses)["new"] == verdicts.UNDECIDED
    assert guesses[0]["signal"] is False
    assert guesses[0]["arms"][0]["p_holm"] < 0.001
    lines = list(tasks_table({"baseline": "old", "harness": guesses}))
    assert any("no signal" in line for line in lines)
    assert sum("0.2500" in line for line in lines) == 3


def test_only_questions_that_all_were_asked_are_compared() -> None:
    plan, made = outcomes({"old": 0.5, "new": 0.5, CONTROL: 0.5}, drop=150)
    found = tasks_compared(plan, made)
    assert found[0]["questions"] == 50
    assert found[0]["arms"][0]["difference"] == 0
    # A run that failed is left out with its pair.
    failed = [
        replace(one, questions={}, tasks={}) if one.run.seed == 2 and one.run.arm == "new" else one for one in made
    ]
    assert [arm["pairs"] for arm in tasks_compared(plan, failed)[0]["arms"]] == [2, 3]


def test_a_figure_that_is_no_mean_over_questions_gets_no_verdict() -> None:
    plan, made = outcomes({"old": 0.5, "new": 0.9, CONTROL: 0.5}, name="f1")
    other = [replace(one, tasks={"quiz: f1": 0.1, "all: acc": 0.3}) for one in made]
    found = tasks_compared(plan, other)
    assert [(one["set"], one["chance"], one["arms"][0]["verdict"]) for one in found] == [
        ("quiz: f1", None, None),
        ("all: acc", None, None),
    ]
    assert words(tasks_compared(plan, made))["new"] == "better"  # without a chance level, for f1 has none


def test_what_was_measured_counts_where_the_harness_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    run: Any = SimpleNamespace(arm="old", seed=1)
    plan: Any = SimpleNamespace(runs=[run])
    module = "llama_data.train_handoff.trainer.ablate.runs.outcome"
    monkeypatch.setattr(module, lambda run, plan: Outcome(run, bits={"text/news": 1.0}))

    def fails(run: Any) -> None:
        raise RunError("lm-evaluation-harness: no memory")

    told: list[Outcome] = []
    [known] = train_all(plan, Path(), None, lambda one, number: told.append(one), fails)  # type: ignore[arg-type]
    assert (known.bits, known.problem, known.unasked) == ({"text/news": 1.0}, "", "lm-evaluation-harness: no memory")
    assert told == [known]


def requests(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True)
    with gzip.open(path, "wt") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def row(number: int, idx: int, choice: str, label: Any = 1, prompt: str = "Q?\nAnswer:") -> dict[str, Any]:
    return {"doc_id": number, "idx": idx, "label": label, "request": {"context": prompt, "continuation": choice}}


def test_requests_of_olmo_become_tasks_of_the_harness(tmp_path: Path) -> None:
    rows = [row(0, 1, " b"), row(0, 0, " a"), row(1, 0, " c", 0), row(1, 1, " d", 0)]
    rows += [row(1_000_000, 0, " a", prompt="Answer:"), row(1_000_000, 1, " b", prompt="Answer:")]
    file = requests(tmp_path / "oe" / "sciq" / "rc_0shot" / "requests.jsonl.gz", rows)
    done = CliRunner().invoke(app, ["tasks", str(file), "--output", str(tmp_path / "tasks")])
    assert "sciq_rc_0shot: 2 questions" in done.stdout
    lines = (tmp_path / "tasks" / "sciq_rc_0shot.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"question": "Q?\nAnswer:", "choices": [" a", " b"], "answer": 1},
        {"question": "Q?\nAnswer:", "choices": [" c", " d"], "answer": 0},
    ]
    for number, wrong in enumerate(
        ([row(0, 0, " a")], [row(0, 0, " a"), row(0, 1, " b", prompt="R")], [row(0, 0, " a", 2), row(0, 1, " b", 2)])
    ):
        other = requests(tmp_path / str(number) / "v" / "requests.jsonl.gz", wrong)
        with pytest.raises(InputError, match="question 0 is no multiple choice after one prompt"):
            write_tasks([other], tmp_path / "tasks")


def test_a_task_from_requests_is_asked_by_the_harness_and_stands_on_the_page(
    tmp_path: Path, clean: Path, shuffled: Path, neutral: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lm_eval")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for run in (clean, shuffled):  # as `train-tokenizer` leaves it
        for name, content in huggingface_files(read_model(str(run / "tokenizer" / "tokenizer.model"))).items():
            (run / "tokenizer" / name).write_bytes(content)
    rows = [row(n, idx, f" {text}", n % 2, f"word {n}") for n in range(8) for idx, text in enumerate(("ab", "cd"))]
    write_tasks([requests(tmp_path / "quiz" / "rc" / "requests.jsonl.gz", rows)], tmp_path / "tasks")
    words = ["ablate", f"clean={clean}", f"shuffled={shuffled}", "--held-out", f"news={neutral}", "--tokens", "2048"]
    words += ["--model", str(model), "--seeds", "2", "--evaluations", "1", "--average", "1", "--device", "cpu"]
    words += ["--harness", "quiz_rc", "--tasks-path", str(tmp_path / "tasks"), "--output", str(tmp_path / "judged")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "quiz_rc: acc" in done.stdout
    found = json.loads((tmp_path / "judged" / "ablate.json").read_text())
    assert {one["set"]: one["chance"] for one in found["harness"]} == {
        "quiz_rc: acc": 0.5,
        "quiz_rc: acc_norm": 0.5,
        "quiz_rc: bits per byte of the answer": None,
    }
    assert all(one["questions"] == 8 for one in found["harness"])
    assert "Tasks of the harness" in render_ablation(found)
