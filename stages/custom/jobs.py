"""A user's source: its settings, and the jobs that its steps come to."""

from __future__ import annotations

from pydantic import Field

from llama_data.pipeline.core.files import group_splits, list_inputs
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.stages.custom.fields import Fields, Format, SplitBy
from llama_data.stages.custom.layouts import Layout, layout_fields
from llama_data.stages.custom.reader import SourceReader
from llama_data.stages.steps.catalogue import OneStep
from llama_data.stages.steps.contract import StepContext, build_all, chain
from llama_data.stages.steps.length import EmptyText

_TYPES = {"title": "string", "source_id": "string"}


class Settings(DomainSettings):
    """A source of documents of your own.

    ``format``: ``auto`` goes by a file's name and first bytes. ``layout``: how a known data set writes its rows;
    ``fields`` that are given go before the layout's. ``where``: of each field named the values that a row must have
    one of. ``split``: several domains out of one source. ``language``: what all texts are known to be in.
    ``license``: a note that every document carries. ``steps``: what the texts go through, in this order; a step
    that compares documents with each other reads the input once more. ``max_task_bytes``: many small files share a
    task of so many stored bytes.
    """

    inputs: tuple[str, ...] = ("**/*",)
    format: Format = "auto"
    layout: Layout | None = None
    fields: Fields = Fields()
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    split: SplitBy | None = None
    language: str | None = None
    license: str | None = None
    steps: tuple[OneStep, ...] = ()

    def outputs(self, name: str) -> list[str]:
        """The domains that get documents of the source ``name``."""
        return [name] if self.split is None else list(self.split.into)


def jobs(settings: Settings, run: RunContext, name: str) -> list[Job]:
    """The jobs of the source ``name``.

    Raises:
        InputError: there is no input.
        RequestError: a step cannot be made; says why.
    """
    splits = list_inputs(run.input, settings.inputs)
    tasks = group_splits(splits, settings.max_task_bytes)
    reader = SourceReader(
        tasks=tasks,
        domain=name,
        format=settings.format,
        fields=layout_fields(settings.layout, settings.fields),
        where=settings.where,
        split=settings.split,
        language=settings.language,
        license=settings.license,
    )
    context = StepContext(
        run=run,
        domain=name,
        sizes=tuple(sum(split.size for split in task) for task in tasks),
        task_bytes=settings.max_task_bytes,
        work=run.work(name),
        known=frozenset() if settings.language is None else frozenset({"language"}),
    )
    steps = build_all([step.chosen() for step in settings.steps], context)
    domains = list(dict.fromkeys([name, *settings.outputs(name)]))
    return chain(context, [reader, EmptyText()], steps, columns=_TYPES, domains=domains)
