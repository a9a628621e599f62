"""What a step is to a recipe: settings that build rules, and the jobs that must run before these can decide.

A chain is a reader and a list of steps. Most steps are rules over one document. A step that needs a global view (a
line's copies, a text's) also has passes: jobs over the documents as the steps before it leave them, then jobs over
what those left behind. ``chain`` puts passes and rules together, for the seven domains and a user's own sources alike.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from datatrove.pipeline.base import PipelineStep  # type: ignore[import-untyped]

from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.files import Split, join
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.needs import Need
from llama_data.pipeline.core.settings import Strict
from llama_data.pipeline.core.sink import Sink
from llama_data.stages.steps.repeated import unique_jobs


@dataclass(frozen=True)
class StepContext:
    """What a step may know of the chain that it stands in.

    ``sizes``: for each task of the jobs that read, the bytes of its input as they are stored. ``task_bytes``: with how
    many a task should have to do. ``work``: a folder of the step's own. ``known``: metadata that every document
    has when it comes to the step.
    """

    run: RunContext
    domain: str
    sizes: tuple[int, ...]
    task_bytes: int
    work: str
    known: frozenset[str] = frozenset()

    @classmethod
    def reading(
        cls,
        tasks: Sequence[Sequence[Split]],
        *,
        run: RunContext,
        domain: str,
        task_bytes: int,
        known: frozenset[str] = frozenset(),
    ) -> Self:
        """The context of a chain whose reader's ``tasks`` have these splits."""
        sizes = tuple(sum(split.size for split in task) for task in tasks)
        return cls(run=run, domain=domain, sizes=sizes, task_bytes=task_bytes, work=run.work(domain), known=known)

    @property
    def tasks(self) -> int:
        """Number of tasks that read."""
        return len(self.sizes)

    @property
    def stored(self) -> int:
        """Bytes of the whole input."""
        return sum(self.sizes)


@dataclass(frozen=True)
class Pass:
    """A job that runs before the step's rules can decide.

    ``tasks`` None: its ``steps`` stand behind the reader and the rules before the step, in as many tasks. Otherwise
    they run by themselves. ``reads`` False: they also read by themselves, in the tasks of the reader.
    """

    name: str
    steps: Sequence[PipelineStep]
    tasks: int | None = None
    reads: bool = True


@dataclass(frozen=True)
class Built:
    """What a step comes to: its passes, its rules, the ledger's ``columns`` (name to Arrow type) that these fill.

    ``sets``: metadata that a document has after the step. ``instead``: what gives the documents as they are behind the
    step once its passes have run, in the tasks of the reader: it stands for the reader and all rules until here.
    """

    rules: Sequence[PipelineStep] = ()
    passes: Sequence[Pass] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    sets: frozenset[str] = frozenset()
    instead: Sequence[PipelineStep] = ()


class StepSettings(Strict):
    """Settings of a step, as a recipe writes them; the class's docstring is what the documentation shows.

    ``edits``: the step changes texts, so that behind it the ledger's length as read is not what a rule sees.
    """

    edits: ClassVar[bool] = False

    def needs(self) -> list[Need]:
        """The models that the settings name; none, unless a step says which."""
        return []

    @abstractmethod
    def build(self, context: StepContext) -> Built:
        """The rules and passes. Raises RequestError: a model is missing, or the settings do not fit the chain."""

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """What the rules compare, in their order; ``models_dir``: the recipe's."""
        return ()


def build_all(steps: Sequence[tuple[str, StepSettings]], context: StepContext) -> list[Built]:
    """Build steps in their order; each has a folder and job names by its number, so one may stand there twice."""
    built: list[Built] = []
    for number, (name, settings) in enumerate(steps, 1):
        own = f"{number:02d}-{name}"
        made = settings.build(replace(context, work=join(context.work, own)))
        passes = [replace(step, name=f"{own}-{step.name}") for step in made.passes]
        built.append(replace(made, passes=passes))
        context = replace(context, known=context.known | made.sets)
    return built


def chain(
    context: StepContext,
    begin: Sequence[PipelineStep],
    steps: Sequence[Built],
    *,
    columns: Mapping[str, str] | None = None,
    domains: Sequence[str] = (),
    natural_keys: bool = False,
) -> list[Job]:
    """The jobs of a domain: the passes of its steps in their order, then the documents.

    ``begin``: the reader and whatever always stands behind it. ``columns``: the source's own columns of the ledger.
    ``domains``: as in ``Sink``. ``natural_keys``: ids are the source's own and do not hold the place of their
    record, so two records may have one; two jobs behind the documents see to it that one is kept.
    """
    jobs: list[Job] = []
    rules = list(begin)
    all_columns = dict(columns or {})
    for step in steps:
        for made in step.passes:
            first = rules if made.reads and made.tasks is None else []
            jobs.append(Job(f"{context.domain}/{made.name}", [*first, *made.steps], made.tasks or context.tasks))
        rules = [*(step.instead or rules), *step.rules]
        all_columns |= step.columns
    work = join(context.work, "unique") if natural_keys else None
    sink = Sink(run=context.run, domain=context.domain, columns=all_columns, domains=domains, keys=work)
    jobs.append(Job(f"{context.domain}/documents", [*rules, sink], context.tasks))
    return jobs if work is None else [*jobs, *unique_jobs(context.run, context.domain, work, context.sizes)]
