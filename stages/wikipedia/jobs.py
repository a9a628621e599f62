"""The Wikipedia domain: its settings and its jobs."""

from __future__ import annotations

from pydantic import Field

from llama_data.pipeline.core.files import list_inputs
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.settings import DomainSettings, limit_of
from llama_data.stages.steps.contract import Built, StepContext, chain
from llama_data.stages.wikipedia.dump.pieces import cut, inspect, label_dumps
from llama_data.stages.wikipedia.languages import LANGUAGES
from llama_data.stages.wikipedia.reader import WikipediaReader
from llama_data.stages.wikipedia.rules import CleanWikitext, SelectArticles, TitlePlace

DOMAIN = "wikipedia"


COLUMNS = {"page_id": "int64", "title": "string", "templates_unknown": "int64", "too_deep": "int64"}


class Settings(DomainSettings):
    """``languages``: codes of the Wikipedias that are kept (None: all). ``title``: whether the title becomes the
    first line.

    ``disambiguation``: keep disambiguation pages. ``min_chars``: shortest text that is kept (0 or None: any that is not
    empty).
    ``max_page_chars``: longest wikitext that is cleaned (None: any).
    """

    inputs: tuple[str, ...] = ("*wiki*.xml*", "*wiki*.bz2", "*wiki*.gz")
    max_task_bytes: int = Field(default=16 << 20, gt=0)
    languages: tuple[str, ...] | None = LANGUAGES
    title: TitlePlace = "drop"
    disambiguation: bool = True
    min_chars: int | None = Field(default=1, ge=0)
    max_page_chars: int | None = Field(default=4 << 20, ge=0)


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """Read, select, clean, write: one task for each piece of a dump; then, of a page in two dumps, the first.

    Raises:
        InputError: there is no dump, or one whose language cannot be told.
    """
    files = list_inputs(run.input, settings.inputs, run.left_out)
    dumps = label_dumps(files, {split.name: inspect(split) for split in files})
    splits = [piece for split in files for piece in cut(split, settings.max_task_bytes)]
    context = StepContext.reading(splits, run=run, domain=DOMAIN, task_bytes=settings.max_task_bytes)
    rules = [
        SelectArticles(languages=settings.languages, disambiguation=settings.disambiguation),
        CleanWikitext(
            title=settings.title,
            min_chars=max(settings.min_chars or 0, 1),
            max_page_chars=limit_of(settings.max_page_chars),
        ),
    ]
    reader = WikipediaReader(splits=splits, domain=DOMAIN, dumps=dumps)
    return chain(context, [reader], [Built(rules=rules)], columns=COLUMNS, natural_keys=True)
