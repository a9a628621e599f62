"""What ``llama-train ablate`` does when it knows what it is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.files import atomic_write
from llama_data.pipeline.core.lock import Lock
from llama_data.train_handoff.trainer import launch as launching
from llama_data.train_handoff.trainer.ablate import arms as arming
from llama_data.train_handoff.trainer.ablate import runs as running
from llama_data.train_handoff.trainer.ablate import sets as setting
from llama_data.train_handoff.trainer.ablate.page import write_page
from llama_data.train_handoff.trainer.ablate.plan import WINDOWS, Budget, Plan, Run, base_config, declare, make_plan
from llama_data.train_handoff.trainer.ablate.result import result, table
from llama_data.train_handoff.trainer.measure.harness import Tasks
from llama_data.train_handoff.trainer.measure.prepared import write_windows
from llama_data.train_handoff.trainer.pieces import Pieces

AT_WORK = "an ablation is at work here"
SHARE, LEAST, MOST = 0.2, 10_000, 1_000_000
RESULT, PAGE = "ablate.json", "ablate.html"


@dataclass(frozen=True)
class Ablation:
    """What is compared, on what, and with which settings. ``held_out_bytes``: of a set, at most; 0: so many
    that measuring costs about ``SHARE`` of learning."""

    mixes: tuple[str, ...]
    held_out: tuple[str, ...]
    output: Path
    model: str
    given: dict[str, Any]
    budget: Budget
    cluster: launching.Cluster
    tokenizer: str | None = None
    held_out_bytes: int = 0
    drop_checkpoints: bool = False
    tasks: Tasks | None = None

    def plan(self) -> tuple[Plan, Pieces]:
        """Decide everything, and read what has to be read for it. Raises InputError and RequestError."""
        arms = arming.open_arms(self.mixes, self.given.get("cache_dir"))
        footer = arms[0].mix.footer
        config = base_config(self.model, self.given, self.budget, footer.seq_len, footer.vocab_size)
        pieces = arming.find_pieces(arms, self.tokenizer)
        limit = self.held_out_bytes or self._affordable(len(arms))
        texts = setting.read_sets(self.held_out, pieces, limit)
        own = setting.own_sets(arms, pieces, limit // 4)
        plan = make_plan(arms, config, self.budget, texts, own, self.output)
        return replace(plan, tasks=() if self.tasks is None else self.tasks.names), pieces

    def _affordable(self, arms: int) -> int:
        """Bytes of a set, between ``LEAST`` and ``MOST``; a byte that is read costs a twelfth of a learnt token."""
        sets = len(self.held_out) + arms / 4
        bytes_ = SHARE * self.budget.tokens * 12 / self.budget.evaluations / sets
        return round(min(max(bytes_, LEAST), MOST))

    def describe(self) -> None:
        """Say what would be done and what it would cost; start nothing."""
        plan, _ = self.plan()
        for line in description(plan):
            typer.echo(line)
        typer.echo(cost(plan, len(plan.runs), running.rate(plan, self.cluster)))

    def run(self) -> None:
        """Train what is not trained yet, judge, and write the result and its page.

        Raises RunError when a run failed (the others are judged), StoppedError after a signal.
        """
        launching.require_torch()
        self.output.mkdir(parents=True, exist_ok=True)
        with Lock(self.output / "ablate.lock", AT_WORK):
            plan, pieces = self.plan()
            declare(plan, self.output)
            for line in description(plan):
                typer.echo(line)
            windows = self._windows(plan, pieces)
            left = [run for run in plan.runs if running.outcome(run, plan) is None]
            if left:
                typer.echo(cost(plan, len(left), running.rate(plan, self.cluster)))
            outcomes = running.train_all(plan, windows, self.cluster, lambda *told: _tell(plan, *told), self._examine)
            found = result(plan, outcomes)
            self._write(found)
        for line in table(found):
            typer.echo(line)
        typer.echo(f"{found['device_hours']:.3f} device hours; {self.output / RESULT}, {self.output / PAGE}")
        if found["failed"]:
            said = "; ".join(found["failed"])
            raise RunError(
                f"{len(found['failed'])} of {len(plan.runs)} runs failed and are left out ({said}); the same command "
                "tries them again"
            )
        if found["unasked"]:
            said = "; ".join(found["unasked"])
            raise RunError(
                f"the harness failed on {len(found['unasked'])} models ({said}); the same command asks again"
            )

    def _examine(self, run: Run) -> None:
        if self.tasks is not None:
            running.ask(run, self.tasks, self.tokenizer)
        if self.drop_checkpoints:
            running.drop_checkpoints(run)

    def _windows(self, plan: Plan, pieces: Pieces) -> Path:
        path = (self.output / WINDOWS).resolve()
        write_windows(
            str(path), setting.windows_of(plan.texts, plan.own, pieces, plan.seq_len),
            domains=[*(one.key for one in plan.texts), *(one.key for one in plan.own)], special=pieces.special,
            bos_id=pieces.model.bos_id(),
        )  # fmt: skip
        return path

    def _write(self, found: dict[str, Any]) -> None:
        with atomic_write(str(self.output / RESULT)) as stream:
            stream.write(json.dumps(found, indent=1).encode() + b"\n")
        write_page(found, str(self.output / PAGE))


def _tell(plan: Plan, known: running.Outcome, number: int) -> None:
    """One line for each run that ends."""
    head = f"{number}/{len(plan.runs)} {known.run.arm}, seed {known.run.seed}: "
    if known.problem:
        typer.echo(f"{head}failed: {known.problem}")
        return
    if known.unasked:
        typer.echo(f"{head}not asked by the harness: {known.unasked}")
    bits = ", ".join(f"{one.name} {known.bits.get(one.key, float('nan')):.4f}" for one in plan.texts)
    typer.echo(f"{head}{bits} bits/byte; {known.tokens_per_second:,.0f} tokens/s, {known.hours * 3600:,.0f} s")


def description(plan: Plan) -> Sequence[str]:
    """What is compared with what, for people."""
    config, budget = plan.config, plan.budget
    lines = [
        f"model {config.name}: {plan.parameters:,} parameters; each run {plan.steps:,} steps of "
        f"{config.batch_tokens:,} = {plan.tokens:,} tokens ({plan.tokens / plan.parameters:.1f} a parameter); "
        f"{budget.seeds} seeds",
        f"{'arm':<20}{'mix tokens':>16}{'unique tokens':>16}{'epochs':>8}{'rows as in the first':>22}",
    ]
    for arm in plan.arms:
        lines.append(
            f"{arm.name:<20}{arm.mix_rows * plan.seq_len:>16,}{arm.distinct * plan.seq_len:>16,.0f}{arm.epochs:>8.2f}"
            f"{arm.common:>22.1%}"
        )
    lines.append(f"{arming.CONTROL:<20}{plan.arms[0].name} once more, on other rows of its mix")
    for one in plan.texts:
        inside = ", ".join(f"{name} {share:.1%}" for name, share in one.shares)
        lines.append(
            f"held out: {one.name}: {len(one.documents):,} of {one.found:,} documents, {one.bytes:,} bytes; "
            f"in training rows: {inside}"
            + (f"; {one.left_out:,} left out" if one.left_out else "")
            + (f"; {one.unsure:,} too short to be looked for" if one.unsure else "")
        )
    lines += [
        f"extra, not neutral: {len(one.windows):,} rows held out of {one.domain} by {' and '.join(one.arms)}"
        for one in plan.own
    ]
    return [*lines, _fewness(plan)] if budget.seeds < 3 else lines


def _fewness(plan: Plan) -> str:
    return (
        f"{plan.budget.seeds} seeds: an interval of two figures is wide (12.7 of their errors); three or more say more"
    )


def cost(plan: Plan, runs: int, rate: float) -> str:
    """What the runs that are left come to; a token that is only read costs a third of one that is learnt."""
    learnt = runs * plan.tokens
    read = runs * plan.evaluations * plan.held_out_tokens
    seconds = (learnt + read / 3) / rate
    shown = f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{seconds / 60:.1f} minutes"
    return (
        f"{runs} of {len(plan.runs)} runs ({len(plan.names)} arms x {plan.budget.seeds} seeds) to train: {learnt:,} "
        f"tokens learnt and {read:,} measured; about {shown} at {rate:,.0f} tokens/s (a short measurement)"
    )
