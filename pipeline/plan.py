"""What a recipe would run: inputs found, jobs, and estimates of time, memory and disk. Writes nothing of a run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llama_data.pipeline import jobs, ready
from llama_data.pipeline.calibrate import measure
from llama_data.pipeline.core.errors import RequestError, RunError, StoppedError
from llama_data.pipeline.core.files import is_local, list_files, local_path
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.core.paths import ASKED, SAMPLE
from llama_data.pipeline.recipe import Recipe
from llama_data.pipeline.registry import DEFAULTS, Rate, rate_of
from llama_data.pipeline.summary import format_table
from llama_data.stages.commoncrawl.jobs import Settings as CommonCrawl
from llama_data.stages.steps import near_dup
from llama_data.train_handoff.mix.weights import told

GB = 1e9
DUMP_CHARS = 24e12
DUMP_FILES = 90_000
CCNET_HASHES = 1.5e9


@dataclass(frozen=True)
class DomainPlan:
    """The plan of one domain; ``core_seconds`` and the byte counts are estimates from ``rate``.

    ``basis``: where the rate comes from.
    """

    domain: str
    files: int
    bytes_in: int
    jobs: tuple[Job, ...]
    rate: Rate
    basis: str

    @property
    def tasks(self) -> int:
        """Tasks of all its jobs."""
        return sum(job.tasks for job in self.jobs)

    @property
    def core_seconds(self) -> float:
        """Seconds on one core: the start of every task, and the work on the bytes."""
        return self.tasks * self.rate.start + self.bytes_in / self.rate.bytes_per_second


@dataclass(frozen=True)
class Plan:
    """What would run, and ``missing``: what is not there, with what to do, a line each."""

    recipe: Recipe
    domains: list[DomainPlan]
    missing: list[str] = field(default_factory=list)


def make_plan(
    recipe: Recipe,
    calibrate: bool = False,
    progress: Callable[[str], None] | None = None,
    left_out: LeftOut | None = None,
) -> Plan:
    """Find the inputs and jobs of every chosen domain; ``left_out`` is told what none of them takes.

    What is missing is gathered. A domain without a model is planned, and measured, with the package's small one.
    """
    found = ready.find(recipe, recipe.chosen(), left_out)
    plans = []
    for domain, made in found.jobs.items():
        splits = jobs.input_splits(made)
        rate, basis = rate_of(domain), DEFAULTS
        if calibrate:
            try:
                rate, basis = measure(found.recipe, domain, made)
                stand_ins = [need.name for stage, need in found.missing if stage == domain]
                basis += f" with small models in place of {', '.join(stand_ins)}" if stand_ins else ""
            except StoppedError:
                raise
            except (RequestError, RunError) as error:
                basis = f"{DEFAULTS}, for nothing could be measured ({error})"
            if progress:
                progress(f"  {domain}: {said(rate)}, {basis}")
        size = sum(split.size for split in splits)
        plans.append(DomainPlan(domain, len({split.name for split in splits}), size, tuple(made), rate, basis))
    return Plan(recipe, plans, found.lines())


def said(rate: Rate) -> str:
    """A rate in words."""
    return f"{rate.bytes_per_second / 1e6:.1f} MB of stored input a core-second and {rate.start:.1f} s a task"


def left_out_notes(recipe: Recipe, stages: Sequence[str], left_out: LeftOut) -> list[str]:
    """What the stages' input folders hold that no stage of the recipe takes, and globs of theirs that match nothing.

    Of globs only those that the recipe gives: a stage's own name the formats that there may be.
    """
    left_out.claim_folders([recipe.path()])
    idle = []
    for stage in recipe.chosen():
        settings = recipe.settings(stage)
        root = (settings.root if settings is not None else None) or recipe.input
        if settings is None or not settings.inputs or root is None:
            continue
        left_out.claim(root, settings.inputs)
        if stage in stages and settings.inputs != type(settings).model_fields["inputs"].default:
            globs = left_out.idle(root, settings.inputs)
            idle += [f"{stage}: {root} holds no file that matches {', '.join(globs)}"] if globs else []
    return [*idle, *left_out.lines()]


def describe(plan: Plan, left_out: LeftOut | None = None) -> str:
    """The plan as text; ``left_out``: what making it saw and nobody takes."""
    recipe = plan.recipe
    lines = []
    if plan.missing:
        lines += ["missing:", *(f"  {line}" for line in plan.missing), ""]
    if not plan.domains:
        return "\n".join([*lines, "nothing can be planned before inputs are there"])
    lines += [_head(recipe, plan.domains), _table(plan.domains), *_totals(recipe, plan.domains)]
    lines += [whole_dump(recipe, one) for one in plan.domains if one.domain == "commoncrawl"]
    lines += [note for one in plan.domains if (note := _estimate(one))]
    lines += _notes(recipe)
    if left_out is not None:
        lines += left_out_notes(recipe, [one.domain for one in plan.domains], left_out)
    return "\n".join(lines)


def _head(recipe: Recipe, plans: Sequence[DomainPlan]) -> str:
    executor = recipe.executor
    stages = f"{len(plans)} stage{'s' if len(plans) != 1 else ''}"
    workers = f"{executor.workers} worker{'s' if executor.workers != 1 else ''}"
    return f"recipe {recipe.name}: {stages}, executor {executor.kind}, {workers}"


def _table(plans: Sequence[DomainPlan]) -> str:
    rows: list[tuple[str, ...]] = [
        (
            "stage",
            "files",
            "GB in",
            "MB/core-s",
            "s/task",
            "core-hours",
            "GB out",
            "GB work",
            "GB/worker",
            "jobs (tasks)",
        )
    ]
    for plan in plans:
        listed = ", ".join(f"{job.name.split('/', 1)[-1]} ({job.tasks})" for job in plan.jobs)
        rows.append(
            (
                plan.domain,
                f"{plan.files:,}",
                f"{plan.bytes_in / GB:,.3f}",
                f"{plan.rate.bytes_per_second / 1e6:.1f}",
                f"{plan.rate.start:.1f}",
                f"{plan.core_seconds / 3600:,.3f}",
                f"{plan.bytes_in * plan.rate.output / GB:,.3f}",
                f"{plan.bytes_in * plan.rate.work / GB:,.3f}",
                f"{plan.rate.memory / GB:,.1f}",
                listed,
            )
        )
    return format_table(rows)


def _totals(recipe: Recipe, plans: Sequence[DomainPlan]) -> list[str]:
    """Time, memory and disk of the whole, and what the figures rest on."""
    hours = sum(plan.core_seconds for plan in plans) / 3600
    workers = recipe.executor.workers
    # One domain runs after the other, and its work is removed behind it; a task needs a worker to itself.
    busy = sum(plan.core_seconds / min(workers, max(job.tasks for job in plan.jobs)) for plan in plans) / 3600
    memory = max(plan.rate.memory * min(workers, max(job.tasks for job in plan.jobs)) for plan in plans)
    out = sum(plan.bytes_in * plan.rate.output for plan in plans)
    work = max(plan.bytes_in * plan.rate.work for plan in plans)
    lines = [
        f"time: about {hours:,.2f} core-hours, {busy:,.2f} hours on {workers} worker{'s' if workers != 1 else ''}",
        f"memory: about {memory / GB:,.1f} GB for the workers of the largest stage, with small models; larger ones add "
        "their size once a machine, for all its workers read one copy",
        f"disk: about {out / GB:,.3f} GB stay; while a stage runs, at most {work / GB:,.3f} GB more{_free(recipe)}",
    ]
    for basis in dict.fromkeys(plan.basis for plan in plans):
        names = ", ".join(plan.domain for plan in plans if plan.basis == basis)
        lines.append(f"rates of {names}: {basis}")
    return lines


def _free(recipe: Recipe) -> str:
    """How much room there is where the run is to lie; "" where that cannot be told."""
    if not is_local(recipe.path()):
        return ""
    folder = os.path.abspath(local_path(recipe.path()))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return f"; {shutil.disk_usage(folder).free / GB:,.1f} GB are free at {folder}"


def _estimate(plan: DomainPlan) -> str:
    """That the sizes are not known one by one; "" when they are."""
    unknown = {split.name for split in jobs.input_splits(plan.jobs) if not (split.stamp or is_local(split.path))}
    if len(unknown) <= ASKED:
        return ""
    return f"{plan.domain}: the size of {len(unknown):,} files is an estimate, from asking for {SAMPLE} of them"


def whole_dump(recipe: Recipe, plan: DomainPlan) -> str:
    """What one dump of 24 TB of text would take at the plan's rate (CCNet's paper: about 45,000 core-hours).

    Its paper counts 1.5 billion distinct line hashes in a group of 50 of 1,600 shards (section 4.2).
    """
    rate = plan.rate
    stored = DUMP_CHARS / rate.text
    settings = recipe.settings("commoncrawl")
    piece = settings.max_task_bytes if settings is not None else 1 << 28
    seconds = stored / rate.bytes_per_second + len(plan.jobs) * stored / piece * rate.start
    share = _group_share(settings.dedup_group if isinstance(settings, CommonCrawl) else "all")
    hashes = CCNET_HASHES * share / (50 / 1600)
    return (
        f"a whole dump (24 TB of text, {stored / 1e12:,.1f} TB stored): {seconds / 3600:,.0f} core-hours, "
        f"{stored * rate.output / 1e12:,.2f} TB of documents; a dedup group of {share:.2%} of it has "
        f"{hashes / 1e9:,.1f} billion line hashes: {8 * hashes / GB:,.0f} GB on disk, of which the duplicated ones "
        "are mapped once a machine"
    )


def _group_share(group: int | str | None) -> float:
    """Share of a dump that one dedup group covers (a number of files: of CommonCrawl's 90,000 files of a dump)."""
    if group == "all":
        return 1.0
    if group is None:
        return 0.0
    if isinstance(group, str) and "/" in group:
        part, whole = group.split("/")
        return int(part) / int(whole)
    return min(1.0, int(group) / DUMP_FILES)


def _notes(recipe: Recipe) -> list[str]:
    notes = []
    cc = recipe.settings("commoncrawl")
    if isinstance(cc, CommonCrawl):
        notes.append(f"commoncrawl line dedup compares pages within groups of: {cc.dedup_group}")
    for name in recipe.chosen():
        steps = [step.chosen()[1] for step in getattr(recipe.settings(name), "steps", ())]
        notes += [f"{name}: {step.whole_dump()}" for step in steps if isinstance(step, near_dup.Settings)]
    weights = ", ".join(f"{name} {told(weight)}" for name, weight in recipe.mix.weights.items())
    notes.append(f"mix weights (shares of sampled tokens): {weights or 'none'}")
    named = dict.fromkeys(name.partition("/")[0] for name in recipe.mix.weights)
    absent = [name for name in named if name not in recipe.documents()]
    if absent:
        notes.append(f"the mix names domains that this recipe does not run: {', '.join(absent)}")
    if _holds_work(recipe):
        notes.append(f"{recipe.path()} already holds work; completed tasks with the same inputs and settings are kept")
    return notes


def _holds_work(recipe: Recipe) -> bool:
    try:
        return bool(recipe.output and list_files(recipe.path("logs"), ""))
    except RequestError:  # no package opens its kind of address, which stands among what is missing
        return False


def require_domains(recipe: Recipe) -> None:
    """Raise RequestError when the recipe chooses neither domain nor source."""
    if not recipe.chosen():
        raise RequestError(f"recipe {recipe.name!r}: nothing is chosen under `domains` or `sources`")
