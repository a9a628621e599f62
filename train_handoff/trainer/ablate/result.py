"""What an ablation found: every comparison with its verdict, as one dict (ablate.json) and as lines for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from statistics import fmean, stdev
from typing import Any

from llama_data.train_handoff.trainer.ablate import verdicts
from llama_data.train_handoff.trainer.ablate.arms import CONTROL
from llama_data.train_handoff.trainer.ablate.plan import Plan
from llama_data.train_handoff.trainer.ablate.runs import Outcome
from llama_data.train_handoff.trainer.ablate.sets import OWN, TEXT

ALL = "all sets"
"""The mean over the named sets, each weighing the same, where there are several."""

CANNOT = (
    "Which data a large model would prefer: at 150M parameters about four of five such decisions between two data sets "
    "hold at 1B (DataDecide); a model of 4M to 20M shows large effects, and only in bits per byte.",
    "What is not in the named texts: a filter that helps one kind of text may harm another; name several kinds.",
    "What other documents of the same kind would say: intervals are over seeds, on these documents.",
    "Whether more of the data would help: every arm read the same number of tokens, whatever its mix has.",
    "Whether an arm's own held-out rows are good text: they passed its own rules, which makes them easier to predict.",
)


def result(plan: Plan, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything that ablate.json and the page say."""
    texts = _comparisons(plan, _bits(outcomes), [one.key for one in plan.texts], judged=True)
    own = _comparisons(plan, _bits(outcomes), [one.key for one in plan.own], judged=False)
    asked = {(known.run.arm, known.run.seed): known.tasks for known in outcomes}
    measures = list(dict.fromkeys(name for figures in asked.values() for name in figures))
    return {
        **plan.record(),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "baseline": plan.arms[0].name,
        "control": CONTROL,
        "model": {
            "name": plan.config.name, "parameters": plan.parameters, "steps": plan.steps,
            "batch_tokens": plan.config.batch_tokens,
        },
        "metric": _metric(plan),
        "arms_read": [
            {
                "name": arm.name, "mix": arm.mix, "fingerprint": arm.fingerprint,
                "mix_tokens": arm.mix_rows * plan.seq_len, "unique_tokens": round(arm.distinct * plan.seq_len),
                "epochs": arm.epochs, "rows_in_first_arm": arm.common,
            }
            for arm in plan.arms
        ],
        "sets": [
            {
                "name": one.name, "documents": len(one.documents), "in_files": one.found, "tokens": one.tokens,
                "bytes": one.bytes, "left_out_in_an_arm": one.left_out, "too_short_to_look_for": one.unsure,
                "share_in_arms": dict(one.shares), "files": [path for path, _ in one.files],
            }
            for one in plan.texts
        ],
        "verdicts": texts,
        "own_held_out_rows": own,
        "harness": _comparisons(plan, asked, measures, judged=False),
        "runs": [_run(plan, known) for known in outcomes],
        "failed": [f"{known.run.arm}, seed {known.run.seed}: {known.problem}" for known in outcomes if known.problem],
        "device_hours": sum(known.hours for known in outcomes),
        "cannot_show": list(CANNOT),
    }  # fmt: skip


def _metric(plan: Plan) -> str:
    last = min(plan.budget.average, plan.evaluations)
    return (
        f"bits per byte on the named held-out texts (fewer are better), mean of the last {last} of {plan.evaluations} "
        f"evaluations; differences from {plan.arms[0].name} paired by seed; Student's t over {plan.budget.seeds} "
        f"seeds, {1 - verdicts.LEVEL:.0%} intervals; Holm's correction over all sets and arms"
    )


def _run(plan: Plan, known: Outcome) -> dict[str, Any]:
    run = known.run
    return {
        "arm": run.arm, "seed": run.seed, "first_row": run.sample.begin, "problem": known.problem,
        "bits_per_byte": {name: _finite(value) for name, value in known.bits.items()},
        "curves": {name: [[x, _finite(y)] for x, y in points] for name, points in known.curves.items()},
        "losses": [[x, _finite(y)] for x, y in known.losses],
        "device_hours": known.hours, "tokens_per_second": known.tokens_per_second,
        "steps_left_out": known.left_out_steps, "folder": str(run.folder.relative_to(run.folder.parents[2])),
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


Figures = dict[tuple[str, int], dict[str, float]]
"""Of each arm and seed."""


def _bits(outcomes: Sequence[Outcome]) -> Figures:
    return {(known.run.arm, known.run.seed): known.bits for known in outcomes}


def _values(plan: Plan, figures: Figures, arm: str, keys: Sequence[str]) -> list[float]:
    """Of each seed the mean over some sets; NaN where a run has none."""
    return [
        fmean(figures.get((arm, seed), {}).get(key, math.nan) for key in keys)
        for seed in range(1, plan.budget.seeds + 1)
    ]


def _comparisons(plan: Plan, figures: Figures, keys: Sequence[str], *, judged: bool) -> list[dict[str, Any]]:
    """Each set, and each arm on it beside the first. ``judged``: with p and verdict; else intervals alone."""
    groups = [(key.removeprefix(TEXT).removeprefix(OWN), [key]) for key in keys]
    if judged and len(keys) > 1:
        groups.insert(0, (ALL, list(keys)))
    baseline = plan.arms[0].name
    names = [name for name in plan.names if name != baseline]
    pairs = {}
    for name, members in groups:
        first = _values(plan, figures, baseline, members)
        for arm in names:
            other = _values(plan, figures, arm, members)
            pairs[name, arm] = verdicts.paired([b - a for a, b in zip(first, other, strict=True)])
    # The A/A arm is a control of the method and no question of its own: it is corrected among its own tests.
    adjusted: dict[tuple[str, str], float | None] = {}
    for family in ([arm for arm in names if arm != CONTROL], [CONTROL]):
        tested = [key for key in pairs if key[1] in family]
        adjusted |= dict(zip(tested, verdicts.holm([pairs[key].p for key in tested]), strict=True))
    tests = sum(1 for key, pair in pairs.items() if key[1] != CONTROL and pair.p is not None)
    found = []
    for name, members in groups:
        noise = pairs[name, CONTROL]
        found.append(
            {
                "set": name,
                "baseline": _spread(_values(plan, figures, baseline, members)),
                **({"detectable": verdicts.detectable(noise.sd, len(noise.differences), tests)} if judged else {}),
                "arms": [
                    _arm(arm, pairs[name, arm], _values(plan, figures, arm, members), adjusted[name, arm], judged)
                    for arm in names
                ],
            }
        )
    return found


def _arm(
    arm: str, pair: verdicts.Paired, values: Sequence[float], adjusted: float | None, judged: bool
) -> dict[str, Any]:
    found = {
        "arm": arm, **_spread(values), "difference": pair.mean, "difference_sd": pair.sd, "low": pair.low,
        "high": pair.high, "differences": list(pair.differences), "pairs": len(pair.differences),
    }  # fmt: skip
    if judged:
        found |= {"p": pair.p, "p_holm": adjusted, "verdict": verdicts.verdict(pair.mean, adjusted)}
    return found


def _spread(values: Sequence[float]) -> dict[str, Any]:
    known = [value for value in values if math.isfinite(value)]
    return {"mean": fmean(known) if known else None, "sd": stdev(known) if len(known) > 1 else None}


def table(found: dict[str, Any]) -> Iterator[str]:
    """The verdicts for a terminal."""
    yield f"bits per byte (fewer are better); differences from {found['baseline']}, paired by seed"
    yield (
        f"{'set':<16}{'arm':<20}{'mean':>9}{'sd':>9}{'difference':>12}  {'95 % interval':<22}{'p (Holm)':>9}  verdict"
    )
    for one in found["verdicts"]:
        first = one["baseline"]
        yield f"{one['set']:<16}{found['baseline']:<20}{_figure(first['mean'])}{_figure(first['sd'])}"
        for arm in one["arms"]:
            between = "-" if arm["low"] is None else f"{arm['low']:+.4f} to {arm['high']:+.4f}"
            p = "-" if arm["p_holm"] is None else f"{arm['p_holm']:.4f}"
            difference = "-" if arm["difference"] is None else f"{arm['difference']:+.4f}"
            yield (
                f"{'':<16}{arm['arm']:<20}{_figure(arm['mean'])}{_figure(arm['sd'])}{difference:>12}  "
                f"{between:<22}{p:>9}  {arm['verdict']}"
            )
        if one["detectable"] is not None:
            yield f"{'':<16}by the A/A arm, differences under {one['detectable']:.4f} are mostly missed at this budget"
    for one in found["verdicts"]:
        control = next(arm for arm in one["arms"] if arm["arm"] == found["control"])
        if control["verdict"] != verdicts.UNDECIDED:
            yield (
                f"{one['set']}: the A/A arm, which is {found['baseline']} on other rows, is {control['verdict']!r}: "
                "the other verdicts on this set are no more worth than that; take more seeds"
            )


def _figure(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.4f}':>9}"
