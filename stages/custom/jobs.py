"""A user's source: its settings, and the jobs that its steps come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.needs import Need
from llama_data.pipeline.core.paths import choose
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.stages.custom.fields import Fields, Format, SplitBy, Value
from llama_data.stages.custom.huggingface import huggingface_files
from llama_data.stages.custom.layouts import LAYOUTS, layout_fields, layout_of
from llama_data.stages.custom.pages import FIELDS
from llama_data.stages.custom.reader import SourceReader, make_tasks
from llama_data.stages.shared.html import NO_PAGE, Content, Reading, check_extractor
from llama_data.stages.shared.main_content import Extractor
from llama_data.stages.steps.catalogue import OneStep
from llama_data.stages.steps.contract import StepContext, build_all, chain
from llama_data.stages.steps.length import EMPTY, EmptyText

COLUMNS = {"source_id": "string", "title": "string"}


def _known(name: str) -> str:
    if name not in LAYOUTS:
        raise ValueError(f"there is no such layout; there are: {', '.join(LAYOUTS)}")
    return name


class Settings(DomainSettings):
    """A source of documents of your own.

    ``inputs``: globs below ``root`` or the recipe's ``input``; null: ``root`` is a Hugging Face dataset (saved, a
    folder of the hub's cache, a repository), whose own files are found. ``format``: ``auto`` goes by a file's name and
    first bytes; ``warc`` is WARC, WET and ARC: ``content`` is what of an HTML page is its text, ``all`` that is visible
    (as WET has it) or the ``main`` content, which ``extractor`` finds. ``layout``: how a known dataset writes its rows;
    ``fields`` that are given go before the layout's.
    ``where``: of each field named the values that a row must have one of. ``split``: several domains out of one source.
    ``language``: what all texts are known to be in. ``license``: a note that every document carries. ``steps``: what
    the texts go through, in this order; a step that compares documents with each other reads the input once more.
    ``max_task_bytes``: many small files share a task of so many stored bytes, and a larger parquet file is cut.
    """

    inputs: tuple[str, ...] | None = None  # type: ignore[assignment]
    format: Format = "auto"
    content: Content = "all"
    extractor: Extractor = "resiliparse"
    layout: Annotated[str, AfterValidator(_known)] | None = None
    fields: Fields = Fields()
    where: dict[str, tuple[Value, ...]] = Field(default_factory=dict)
    split: SplitBy | None = None
    language: str | None = None
    license: str | None = None
    steps: tuple[OneStep, ...] = ()

    @model_validator(mode="after")
    def _extractor_is_asked(self) -> Settings:
        check_extractor(self.content, self.extractor)
        if self.content == "main" and self.format not in ("warc", "auto"):
            raise ValueError(f"content: main is of HTML pages; the format is {self.format}, not warc")
        return self

    def needs(self) -> list[Need]:
        """The models of its steps."""
        chosen = [(number, *step.chosen()) for number, step in enumerate(self.steps)]
        return [need.below(f"steps.{number}.{name}") for number, name, step in chosen for need in step.needs()]

    def outputs(self, name: str) -> list[str]:
        """The domains that get documents of the source ``name``."""
        return [name] if self.split is None else list(self.split.into)

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """Which rows are taken, then the steps. Behind one that edits texts the ledger has no length to compare."""
        pages = sorted(NO_PAGE) if self.format == "warc" else []
        reasons = (Reason.row_not_chosen, *pages)
        found = [Check(step=SourceReader.name, says="takes the chosen rows", reasons=reasons), EMPTY]
        edited = False
        for step in self.steps:
            settings = step.chosen()[1]
            lengths = edited and any(check.figure == "chars_in" for check in settings.checks(models_dir))
            found += [
                replace(check, figure=None) if lengths and check.figure == "chars_in" else check
                for check in settings.checks(models_dir)
            ]
            edited = edited or settings.edits
        return tuple(found)


def find_inputs(settings: Settings, run: RunContext) -> list[Split]:
    """The files of a source. Raises InputError: there is none."""
    if settings.inputs is None:
        return choose(huggingface_files(run.input, run.left_out), run.choice, lambda split: split.name)
    return run.find(settings.inputs)


def reader(settings: Settings, tasks: Sequence[Sequence[Split]], name: str) -> SourceReader:
    """What reads the files of the source ``name``. Raises RequestError: the settings do not fit the layout."""
    layout = None if settings.layout is None else layout_of(settings.layout)
    return SourceReader(
        tasks=tasks,
        domain=name,
        format=layout.format if layout is not None and settings.format == "auto" else settings.format,
        fields=_fields(settings),
        where=settings.where,
        split=settings.split,
        language=settings.language,
        license=settings.license,
        reading=Reading(settings.content, settings.extractor),
    )


def _fields(settings: Settings) -> Fields:
    if settings.format == "warc" and settings.layout is None:
        return FIELDS.model_copy(update=settings.fields.model_dump(exclude_unset=True))
    return layout_fields(settings.layout, settings.fields)


def jobs(settings: Settings, run: RunContext, name: str) -> list[Job]:
    """The jobs of the source ``name``.

    Raises:
        InputError: there is no input.
        RequestError: a step cannot be made; says why.
    """
    tasks = make_tasks(find_inputs(settings, run), settings.max_task_bytes)
    context = StepContext.reading(
        tasks,
        run=run,
        domain=name,
        task_bytes=settings.max_task_bytes,
        known=frozenset() if settings.language is None else frozenset({"language"}),
    )
    steps = build_all([step.chosen() for step in settings.steps], context)
    domains = list(dict.fromkeys([name, *settings.outputs(name)]))
    return chain(context, [reader(settings, tasks, name), EmptyText()], steps, columns=COLUMNS, domains=domains)
