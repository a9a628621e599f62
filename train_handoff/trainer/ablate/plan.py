"""What an ablation is to do, decided before anything is trained: declared, recorded, and the same when it goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import atomic_write
from llama_data.pipeline.core.version import VERSION
from llama_data.train_handoff.trainer.ablate.arms import CONTROL, Arm, hashes_of, ranges_of, sample
from llama_data.train_handoff.trainer.ablate.overlap import Known, Scan, scan
from llama_data.train_handoff.trainer.ablate.sets import OwnSet, TextSet, without_overlap
from llama_data.train_handoff.trainer.config import SampleConfig, TrainConfig, agree, load_config
from llama_data.train_handoff.trainer.loader import Ranges

PLAN = "ablate-plan.json"
WINDOWS = "held-out.npz"
FORMAT = 1
# Settings that belong to one run, or change nothing in what is learnt.
_ASIDE = {
    "data", "output", "seed", "watch", "cache_dir", "cache_bytes", "initial", "change", "sample", "epochs", "skip_rows",
    "template", "save_minutes", "save_every", "keep_checkpoints", "async_save", "log_every",
}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """Tokens of each run, seeds of each arm, evaluations of a run and how many of the last are averaged.

    ``max_epochs``: how often an arm may read its mix.
    """

    tokens: int
    seeds: int = 3
    evaluations: int = 10
    average: int = 3
    max_epochs: float = 1.0


@dataclass(frozen=True)
class Run:
    """One model: of an arm (``control``: the first arm once more), of a seed, on a sample of the mix."""

    arm: str
    seed: int
    mix: str
    sample: SampleConfig
    folder: Path

    @property
    def control(self) -> bool:
        """Whether it is of the A/A arm."""
        return self.arm == CONTROL


@dataclass(frozen=True)
class ArmFacts:
    """What an arm reads: rows of its mix, distinct rows and epochs of a run (means over seeds).

    ``common``: how many of its distinct rows the first arm reads too, over all seeds.
    """

    name: str
    mix: str
    fingerprint: str
    mix_rows: int
    distinct: float
    epochs: float
    common: float


@dataclass(frozen=True)
class Plan:
    """Everything that is decided. ``config``: what all runs share; ``every``: steps between evaluations.

    ``tasks``: of the harness, which are asked besides.
    """

    config: TrainConfig
    budget: Budget
    steps: int
    rows: int
    every: int
    seq_len: int
    vocab_size: int
    tokenizer: str
    runs: tuple[Run, ...]
    arms: tuple[ArmFacts, ...]
    texts: tuple[TextSet, ...]
    own: tuple[OwnSet, ...]
    tasks: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens that a run is trained on."""
        return self.rows * self.seq_len

    @property
    def evaluations(self) -> int:
        """Times that a run is measured: every ``every`` steps, and at the end."""
        return -(-self.steps // self.every)

    @property
    def held_out_tokens(self) -> int:
        """Tokens of one measurement."""
        return sum(one.tokens for one in self.texts) + sum(one.tokens for one in self.own)

    @property
    def parameters(self) -> int:
        """Parameters of the model."""
        return agree(self.config, self.vocab_size, self.seq_len).parameters()

    @property
    def names(self) -> tuple[str, ...]:
        """The arms by name, the first first and A/A last."""
        return (*(arm.name for arm in self.arms), CONTROL)

    def config_of(self, run: Run, windows: Path) -> TrainConfig:
        """The configuration of a run."""
        watch = self.config.watch.model_copy(
            update={"validate_every": self.every, "validate_rows": None, "validate_on": str(windows), "quiet": True}
        )
        changes = {"data": run.mix, "output": str(run.folder), "seed": run.seed, "sample": run.sample, "watch": watch}
        return self.config.model_copy(update=changes)

    def record(self) -> dict[str, Any]:
        """What has to be the same when the ablation goes on, as JSON has it."""
        config = self.config.model_dump(mode="json")
        return {
            "format": FORMAT,
            "arms": {arm.name: arm.fingerprint for arm in self.arms},
            "tokens": self.tokens,
            "seeds": self.budget.seeds,
            "evaluations_every": self.every,
            "evaluations_averaged": self.budget.average,
            "tokenizer_sha256": self.tokenizer,
            "seq_len": self.seq_len,
            "held_out": {
                one.name: {
                    "sha256": [digest for _, digest in one.files], "bytes": one.bytes, "documents": len(one.documents),
                }
                for one in self.texts
            },
            "tasks": list(self.tasks),
            "own_held_out": {one.key: len(one.windows) for one in self.own},
            "settings": {name: value for name, value in config.items() if name not in _ASIDE},
            "version": VERSION,
        }  # fmt: skip


def base_config(model: str, given: dict[str, Any], budget: Budget, seq_len: int, vocab_size: int) -> TrainConfig:
    """What all runs share: the preset with what was given; the warm-up is a tenth of the steps at most.

    Raises RequestError when the tokens are fewer than one batch, or the model does not fit the rows.
    """
    config = load_config(model, given)
    agree(config, vocab_size, seq_len)
    steps = budget.tokens // config.batch_tokens
    if steps < 1:
        raise RequestError(
            f"--tokens {budget.tokens:,}: fewer than one batch of {config.batch_tokens:,}; give more, or a smaller "
            "--batch-tokens"
        )
    optim = config.optim
    if "optim.warmup_steps" not in given:
        optim = optim.model_copy(update={"warmup_steps": min(optim.warmup_steps, steps // 10)})
    saves = {"save_every": None, "save_minutes": 30.0, "keep_checkpoints": 1} | {
        name: given[name] for name in ("save_every", "save_minutes") if name in given
    }
    return config.model_copy(update={"steps": steps, "optim": optim, **saves})


def make_plan(
    arms: Sequence[Arm],
    config: TrainConfig,
    budget: Budget,
    texts: Sequence[TextSet],
    own: Sequence[OwnSet],
    output: Path,
) -> Plan:
    """The plan; reads every row that an arm will train on once. ``config``: of ``base_config``.

    Raises RequestError: a mix has too few rows, or no held-out text is left.
    """
    footer = arms[0].mix.footer
    assert config.steps is not None
    needed = config.steps * config.batch_rows(footer.seq_len)
    for arm in arms:
        epochs = needed / arm.rows
        if epochs > budget.max_epochs:
            raise RequestError(
                f"{arm.name}: {needed * footer.seq_len:,} tokens are {epochs:.2f} epochs of its {arm.rows:,} rows "
                f"({arm.rows * footer.seq_len:,} tokens), more than --max-epochs {budget.max_epochs:g}; a model that "
                "reads its rows again is another experiment: fewer --tokens, a larger mix, or a higher --max-epochs"
            )
    runs = _runs(arms, needed, budget.seeds, output)
    known = Known([document.ids for one in texts for document in one.documents])
    scans = {arm.name: scan(arm.mix, _ranges(runs, arm), known) for arm in arms}
    shares = {name: known.shares(found.found) for name, found in scans.items()}
    kept, begin = [], 0
    for one in texts:
        end = begin + len(one.documents)
        kept.append(without_overlap(one, {name: each[begin:end] for name, each in shares.items()}))
        begin = end
    return Plan(
        config=config, budget=budget, steps=config.steps, rows=needed, every=-(-config.steps // budget.evaluations),
        seq_len=footer.seq_len, vocab_size=footer.vocab_size, tokenizer=footer.tokenizer_sha256, runs=runs,
        arms=tuple(_facts(arms, runs, scans, needed)), texts=tuple(kept), own=tuple(own),
    )  # fmt: skip


def _runs(arms: Sequence[Arm], needed: int, seeds: int, output: Path) -> tuple[Run, ...]:
    """Seed by seed all arms. Samples 0 to seeds - 1 of a mix are its arm's, those after them the A/A arm's."""
    runs = []
    for number in range(seeds):
        for arm, name, place in [*((arm, arm.name, number) for arm in arms), (arms[0], CONTROL, seeds + number)]:
            taken = sample(arm.rows, needed, place, 2 * seeds)
            folder = output / "runs" / name.replace("/", "-") / f"seed-{number + 1}"
            runs.append(Run(name, number + 1, arm.mix.folder, taken, folder))
    return tuple(runs)


def _ranges(runs: Sequence[Run], arm: Arm) -> Ranges:
    return tuple(pair for run in runs if run.mix == arm.mix.folder for pair in ranges_of(run.sample, arm.rows))


def _facts(arms: Sequence[Arm], runs: Sequence[Run], scans: dict[str, Scan], needed: int) -> list[ArmFacts]:
    def distinct(arm: Arm) -> list[Any]:
        return [hashes_of(scans[arm.name].rows, run.sample) for run in runs if run.arm == arm.name]

    first = np.unique(np.concatenate(distinct(arms[0])))
    found = []
    for arm in arms:
        each = distinct(arm)
        mean = sum(map(len, each)) / len(each)
        together = np.unique(np.concatenate(each))
        common = float(np.isin(together, first).mean())
        found.append(ArmFacts(arm.name, arm.mix.folder, arm.mix.fingerprint, arm.rows, mean, needed / mean, common))
    return found


def declare(plan: Plan, output: Path) -> None:
    """Write the plan into the folder, or compare it with the one that is there.

    Raises RequestError when the folder holds another ablation.
    """
    path, now = output / PLAN, json.loads(json.dumps(plan.record()))
    try:
        before = json.loads(path.read_text())
    except FileNotFoundError:
        with atomic_write(str(path)) as stream:
            stream.write(json.dumps(now, indent=1).encode() + b"\n")
        return
    except (OSError, ValueError) as error:
        raise RequestError(f"{path}: damaged: {error}; use another --output") from None
    other = _differences(before if isinstance(before, dict) else {}, now)
    if other:
        raise RequestError(
            f"{path}: the ablation in this folder was declared with {'; '.join(other[:4])}. What is measured is "
            "decided before it is seen (seeds added after a look make differences out of luck): use another --output"
        )


def _differences(before: dict[str, Any], now: dict[str, Any], above: str = "") -> list[str]:
    found = []
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{above}{name}.")
        elif old != new:
            found.append(f"{above}{name} {old}, and this command has {new}")
    return found
