"""Arms beside the first, on each set: the same figures for bits per byte and for what the harness answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from llama_data.train_handoff.trainer.ablate import verdicts
from llama_data.train_handoff.trainer.ablate.arms import CONTROL
from llama_data.train_handoff.trainer.ablate.plan import Plan
from llama_data.train_handoff.trainer.ablate.sets import OWN, TEXT

ALL = "all sets"
"""The mean over the named sets, each weighing the same, where there are several."""

Figures = dict[tuple[str, int], dict[str, float]]
"""Of each arm and seed."""
Pairs = dict[tuple[str, str], verdicts.Paired]
"""Of each set and arm, beside the first arm."""


def values_of(plan: Plan, figures: Figures, arm: str, keys: Sequence[str]) -> list[float]:
    """Of each seed the mean over some sets; NaN where a run has none."""
    return [
        fmean(figures.get((arm, seed), {}).get(key, math.nan) for key in keys)
        for seed in range(1, plan.budget.seeds + 1)
    ]


def compared(plan: Plan, figures: Figures, keys: Sequence[str], *, judged: bool) -> list[dict[str, Any]]:
    """Each set, and each arm on it beside the first. ``judged``: with p and verdict; else intervals alone."""
    groups = [(key.removeprefix(TEXT).removeprefix(OWN), [key]) for key in keys]
    if judged and len(keys) > 1:
        groups.insert(0, (ALL, list(keys)))
    baseline = plan.arms[0].name
    names = [name for name in plan.names if name != baseline]
    pairs: Pairs = {}
    for name, members in groups:
        first = values_of(plan, figures, baseline, members)
        for arm in names:
            other = values_of(plan, figures, arm, members)
            pairs[name, arm] = verdicts.paired([b - a for a, b in zip(first, other, strict=True)])
    adjusted = corrected(pairs)
    tests = sum(1 for key, pair in pairs.items() if key[1] != CONTROL and pair.p is not None)
    found = []
    for name, members in groups:
        noise = pairs[name, CONTROL]
        found.append(
            {
                "set": name,
                "baseline": spread(values_of(plan, figures, baseline, members)),
                **({"detectable": verdicts.detectable(noise.sd, len(noise.differences), tests)} if judged else {}),
                "arms": [
                    arm_record(arm, pair, values_of(plan, figures, arm, members), adjusted[name, arm], judged=judged)
                    for arm in names
                    for pair in [pairs[name, arm]]
                ],
            }
        )
    return found


def arm_record(
    arm: str, pair: verdicts.Paired, values: Sequence[float], adjusted: float | None, *, judged: bool
) -> dict[str, Any]:
    """An arm beside the first: ``values`` by seed, ``pair``: the differences; ``judged``: with p and verdict."""
    found = {
        "arm": arm, **spread(values), "difference": pair.mean, "difference_sd": pair.sd, "low": pair.low,
        "high": pair.high, "differences": list(pair.differences), "pairs": len(pair.differences),
    }  # fmt: skip
    if judged:
        found |= {"p": pair.p, "p_holm": adjusted, "verdict": verdicts.verdict(pair.mean, adjusted)}
    return found


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean and standard deviation of the values that are finite."""
    known = [value for value in values if math.isfinite(value)]
    return {"mean": fmean(known) if known else None, "sd": stdev(known) if len(known) > 1 else None}


def corrected(pairs: Pairs) -> dict[tuple[str, str], float | None]:
    """Of each set and arm the p as it counts among all. The A/A arm is a control of the method and no question of its
    own: it is corrected among its own tests."""
    found: dict[tuple[str, str], float | None] = {}
    for is_control in (False, True):
        tested = [key for key in pairs if (key[1] == CONTROL) == is_control]
        found |= dict(zip(tested, verdicts.holm([pairs[key].p for key in tested]), strict=True))
    return found
