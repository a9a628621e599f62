"""The runs of an ablation, one after the other: each a training run of its own, and what is done is not done again."""

from __future__ import annotations

import gc
import json
import math
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from llama_data.pipeline.core.errors import RunError, StoppedError
from llama_data.pipeline.core.files import atomic_write
from llama_data.train_handoff.trainer import launch as launching
from llama_data.train_handoff.trainer.ablate.plan import Plan, Run
from llama_data.train_handoff.trainer.config import BenchConfig, TrainConfig
from llama_data.train_handoff.trainer.measure.harness import Tasks
from llama_data.train_handoff.trainer.record import CHECKPOINTS, SIGNALS
from llama_data.train_handoff.trainer.watch.lines import METRICS, lines

POINTS = 60  # of a curve of training losses
BITS = "bits_per_byte/"
SUMMARY, TASKS = "summary.json", "harness.json"


@dataclass(frozen=True)
class Outcome:
    """What a run came to. ``bits``: bits per byte of each set, the mean of the last evaluations; NaN where not finite.

    ``curves``: (tokens, bits per byte) of each set; ``losses``: (tokens, nats) while training, thinned out. ``hours``:
    of all devices. ``tasks``: figures of the harness, by task and measure; ``questions``: of each question, by task.
    ``problem``: why it has no figures; ``unasked``: why the harness has none of it.
    """

    run: Run
    bits: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    losses: list[tuple[int, float]] = field(default_factory=list)
    hours: float = 0.0
    tokens_per_second: float = 0.0
    left_out_steps: int = 0
    tasks: dict[str, float] = field(default_factory=dict)
    questions: dict[str, dict[str, Any]] = field(default_factory=dict)
    problem: str = ""
    unasked: str = ""


def outcome(run: Run, plan: Plan) -> Outcome | None:
    """What a run's metrics say; None when it did not come to its last evaluation."""
    curves: dict[str, list[tuple[int, float]]] = {}
    steps: list[dict[str, Any]] = []
    last = -1
    hours = 0.0
    for _, line in lines(run.folder / METRICS):
        if line.get("kind") == "held_out":
            last = int(line["step"])
            for name, value in line.items():
                if name.startswith(BITS):
                    curves.setdefault(name.removeprefix(BITS), []).append((int(line["tokens"]), _number(value)))
        else:
            steps.append(line)
            hours = max(hours, float(line.get("device_hours") or 0.0))
    if last != plan.steps - 1:
        return None
    average = plan.budget.average
    summary, answers = _summary(run.folder / SUMMARY), _summary(run.folder / TASKS)
    return Outcome(
        run=run,
        bits={name: fmean(value for _, value in points[-average:]) for name, points in curves.items()},
        curves=curves,
        losses=_thinned([(int(line["tokens"]), _number(line.get("loss"))) for line in steps]),
        hours=max(hours, float(summary.get("device_hours") or 0.0)),
        tokens_per_second=fmean([float(line["tokens_per_second"]) for line in steps[1:] or steps]),
        left_out_steps=sum("skipped" in line for line in steps),
        tasks=_figures(answers),
        questions=answers.get("questions", {}),
    )


def _summary(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found


def _figures(answers: dict[str, Any]) -> dict[str, float]:
    """Of what the harness answered, every measure that is a number, without their errors."""
    return {
        f"{task}: {name.replace(',none', '')}": float(value)
        for task, measures in answers.get("results", {}).items()
        for name, value in measures.items()
        if "," in name and "_stderr," not in name and isinstance(value, int | float)
    }


def _number(value: Any) -> float:
    """A number of a line; what is written as null was not finite."""
    return float(value) if isinstance(value, int | float) else math.nan


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Means of points that follow each other, at most ``POINTS``."""
    each = -(-len(points) // POINTS)
    parts = [points[begin : begin + each] for begin in range(0, len(points), max(each, 1))]
    return [(part[-1][0], fmean(y for _, y in part)) for part in parts]


def train(config: TrainConfig, cluster: launching.Cluster) -> None:
    """Train one run: in this process where it is the only one, else through torchrun.

    Raises RunError when it fails, StoppedError after a signal, when what it had is saved.
    """
    if not cluster.alone:
        launching.launch(config, cluster)
        return
    config, _ = launching.prepared(config, cluster)
    from llama_data.train_handoff.trainer import distributed, loop

    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        loop.run(config, loop.Stop(says=True))
    except RuntimeError as error:  # torch's, as when the device is out of memory
        raise RunError(f"{type(error).__name__}: {error}") from error
    finally:
        distributed.stop()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        gc.collect()
        if config.compile:  # what is compiled for one model is kept, and torch compiles only so many
            import torch

            torch.compiler.reset()


def rate(plan: Plan, cluster: launching.Cluster) -> float:
    """Tokens a second of a training step, measured on a few steps of one micro-batch."""
    given = plan.config
    world = cluster.world
    run = given.model_copy(update={"batch_tokens": given.micro_rows * world * plan.seq_len, "data": None})
    request = BenchConfig(run=run, steps=2, warmup=1, seq_len=plan.seq_len, vocab_size=plan.vocab_size)
    if not cluster.alone:
        found = launching.ask(cluster, launching.BENCH, request, "the measurement")
        return float(found["tokens_per_second"])
    from llama_data.train_handoff.trainer import distributed
    from llama_data.train_handoff.trainer.measure.bench import bench

    try:
        return float(bench(request)["tokens_per_second"])
    finally:
        distributed.stop()
        gc.collect()


def ask(run: Run, tasks: Tasks, tokenizer: str | None) -> None:
    """Put the harness's tasks to a run's model, once. Raises RunError when the harness fails."""
    path = run.folder / TASKS
    if not path.exists():
        answers = tasks.run(run.folder, None if tokenizer is None else Path(tokenizer), questions=True)
        with atomic_write(str(path)) as stream:
            stream.write(json.dumps(answers, indent=1).encode())


def train_all(
    plan: Plan,
    windows: Path,
    cluster: launching.Cluster,
    tell: Callable[[Outcome, int], None],
    examine: Callable[[Run], None],
) -> list[Outcome]:
    """Train every run that is not done; ``tell`` gets each outcome and how many are behind it.

    ``examine`` is called with each that is done, for what is asked of its model besides; where it fails, what was
    measured counts all the same.

    A run that fails is told and the others go on; it is tried again by the same command. Raises StoppedError after a
    signal.
    """
    found = []
    for number, run in enumerate(plan.runs, 1):
        known = outcome(run, plan)
        try:
            if known is None:
                train(plan.config_of(run, windows), cluster)
                known = outcome(run, plan)
            if known is None:
                known = Outcome(run, problem="it ended without its last evaluation")
            else:
                known = _examined(known, plan, examine)
        except StoppedError as stopped:
            raise StoppedError(
                f"{stopped} in {run.arm}, seed {run.seed} ({number} of {len(plan.runs)}); the same command goes on",
                stopped.number,
            ) from None
        except RunError as error:
            known = Outcome(run, problem=str(error))
        found.append(known)
        tell(known, number)
    return found


def _examined(known: Outcome, plan: Plan, examine: Callable[[Run], None]) -> Outcome:
    """What is known of a run when more was asked of its model; what was measured holds where that fails."""
    try:
        examine(known.run)
    except RunError as error:
        return replace(known, unasked=str(error))
    return outcome(known.run, plan) or known


def drop_checkpoints(run: Run) -> None:
    """Remove the checkpoints of a run that is done: its metrics are what counts."""
    shutil.rmtree(run.folder / CHECKPOINTS, ignore_errors=True)
