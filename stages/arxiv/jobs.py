"""The arXiv domain: its settings and its jobs."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.files import Split, share_tasks
from llama_data.pipeline.core.head import Head
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import DomainSettings, limit_of
from llama_data.stages.arxiv.archive import Limits, cut
from llama_data.stages.arxiv.reader import ArxivReader, parse_id
from llama_data.stages.arxiv.rules import CutToBody, InlineAndExpand
from llama_data.stages.steps.contract import Built, StepContext, chain
from llama_data.stages.steps.repeated import FIRST_RECORD

DOMAIN = "arxiv"
COLUMNS = {
    "arxiv_id": "string",
    "main_file": "string",
    "further_main_files": "string",
    "encoding": "string",
    "body_from": "string",
    "macros_expanded": "int64",
    "macro_problem": "string",
    "files_read": "int64",
    "missing_inputs": "int64",
    "skipped_members": "int64",
}


class Settings(DomainSettings):
    """Settings of the arXiv stage.

    ``expand_macros``: replace what the paper defines. ``max_growth``: how many times longer than its source a
    paper may become by that. ``keep_abstract``, ``cut_appendix``, ``cut_after_bibliography``: Minerva's way
    where LLaMA's wording leaves it open. ``max_unpacked_bytes`` and ``max_members``: a paper that unpacks to more
    is refused (None: never).
    """

    inputs: tuple[str, ...] = ("**/*.tar",)
    expand_macros: bool = True
    max_growth: float = Field(default=4.0, ge=1.0)
    keep_abstract: bool = False
    cut_appendix: bool = False
    cut_after_bibliography: bool = False
    max_unpacked_bytes: int | None = Field(default=1 << 30, ge=0)
    max_members: int | None = Field(default=20_000, ge=0)

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """What is TeX, and what of it is the body."""
        return (
            Check(step=ArxivReader.name, says="unpacks the paper and looks for TeX", reasons=(Reason.no_tex,)),
            Check(
                step=InlineAndExpand.name,
                says="puts the files together and expands macros",
                reasons=(Reason.no_tex, Reason.no_body),
                shows=("files_read", "missing_inputs", "macros_expanded", "macro_problem"),
            ),
            Check(
                step=CutToBody.name,
                says="cuts to the body",
                reasons=(Reason.empty_after_cleaning,),
                shows=("body_from",),
            ),
            FIRST_RECORD,
        )


def claims(head: Head) -> bool:
    """True for the head of a tar of papers, whose names are arXiv's identifiers."""
    papers = (name for name in head.members if name.lower().endswith((".gz", ".pdf")))
    return not head.compression and any(parse_id(name) is not None for name in papers)


def reader(settings: Settings, splits: Sequence[Split]) -> Reader:
    """What reads these tars as a run does."""
    limits = Limits(unpacked_bytes=limit_of(settings.max_unpacked_bytes), members=limit_of(settings.max_members))
    return ArxivReader(splits=splits, domain=DOMAIN, limits=limits)


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """Read, inline and expand, cut, write: tasks of pieces of tars; then, of a paper in two tars, the first.

    Raises:
        InputError: there is no tar.
    """
    files = run.find(settings.inputs)
    pieces = [piece for split in files for piece in cut(split, settings.max_task_bytes)]
    tasks = share_tasks(pieces, settings.max_task_bytes)
    limits = Limits(unpacked_bytes=limit_of(settings.max_unpacked_bytes), members=limit_of(settings.max_members))
    context = StepContext.reading(tasks, run=run, domain=DOMAIN, task_bytes=settings.max_task_bytes)
    rules = [
        InlineAndExpand(macros=settings.expand_macros, growth=settings.max_growth),
        CutToBody(
            keep_abstract=settings.keep_abstract,
            appendix=not settings.cut_appendix,
            after_bibliography=not settings.cut_after_bibliography,
        ),
    ]
    reader = ArxivReader(tasks=tasks, domain=DOMAIN, limits=limits)
    return chain(context, [reader], [Built(rules=rules)], columns=COLUMNS, natural_keys=True)
