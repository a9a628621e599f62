"""What the harness's tasks say of the arms: differences question by question, beside what guessing gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_data.train_handoff.trainer.ablate import verdicts
from llama_data.train_handoff.trainer.ablate.comparisons import Figures, arm_record, corrected, spread, values_of
from llama_data.train_handoff.trainer.ablate.plan import Plan
from llama_data.train_handoff.trainer.ablate.runs import Outcome

Matrix = NDArray[np.float64]


class Measure(NamedTuple):
    """A measure of a task in all runs. ``scores``: of each arm a row a seed and a column a question; a run without
    answers has a row of NaN. ``chance``: of each question, where it has choices. ``higher``: more is better."""

    name: str
    scores: dict[str, Matrix]
    chance: NDArray[np.float64] | None
    higher: bool


def tasks_compared(plan: Plan, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Each measure of each task, and each arm on it beside the first.

    With p and verdict where a task's figure is the mean over its questions; other figures, as of a group of tasks,
    have intervals over seeds alone. No verdict but "not distinguishable" where no arm is told from guessing.
    """
    measures = list(_measures(plan, outcomes))
    baseline, others = plan.arms[0].name, [name for name in plan.names if name != plan.arms[0].name]
    pairs = {(one.name, arm): _paired(one.scores[arm] - one.scores[baseline]) for one in measures for arm in others}
    adjusted = corrected(pairs)
    found = []
    for one in measures:
        above = {arm: _is_above(scores - one.chance) for arm, scores in one.scores.items() if one.chance is not None}
        signal = one.chance is None or any(above.values())
        record: dict[str, Any] = {
            "set": one.name, "baseline": {**spread(_means(one.scores[baseline])), "above_chance": above.get(baseline)},
            "questions": one.scores[baseline].shape[1], "higher_is_better": one.higher, "signal": signal,
            "chance": None if one.chance is None else float(one.chance.mean()), "arms": [],
        }  # fmt: skip
        for arm in others:
            pair, p = pairs[one.name, arm], adjusted[one.name, arm]
            told = arm_record(arm, pair, _means(one.scores[arm]), p, judged=True)
            turned = None if pair.mean is None else -pair.mean if one.higher else pair.mean
            told["verdict"] = verdicts.verdict(turned, p) if signal else verdicts.UNDECIDED
            record["arms"].append({**told, "above_chance": above.get(arm)})
        found.append(record)
    return [*found, *_of_runs(plan, outcomes, {one.name for one in measures})]


def _measures(plan: Plan, outcomes: Sequence[Outcome]) -> Iterator[Measure]:
    """The measures whose figure is the mean over questions, the questions being those that every run was asked."""
    asked = [known for known in outcomes if known.questions]
    for task in dict.fromkeys(task for known in asked for task in known.questions):
        having = {(known.run.arm, known.run.seed): known.questions[task] for known in asked if task in known.questions}
        common = set.intersection(*(set(answers["ids"]) for answers in having.values()))
        first = next(iter(having.values()))
        order = [id for id in first["ids"] if id in common]
        chances = dict(zip(first["ids"], first["chance"], strict=True))
        has_chance = bool(order) and all(chances[id] is not None for id in order)
        for name in first["scores"]:
            measure, label = name.partition(",")[0], f"{task}: {name.removesuffix(',none')}"
            if not order or not all(name in answers["scores"] for answers in having.values()):
                continue
            if not all(_is_mean(known, label, task, name) for known in asked if task in known.questions):
                continue
            scores = {arm: np.full((plan.budget.seeds, len(order)), np.nan) for arm in plan.names}
            for (arm, seed), answers in having.items():
                by_id = dict(zip(answers["ids"], answers["scores"][name], strict=True))
                scores[arm][seed - 1] = [by_id[id] for id in order]
            is_accuracy = has_chance and measure.startswith("acc")
            chance = np.array([chances[id] for id in order], np.float64) if is_accuracy else None
            yield Measure(label, scores, chance, bool(first["higher_is_better"].get(measure, False)))


def _is_mean(known: Outcome, label: str, task: str, name: str) -> bool:
    """Whether the harness's own figure is the mean of the scores, so that questions may stand for it."""
    figure = known.tasks.get(label)
    return figure is None or bool(np.isclose(figure, np.mean(known.questions[task]["scores"][name])))


def _paired(differences: Matrix) -> verdicts.Paired:
    """Of the seeds that both arms have."""
    whole = differences[np.isfinite(differences).all(1)]
    return verdicts.paired_questions(whole) if len(whole) else verdicts.paired([])


def _is_above(margins: Matrix) -> bool:
    """Whether an arm's answers are told from guessing: its interval lies above."""
    low = _paired(margins).low
    return low is not None and low > 0


def _means(scores: Matrix) -> list[float]:
    return [float(row.mean()) for row in scores]


def _of_runs(plan: Plan, outcomes: Sequence[Outcome], judged: set[str]) -> Iterator[dict[str, Any]]:
    """Figures of whole runs, as the harness gives them."""
    figures: Figures = {(known.run.arm, known.run.seed): known.tasks for known in outcomes}
    baseline = plan.arms[0].name
    for name in dict.fromkeys(name for of_run in figures.values() for name in of_run if name not in judged):
        first = values_of(plan, figures, baseline, [name])
        record: dict[str, Any] = {
            "set": name, "baseline": {**spread(first), "above_chance": None}, "questions": None, "chance": None,
            "higher_is_better": None, "signal": None, "arms": [],
        }  # fmt: skip
        for arm in plan.names:
            if arm != baseline:
                other = values_of(plan, figures, arm, [name])
                pair = verdicts.paired([b - a for a, b in zip(first, other, strict=True)])
                told = arm_record(arm, pair, other, None, judged=False)
                record["arms"].append({**told, "p_holm": None, "verdict": None, "above_chance": None})
        yield record


def tasks_table(found: dict[str, Any]) -> Iterator[str]:
    """The tasks for a terminal."""
    yield "tasks of the harness, which are extra; differences paired by seed and question; * told from guessing"
    heads = f"{'task':<44}{'arm':<20}{'mean':>9}{'chance':>9}{'difference':>12}"
    yield f"{heads}  {'95 % interval':<22}{'p (Holm)':>9}  verdict"
    for one in found["harness"]:
        chance = "-" if one["chance"] is None else f"{one['chance']:.4f}"
        rows = [{"arm": found["baseline"], **one["baseline"]}, *one["arms"]]
        for number, arm in enumerate(rows):
            mark = "*" if arm["above_chance"] else " "
            mean = "-" if arm["mean"] is None else f"{arm['mean']:.4f}"
            line = f"{one['set'] if number == 0 else '':<44}{arm['arm']:<20}{mean:>8}{mark}{chance:>9}"
            if number:
                difference = "-" if arm["difference"] is None else f"{arm['difference']:+.4f}"
                between = "-" if arm["low"] is None else f"{arm['low']:+.4f} to {arm['high']:+.4f}"
                p = "-" if arm["p_holm"] is None else f"{arm['p_holm']:.4f}"
                line += (
                    f"{difference:>12}  {between:<22}{p:>9}  {arm['verdict'] or 'no verdict: no mean over questions'}"
                )
            yield line
        if one["signal"] is False:
            yield f"{'':<44}no signal: no arm is told from guessing"
