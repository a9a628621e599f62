"""``llama-data run``: raw dumps to documents, one stage or all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llama_data.pipeline.commands import options
from llama_data.pipeline.core.domains import DOMAINS

if TYPE_CHECKING:
    from llama_data.pipeline.core.job import Job
    from llama_data.pipeline.finish import Group
    from llama_data.pipeline.recipe import Recipe
    from llama_data.pipeline.summary import DomainSummary

_STAGES = f"One or more of: {' '.join(DOMAINS)}; a source of the recipe; all."


def run(
    stage: Annotated[list[str], typer.Argument(help=_STAGES)],
    config: options.Config = None,
    input: options.Input = None,
    output: options.Output = None,
    workers: options.Workers = None,
    executor: options.Executor = None,
    max_task_failures: options.TaskFailures = None,
    models_dir: options.ModelsDir = None,
    starter_models: options.StarterModels = False,
    share: options.Share = None,
    base: options.Base = None,
    overwrite: options.Overwrite = False,
    annotate_only: Annotated[
        bool, typer.Option("--annotate-only", help="commoncrawl: write the scores, reject nothing by them.")
    ] = False,
    from_ledger: Annotated[
        str | None,
        typer.Option("--from-ledger", help="commoncrawl: apply the thresholds to this annotated run; no model runs."),
    ] = None,
    keep_fraction: Annotated[
        float | None,
        typer.Option(
            "--keep-fraction", min=0.0, max=1.0, help="With --from-ledger: reference threshold by share of pages."
        ),
    ] = None,
    keep_chars: Annotated[
        str | None,
        typer.Option("--keep-chars", help="With --from-ledger: reference threshold by characters kept, like 200B."),
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Turn raw dumps into clean documents, with a ledger of what happened to every record."""
    changes = options.overrides(
        input=input,
        output=output,
        workers=workers,
        executor=executor,
        models_dir=models_dir,
        max_task_failures=max_task_failures,
    )
    with options.shown(quiet, as_json):
        recipe = _recipe(
            stage, config, changes, annotate_only=annotate_only, from_ledger=from_ledger, share=share, base=base
        )
        if keep_fraction is not None or keep_chars is not None:
            recipe = _with_target(recipe, keep_fraction, keep_chars)
        stages = recipe.chosen() if "all" in stage else list(dict.fromkeys(stage))
        if starter_models:
            recipe = options.take_starters(recipe, stages)
        run_stages(recipe, stages, overwrite=overwrite)


def _recipe(
    stages: list[str],
    config: str | None,
    changes: dict[str, object],
    *,
    annotate_only: bool,
    from_ledger: str | None,
    share: str | None,
    base: str | None,
) -> Recipe:
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.recipe import load_recipe

    if (annotate_only or from_ledger) and stages != ["commoncrawl"]:
        raise RequestError("--annotate-only and --from-ledger belong to the stage commoncrawl alone")
    if annotate_only:
        changes["domains.commoncrawl.annotate_only"] = True
    if from_ledger is not None:
        changes["domains.commoncrawl.from_ledger"] = from_ledger
    if config is not None:
        recipe = load_recipe(config, changes)
        _check(stages, recipe.chosen())
        chosen = recipe.chosen() if "all" in stages else [name for name in stages if name in recipe.chosen()]
        narrower = options.choice(chosen, share, base)
        return load_recipe(config, {**changes, **narrower}) if narrower else recipe
    if "all" in stages:
        raise RequestError("run all needs a recipe: give -c RECIPE (configs/corpus.yaml shows one)")
    _check(stages, [])
    changes |= options.choice(stages, share, base)
    return load_recipe("llama", {"domains": {name: {} for name in stages}, **changes})


def _check(stages: list[str], own: list[str]) -> None:
    """Refuse the name of a stage that neither the recipe nor anybody has."""
    from llama_data.pipeline.core.errors import RequestError

    known = list(dict.fromkeys([*DOMAINS, *own, "all"]))
    unknown = [name for name in stages if name not in known]
    if unknown:
        raise RequestError(f"{unknown[0]}: no such stage; expected one or more of: {' '.join(known)}")


def _with_target(recipe: Recipe, fraction: float | None, chars: str | None) -> Recipe:
    """The recipe with the reference threshold that keeps what is wanted of the annotated run."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.settings import parse_count
    from llama_data.pipeline.live.display import current
    from llama_data.stages.commoncrawl.jobs import Settings
    from llama_data.stages.commoncrawl.target import reference_target

    settings = recipe.settings("commoncrawl")
    if not isinstance(settings, Settings) or settings.from_ledger is None:
        raise RequestError("--keep-fraction and --keep-chars need --from-ledger, an annotated run of commoncrawl")
    count = parse_count(chars) if chars is not None else None
    if (fraction is None) == (count is None) or (count is not None and not str(count).isdigit()):
        raise RequestError("give either --keep-fraction, or --keep-chars with a number like 200B")
    target = reference_target(
        settings.from_ledger, settings.thresholds(), fraction=fraction, chars=None if count is None else int(count)
    )
    current().say(str(target))
    return recipe.with_settings("commoncrawl", settings.model_copy(update={"reference_threshold": target.threshold}))


def run_stages(recipe: Recipe, stages: list[str], *, overwrite: bool = False) -> list[DomainSummary]:
    """Run the jobs of domains and sources one after the other, print the table, and check each domain's ledger.

    A stage whose tasks fail does not keep the stages after it from being run.

    Raises:
        RunError: tasks of a stage failed, it has no documents, or more failed records than the recipe allows.
    """
    from llama_data.pipeline import ready
    from llama_data.pipeline.core.left_out import LeftOut
    from llama_data.pipeline.executors.holding import hold
    from llama_data.pipeline.live.display import current
    from llama_data.pipeline.plan import left_out_notes

    left_out = LeftOut()
    found = ready.find(recipe, stages, left_out)
    found.require()
    for line in left_out_notes(recipe, stages, left_out):
        current().say(line)
    with hold(recipe, stages):
        return _run_held(recipe, found.jobs, overwrite)


def _run_held(recipe: Recipe, planned: dict[str, list[Job]], overwrite: bool) -> list[DomainSummary]:
    from llama_data.pipeline import execution, history, made_from, summary
    from llama_data.pipeline.core.errors import RunError, StoppedError
    from llama_data.pipeline.executors.crew import foresee
    from llama_data.pipeline.groups import stage_group
    from llama_data.pipeline.live import then
    from llama_data.pipeline.live.display import current
    from llama_data.pipeline.live.results import Ending, Result

    shown = current()
    groups = {stage: stage_group(recipe, stage) for stage in planned}
    ready = {stage: _prepare(recipe, stage, groups[stage], made, overwrite) for stage, made in planned.items()}
    history.write_recipe(recipe, "run")
    foresee(module for made in ready.values() for job in made for module in job.modules())
    summaries, problems = [], []
    with shown.follow(recipe.path(), [groups[stage].name for stage, made in ready.items() if made]):
        for stage, made in ready.items():
            wrong: RunError | None = None
            try:
                with made_from.noting_failure(groups[stage], recipe.path()):
                    execution.execute(made, recipe, shown.say, shown.again)
            except StoppedError:
                raise
            except RunError as error:
                wrong = error
            if made and wrong is None and recipe.executor.kind == "slurm":
                continue
            if wrong is not None and not execution.is_complete(made[-2], recipe):
                problems.append(str(wrong))
                continue
            # All is written; where the last job still refuses it, it may be for what the ledgers say.
            found = [summary.counted(recipe.context(stage), domain) for domain in recipe.ledgers(stage)]
            problem = summary.problem(stage, found, recipe.failure_limit)
            if wrong is not None and problem is None:
                problems.append(str(wrong))
                continue
            problems += [] if problem is None else [problem]
            summaries += found
    submitted = recipe.executor.kind == "slurm" and any(ready.values())
    next_ = then.while_submitted(recipe) if submitted else then.after_documents(recipe)
    if summaries or submitted:
        rows = [summary.row(recipe.context(), item) for item in summaries]
        then_ = [] if problems else next_
        ended: Ending = "failed" if problems else "submitted" if submitted else "done"
        shown.result(Result(rows, shown.seconds, [recipe.path()], then_, ended=ended))
    if problems:
        raise RunError("\n".join(problems))
    return summaries


def _prepare(recipe: Recipe, stage: str, group: Group, made: list[Job], overwrite: bool) -> list[Job]:
    """The jobs of a stage that are to be executed; see ``made_from.prepare``."""
    from functools import partial

    from llama_data.pipeline import made_from
    from llama_data.pipeline.finish import FinishStage
    from llama_data.pipeline.live.display import current

    chosen = recipe.settings(stage)
    settings = {**(chosen.model_dump(mode="json") if chosen else {}), "seed": recipe.seed}
    settings |= {name: getattr(recipe, name) for name in ("rejected_sample", "documents_per_file")}
    ready = made_from.prepare(
        group,
        made,
        recipe,
        settings,
        finish=partial(FinishStage, domains=recipe.ledgers(stage), limit=recipe.failure_limit),
        reads_inputs=True,
        overwrite=overwrite,
        say=current().say,
    )
    if not ready:
        current().say(f"  {stage}: complete and made from the same; nothing to do")
    return ready
