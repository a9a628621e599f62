"""C4: the released files as they are, or the recipe applied again to raw pages."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.exchange import partitions
from llama_data.pipeline.core.files import Split, share_tasks
from llama_data.pipeline.core.head import Head
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.needs import Need
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.stages.c4.dedup import (
    DropOlderCopies,
    DropRepeatedLines,
    FindOlderCopies,
    FindRepeatedLines,
    WriteHashes,
)
from llama_data.stages.c4.reader import C4Reader
from llama_data.stages.steps import bad_words, c4_rules, language
from llama_data.stages.steps.c4_rules import MAX_CHARACTERS
from llama_data.stages.steps.contract import Built, Pass, StepContext, chain
from llama_data.stages.steps.kernels.c4_constants import PRESETS
from llama_data.stages.steps.length import EMPTY, EmptyText
from llama_data.stages.steps.model_files import one_model

DOMAIN = "c4"
# Stored bytes of input for a byte of records: the hashes of lines and addresses come to a tenth of the pages.
RATIO = 8
_COLUMNS = {"timestamp": "string", "removed_lines": "int64"}


class Settings(DomainSettings):
    """What to do with C4.

    ``rebuild``: False takes the released files as they are (LLaMA's choice); True applies the recipe to raw pages.
    ``rules``: whose constants the line rules use. ``max_characters``: longer pages go (None: no limit).
    ``newest_page``, ``line_dedup``: the two corpus-wide steps. ``language`` with ``language_model`` (a fastText
    model) and ``min_language_score``: which pages stay (either of the first None: all; a score that is None:
    whatever it is).
    ``bad_words``: a list, one entry a line.
    """

    inputs: tuple[str, ...] = ("**/*.json.gz", "**/*.jsonl", "**/*.jsonl.gz", "**/*.jsonl.zst")
    rebuild: bool = False
    rules: c4_rules.System = "tfds"
    max_characters: int | None = Field(default=MAX_CHARACTERS, ge=0)
    newest_page: bool = True
    line_dedup: bool = True
    language: str | None = "en"
    language_model: str | None = "lid.176.bin"
    min_language_score: float | None = Field(default=0.5, ge=0, le=1)
    bad_words: str | None = None

    def needs(self) -> list[Need]:
        """The model of languages, where the recipe is applied again."""
        if not self.rebuild or self.language is None or self.language_model is None:
            return []
        return [one_model("language_model", self.language_model, "language")]

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """Nothing but empty texts of the released files; the recipe's steps of a rebuild."""
        if not self.rebuild:
            return (EMPTY,)
        found = [*c4_rules.Settings(rules=self.rules, max_characters=self.max_characters).checks(models_dir)]
        if self.newest_page:
            newest = "keeps the newest copy of an address"
            found.insert(-1, Check(step=DropOlderCopies.name, says=newest, reasons=(Reason.older_copy,)))
        if self.line_dedup:
            reasons = (Reason.too_few_sentences, Reason.all_lines_duplicated)
            says = "removes lines that a page before has"
            found.append(Check(step=DropRepeatedLines.name, says=says, reasons=reasons, shows=("removed_lines",)))
        if self.language is not None and self.language_model is not None:
            names = ("language", "min_language_score")
            chosen = (self.language,)
            found += language.language_checks(language.Language.name, chosen, self.min_language_score, names)
        if self.bad_words is not None:
            found += bad_words.Settings(path=self.bad_words).checks(models_dir)
        return tuple(found)


def claims(head: Head) -> bool:
    """True for the head of one of the released files: text, address and time, or some of them."""
    return "text" in head.fields and head.fields <= {"text", "url", "timestamp"} and head.name.endswith(".json.gz")


def reader(settings: Settings, splits: Sequence[Split]) -> Reader:
    """What reads these files as a run does."""
    return C4Reader(splits=splits, language=None if settings.rebuild else "en")


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """The jobs of the domain, small files share a task. Raises InputError when there is no input."""
    tasks = share_tasks(run.find(settings.inputs, exact=False), settings.max_task_bytes)
    context = StepContext.reading(tasks, run=run, domain=DOMAIN, task_bytes=settings.max_task_bytes)
    if not settings.rebuild:
        released = C4Reader(tasks=tasks, language="en")
        return chain(context, [released, EmptyText()], [], columns=_COLUMNS)
    return chain(context, [C4Reader(tasks=tasks)], _rebuild(settings, context), columns=_COLUMNS)


def _rebuild(settings: Settings, context: StepContext) -> list[Built]:
    """The recipe's steps: limit, newest page of an address, line rules, line dedup, language, bad words."""
    lines = c4_rules.Settings(rules=settings.rules, max_characters=settings.max_characters).build(context)
    *limit, clean = lines.rules
    parts = partitions(context.stored, RATIO, settings.max_task_bytes)
    work, tasks = context.work, context.tasks
    older = [DropOlderCopies(work=work, parts=parts)] if settings.newest_page else []
    steps = [Built(rules=limit)]
    if settings.newest_page or settings.line_dedup:
        # Both decisions come from one look at the pages, which the line rules have cleaned: of each address's copies
        # one is chosen among all pages, and lines are compared among the chosen.
        steps.append(
            Built(
                passes=[
                    Pass("hashes", [clean, WriteHashes(work=work, newest_page=settings.newest_page)]),
                    Pass("older_copies", [FindOlderCopies(work=work, tasks=tasks, parts=parts)], parts),
                    Pass("repeated_lines", [FindRepeatedLines(work=work, tasks=tasks, parts=parts)], parts),
                ],
                rules=older,
            )
        )
    steps.append(Built(rules=[clean]))
    if settings.line_dedup:
        minimum = PRESETS[settings.rules].min_sentences
        steps.append(Built(rules=[DropRepeatedLines(work=work, parts=parts, min_sentences=minimum)]))
    if settings.language is not None and settings.language_model is not None:
        steps.append(
            language.Settings(
                model=settings.language_model,
                languages=(settings.language,),
                threshold=settings.min_language_score,
                newlines="space",
                digits=None,
            ).build(context)
        )
    if settings.bad_words is not None:
        steps.append(bad_words.Settings(path=settings.bad_words).build(context))
    return steps
