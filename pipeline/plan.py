"""What a recipe would run: inputs found, jobs, and estimates of time, memory and disk. Writes nothing of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llama_data.pipeline import execution, jobs
from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import atomic_write, is_local, join, list_files
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.core.paths import ASKED, SAMPLE
from llama_data.pipeline.recipe import Recipe
from llama_data.pipeline.registry import SOURCE_RATE, STAGES, Rate
from llama_data.pipeline.summary import format_table, summarise
from llama_data.stages.commoncrawl.jobs import Settings as CommonCrawl
from llama_data.stages.custom import jobs as custom

GB = 1e9
CALIBRATION_BYTES = 8_000_000
DUMP_CHARS = 24e12
DUMP_FILES = 90_000
CCNET_HASHES = 1.5e9


@dataclass(frozen=True)
class DomainPlan:
    """The plan of one domain; ``core_seconds`` and the byte counts are estimates from ``rate``."""

    domain: str
    files: int
    bytes_in: int
    jobs: tuple[Job, ...]
    rate: Rate

    @property
    def core_seconds(self) -> float:
        """Seconds on one core."""
        return self.bytes_in / self.rate.bytes_per_second


def make_plan(
    recipe: Recipe,
    calibrate: bool = False,
    progress: Callable[[str], None] | None = None,
    left_out: LeftOut | None = None,
) -> list[DomainPlan]:
    """Find the inputs and jobs of every chosen domain; ``left_out`` is told what none of them takes.

    Raises:
        RequestError: an input or a model is missing.
    """
    plans = []
    for domain in recipe.chosen():
        made = tuple(jobs.stage_jobs(recipe, domain, left_out))
        splits = jobs.input_splits(made)
        files = {split.name: split for split in splits}
        rate = _rate(domain)
        if calibrate:
            try:
                rate = measure(recipe, domain)
                told = f"{rate.bytes_per_second / 1e6:.2f} MB of stored input a core-second"
            except InputError as error:
                # Its jobs stand, so there is input: of a kind that no glob of `inputs` finds, as repositories are.
                told = f"not measured ({error}); the rate is that of other data"
            if progress:
                progress(f"  {domain}: {told}")
        plans.append(DomainPlan(domain, len(files), sum(split.size for split in splits), made, rate))
    return plans


def _rate(stage: str) -> Rate:
    return STAGES[stage].rate if stage in STAGES else SOURCE_RATE


def measure(recipe: Recipe, domain: str) -> Rate:
    """Run a domain on a few MB of its own input in a temporary folder and take the rates from that."""
    settings = recipe.settings(domain)
    if settings is None:
        raise RequestError(f"{domain}: the recipe {recipe.name!r} has no settings for this stage")
    context = recipe.context(domain)
    if isinstance(settings, custom.Settings):
        files = custom.find_inputs(settings, context)
    else:
        files = context.find(settings.inputs, exact=False)
    chosen, total = [], 0
    for split in files:
        chosen.append(split)
        total += split.size
        if total >= CALIBRATION_BYTES:
            break
    with tempfile.TemporaryDirectory(prefix="llama-data-calibrate-") as folder:
        listed = join(folder, "chosen.paths")
        with atomic_write(listed) as stream:
            stream.write("\n".join(split.path for split in chosen).encode())
        small = settings.model_copy(update={"inputs": (), "root": listed, "share": None})
        executor = recipe.executor.model_copy(update={"kind": "local", "workers": 1})
        trial = recipe.with_settings(domain, small).model_copy(update={"output": folder, "executor": executor})
        launched = execution.execute(jobs.stage_jobs(trial, domain), trial, lambda line: None)
        seconds = max(sum(job.cpu for job in launched), 1e-3)
        summaries = [summarise(trial.context(domain), name) for name in trial.ledgers(domain)]
        out = sum(summary.bytes_out for summary in summaries)
        chars = sum(summary.chars_in for summary in summaries)
        work = sum(_tree_bytes(trial.context(domain).work(domain)))
    total = max(total, 1)
    return Rate(total / seconds, out / total, work / total, _rate(domain).memory, chars / total)


def _tree_bytes(folder: str) -> list[int]:
    from pathlib import Path

    return [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]


def left_out_notes(recipe: Recipe, stages: Sequence[str], left_out: LeftOut) -> list[str]:
    """What the stages' input folders hold that no stage of the recipe takes, and globs of theirs that match nothing.

    Of globs only those that the recipe gives: a stage's own name the formats that there may be.
    """
    left_out.claim_folders([recipe.path()])
    idle = []
    for stage in recipe.chosen():
        settings, root = recipe.settings(stage), recipe.context(stage).input
        if settings is None or not settings.inputs:
            continue
        left_out.claim(root, settings.inputs)
        if stage in stages and "inputs" in settings.model_fields_set:
            globs = left_out.idle(root, settings.inputs)
            idle += [f"{stage}: {root} holds no file that matches {', '.join(globs)}"] if globs else []
    return [*idle, *left_out.lines()]


def describe(recipe: Recipe, plans: list[DomainPlan], left_out: LeftOut | None = None) -> str:
    """The plan as text; ``left_out``: what making it saw and nobody takes."""
    rows: list[tuple[str, ...]] = [
        ("stage", "files", "GB in", "core-hours", "GB out", "GB work", "GB/worker", "jobs (tasks)")
    ]
    for plan in plans:
        listed = ", ".join(f"{job.name.split('/', 1)[-1]} ({job.tasks})" for job in plan.jobs)
        rows.append(
            (
                plan.domain,
                f"{plan.files:,}",
                f"{plan.bytes_in / GB:,.3f}",
                f"{plan.core_seconds / 3600:,.3f}",
                f"{plan.bytes_in * plan.rate.output / GB:,.3f}",
                f"{plan.bytes_in * plan.rate.work / GB:,.3f}",
                f"{plan.rate.memory / GB:,.1f}",
                listed,
            )
        )
    core_hours = sum(plan.core_seconds for plan in plans) / 3600
    workers = recipe.executor.workers
    lines = [
        f"recipe {recipe.name}: {len(plans)} stages, executor {recipe.executor.kind}, {workers} workers",
        format_table(rows),
        f"about {core_hours:,.2f} core-hours: {core_hours / workers:,.2f} hours when tasks fill {workers} workers",
    ]
    lines += [whole_dump(recipe, plan) for plan in plans if plan.domain == "commoncrawl"]
    lines += [note for plan in plans if (note := _estimate(plan))]
    lines += _notes(recipe)
    if left_out is not None:
        lines += left_out_notes(recipe, [plan.domain for plan in plans], left_out)
    return "\n".join(lines)


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
    share = _group_share(settings.dedup_group if isinstance(settings, CommonCrawl) else "all")
    hashes = CCNET_HASHES * share / (50 / 1600)
    return (
        f"a whole dump (24 TB of text, {stored / 1e12:,.1f} TB stored): {stored / rate.bytes_per_second / 3600:,.0f} "
        f"core-hours, {stored * rate.output / 1e12:,.2f} TB of documents; a dedup group of {share:.2%} of it has "
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
    weights = ", ".join(f"{name} {share:.1%}" for name, share in recipe.mix.weights.items())
    notes.append(f"mix weights (shares of sampled tokens): {weights or 'none'}")
    absent = [name for name in recipe.mix.weights if name not in recipe.documents()]
    if absent:
        notes.append(f"the mix names domains that this recipe does not run: {', '.join(absent)}")
    if recipe.output and list_files(recipe.path("logs"), ""):
        notes.append(f"{recipe.path()} already holds work; completed tasks with the same inputs and settings are kept")
    return notes


def require_domains(recipe: Recipe) -> None:
    """Raise RequestError when the recipe chooses neither domain nor source."""
    if not recipe.chosen():
        raise RequestError(f"recipe {recipe.name!r}: nothing is chosen under `domains` or `sources`")
