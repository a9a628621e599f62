"""The Wikipedia domain: its settings; a first look at the dumps' templates, then the articles."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.errors import InputError, ModelError
from llama_data.pipeline.core.files import Split, exists, share_tasks
from llama_data.pipeline.core.head import Head
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import DomainSettings, limit_of
from llama_data.stages.steps.contract import Built, StepContext, chain
from llama_data.stages.steps.repeated import FIRST_RECORD
from llama_data.stages.wikipedia.dump.pieces import cut, inspect, is_index, label_dumps
from llama_data.stages.wikipedia.languages import LANGUAGES
from llama_data.stages.wikipedia.reader import WikipediaReader
from llama_data.stages.wikipedia.rules import CleanWikitext, SelectArticles, TitlePlace
from llama_data.stages.wikipedia.template_pages import definitions_path, passes

DOMAIN = "wikipedia"
FROM_DUMP = "dump"


COLUMNS = {
    "page_id": "int64",
    "title": "string",
    "templates_unknown": "int64",
    "templates_unknown_names": "string",
    "templates_lost_names": "string",
    "too_deep": "int64",
    "unclosed_comment": "int64",
}


class Settings(DomainSettings):
    """``languages``: codes of the Wikipedias that are kept (None: all). ``title``: whether the title becomes the
    first line.

    ``disambiguation``: keep disambiguation pages. ``min_chars``: shortest text that is kept (0 or None: any that is not
    empty). ``max_page_chars``: longest wikitext that is cleaned (None: any). ``template_definitions``: whose
    definitions show the templates that the built-in tables do not know: ``dump`` those of the dumps themselves (one
    more pass over them), a folder those that ``models train-templates`` has written there, None nobody's.
    """

    inputs: tuple[str, ...] = ("*wiki*.xml*", "*wiki*.bz2", "*wiki*.gz")
    max_task_bytes: int = Field(default=16 << 20, gt=0)
    languages: tuple[str, ...] | None = LANGUAGES
    title: TitlePlace = "drop"
    disambiguation: bool = True
    min_chars: int | None = Field(default=1, ge=0)
    max_page_chars: int | None = Field(default=4 << 20, ge=0)
    template_definitions: str | None = FROM_DUMP

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """Which pages are articles, and what is left of them."""
        languages = Check(
            step=SelectArticles.name,
            says="keeps the chosen Wikipedias",
            reasons=(Reason.language_not_chosen,),
            figure="language",
            setting="languages",
            one_of=self.languages,
        )
        articles = Check(
            step=SelectArticles.name,
            says="keeps articles in wikitext" + ("" if self.disambiguation else " that only tell no names apart"),
            reasons=(
                Reason.other_namespace,
                Reason.redirect,
                Reason.wrong_format,
                Reason.empty_text,
                Reason.disambiguation,
            ),
        )
        size = Check(
            step=CleanWikitext.name,
            says="limits the wikitext, in characters",
            reasons=(Reason.too_complex,),
            figure="chars_in",
            setting="max_page_chars",
            most=self.max_page_chars,
        )
        cleaned = Check(
            step=CleanWikitext.name,
            says="cleans, and needs a length in characters",
            reasons=(Reason.empty_after_cleaning, Reason.too_short),
            figure="chars_out",
            setting="min_chars",
            least=max(self.min_chars or 0, 1),
            shows=("templates_unknown", "too_deep", "unclosed_comment"),
        )
        return languages, articles, size, cleaned, FIRST_RECORD


def claims(head: Head) -> bool:
    """True for the head of a MediaWiki dump."""
    return b"<mediawiki" in head.data[:4096]


def reader(settings: Settings, splits: Sequence[Split]) -> Reader:
    """What reads these dumps as a run does. Raises InputError: the language of one cannot be told."""
    dumps = {split.name: inspect(split) for split in splits}
    return WikipediaReader(splits=splits, domain=DOMAIN, dumps=dumps)


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """Definitions of templates, if the dumps' own are wanted; then read, select, clean, write: tasks of pieces of
    dumps; then, of a page in two dumps, the first.

    Raises:
        InputError: there is no dump, or one whose language cannot be told.
        ModelError: the folder of ``template_definitions`` has no file for any language of the dumps.
    """
    files = [split for split in run.find(settings.inputs) if not is_index(split.name)]
    if not files:
        raise InputError(f"{run.input}: only indexes of Wikipedia dumps are there (-index.txt.bz2); add the dumps")
    dumps = label_dumps(files, {split.name: inspect(split) for split in files})
    pieces = [piece for split in files for piece in cut(split, settings.max_task_bytes, dumps[split.name].encoding)]
    tasks = share_tasks(pieces, settings.max_task_bytes)
    context = StepContext.reading(tasks, run=run, domain=DOMAIN, task_bytes=settings.max_task_bytes)
    from_dump = settings.template_definitions == FROM_DUMP
    first = passes(tasks, dumps, settings.languages, context.work) if from_dump else []
    own_files: tuple[str, ...] = ()
    if not from_dump and settings.template_definitions is not None:
        own_files = _definitions(settings.template_definitions, {dump.language for dump in dumps.values()})
    cleaning = CleanWikitext(
        title=settings.title,
        min_chars=max(settings.min_chars or 0, 1),
        max_page_chars=limit_of(settings.max_page_chars),
        definitions=(context.work if first else None) if from_dump else settings.template_definitions,
    )
    cleaning.files = own_files
    selection = SelectArticles(languages=settings.languages, disambiguation=settings.disambiguation)
    reader = WikipediaReader(tasks=tasks, domain=DOMAIN, dumps=dumps)
    built = Built(rules=[selection, cleaning], passes=first)
    return chain(context, [reader], [built], columns=COLUMNS, natural_keys=True)


def _definitions(folder: str, languages: set[str]) -> tuple[str, ...]:
    """The files of a folder with definitions for some of the languages. Raises ModelError: there is none."""
    paths = [definitions_path(folder, language) for language in sorted(languages)]
    found = tuple(path for path in paths if exists(path))
    if not found:
        wanted = ", ".join(f"{language}.templates" for language in sorted(languages))
        raise ModelError(
            f"template_definitions: {folder} has none of {wanted}; "
            "write them with `llama-data models train-templates DUMP... --out FOLDER`, or say `dump` or null"
        )
    return found
