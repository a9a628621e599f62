"""What an ablation found: every comparison with its verdict, as one dict (ablate.json) and as lines for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from llama_data.train_handoff.trainer.ablate import verdicts
from llama_data.train_handoff.trainer.ablate.arms import CONTROL
from llama_data.train_handoff.trainer.ablate.comparisons import Figures, compared
from llama_data.train_handoff.trainer.ablate.plan import Plan
from llama_data.train_handoff.trainer.ablate.questions import tasks_compared, tasks_table
from llama_data.train_handoff.trainer.ablate.runs import Outcome

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
    texts = compared(plan, _bits(outcomes), [one.key for one in plan.texts], judged=True)
    own = compared(plan, _bits(outcomes), [one.key for one in plan.own], judged=False)
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
        "harness": tasks_compared(plan, outcomes),
        "runs": [_run(plan, known) for known in outcomes],
        "failed": [f"{known.run.arm}, seed {known.run.seed}: {known.problem}" for known in outcomes if known.problem],
        "unasked": [f"{known.run.arm}, seed {known.run.seed}: {known.unasked}" for known in outcomes if known.unasked],
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


def _bits(outcomes: Sequence[Outcome]) -> Figures:
    return {(known.run.arm, known.run.seed): known.bits for known in outcomes}


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
    if found["harness"]:
        yield from tasks_table(found)
    for one in (*found["verdicts"], *found["harness"]):
        control = next(arm for arm in one["arms"] if arm["arm"] == found["control"])
        if control["verdict"] not in (None, verdicts.UNDECIDED):
            yield (
                f"{one['set']}: the A/A arm, which is {found['baseline']} on other rows, is {control['verdict']!r}: "
                "the other verdicts on this set are no more worth than that; take more seeds"
            )


def _figure(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.4f}':>9}"
